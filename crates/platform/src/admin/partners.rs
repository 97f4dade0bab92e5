//! Who may call: partners are added, changed, switched off and on, and their secrets rotated.

use banyan_protocol::ambient::Randomness;
use banyan_protocol::catalogue::{Direction, Interface, Room};
use banyan_protocol::credential::is_institution_code;
use banyan_protocol::wire::{Scalar as _, WebAddress};
use banyan_store::db::{StoreError, Tx};
use banyan_store::ids::PartnerId;
use banyan_store::journal::{self, OperatorAct};
use banyan_store::partners::{self, Kind, Partner, Profile};
use banyan_store::queue::{self, JobKind};
use banyan_store::supplement::channels::{self, Channel};

use super::{AdminError, Desk, unknown_partner};
use crate::directory::at;

/// A partner about to be added.
#[derive(Debug, Clone)]
pub struct NewPartner {
    /// What it is.
    pub kind: Kind,
    /// 机构 id; hospitals only.
    pub org_id: Option<String>,
    /// 机构名称 or the channel's name.
    pub name: String,
    /// The address that ORG_001 and ORG_002 are appended to.
    pub base_url: Option<WebAddress>,
    /// Hosts that may be called besides the base address's own.
    pub hosts: Vec<String>,
    /// Interface codes; `None` grants what its kind usually calls.
    pub grants: Option<Vec<Interface>>,
    /// Calls a second.
    pub rate_per_second: u32,
    /// Whether its answers may be plain or bare.
    pub plain_replies: bool,
    /// Whether it is told when a debt that it was shown is revoked.
    pub corrections: bool,
    /// A hospital's 医保定点机构代码 besides its 机构 id; the institutions at whose windows a terminal
    /// stands.
    pub institutions: Vec<String>,
}

/// What a partner needs to call; the secret is shown this once.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// 应用 ID.
    pub app_id: String,
    /// 接入方密钥.
    pub secret: String,
}

/// What may be changed of a partner; `None` leaves it as it is.
#[derive(Debug, Clone, Default)]
pub struct Edit {
    /// 机构名称 or the channel's name.
    pub name: Option<String>,
    /// The address that ORG_001 and ORG_002 are appended to; `Some(None)` takes it away.
    pub base_url: Option<Option<WebAddress>>,
    /// Hosts that may be called besides the base address's own.
    pub hosts: Option<Vec<String>>,
    /// Interfaces that it may call.
    pub grants: Option<Vec<Interface>>,
    /// Calls a second.
    pub rate_per_second: Option<u32>,
    /// Whether its answers may be plain or bare.
    pub plain_replies: Option<bool>,
    /// Whether it is told when a debt that it was shown is revoked.
    pub corrections: Option<bool>,
    /// 医保定点机构代码 besides its 机构 id.
    pub institutions: Option<Vec<String>>,
}

impl Desk {
    /// Adds a partner and issues its first secret.
    ///
    /// # Errors
    /// [`AdminError::Input`] where something given can't be or is taken.
    pub async fn add_partner(&self, new: NewPartner) -> Result<Issued, AdminError> {
        if new.kind == Kind::Insurer {
            return Err(AdminError::Input(
                "保险渠道须给出安全等级与服务 id（--level、--service）".to_owned(),
            ));
        }
        self.add(new, None).await
    }

    pub(super) async fn add(
        &self,
        new: NewPartner,
        channel: Option<Channel>,
    ) -> Result<Issued, AdminError> {
        let profile = self.profile(new)?;
        let secret = code(&*self.world.random);
        let issued = Issued {
            app_id: profile.app_id.clone(),
            secret: secret.clone(),
        };
        let id = PartnerId(self.ids.next().await?);
        let detail = format!(
            "kind {:?}, orgId {}",
            profile.kind,
            profile.org_id.as_deref().unwrap_or("-")
        );
        let act = self.act("partner.add", &profile.app_id, detail).await?;
        let (vault, now_ms) = (self.vault.clone(), act.at_ms);
        self.db
            .write(move |tx| -> Result<(), StoreError> {
                partners::add(tx, &vault, id, &profile, &secret, now_ms)?;
                if let Some(channel) = &channel {
                    channels::put(tx, &vault, id, channel, now_ms)?;
                }
                journal::note_operator(tx, &act)
            })
            .await
            .map_err(|error| match error {
                StoreError::Conflict { .. } => {
                    AdminError::Input("该机构已登记：orgId 不可重复".to_owned())
                }
                other => other.into(),
            })?;
        Ok(issued)
    }

    /// Every partner, ordered by appId.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn partners(&self) -> Result<Vec<Partner>, AdminError> {
        let now_ms = self.world.clock.now_ms();
        Ok(partners::all(&self.db, &self.vault, now_ms).await?)
    }

    /// The live secrets of a partner, the one in use first, so that a captured message of its can
    /// be examined. That they were taken out is in the audit.
    ///
    /// # Errors
    /// [`AdminError::Input`] where there is no such partner.
    pub async fn secrets_for_doctor(&self, app_id: &str) -> Result<Vec<String>, AdminError> {
        let partner = self.partner(app_id).await?;
        self.note("partner.doctor", app_id, String::new()).await?;
        let secrets = partner.secrets.into_iter();
        Ok(secrets.map(|secret| secret.text).collect())
    }

    /// Issues a new secret; the old one goes on for `overlap_ms`.
    ///
    /// # Errors
    /// [`AdminError::Input`] where there is no such partner.
    pub async fn rotate(&self, app_id: &str, overlap_ms: i64) -> Result<Issued, AdminError> {
        let secret = code(&*self.world.random);
        let secret_id = self.ids.next().await?;
        let detail = format!("old secret ends after {} h", overlap_ms / 3_600_000);
        let act = self.act("partner.rotate", app_id, detail).await?;
        let (vault, app, new) = (self.vault.clone(), app_id.to_owned(), secret.clone());
        self.change(act, move |tx, now_ms| {
            partners::rotate(
                tx,
                &vault,
                &app,
                secret_id,
                &new,
                now_ms,
                now_ms + overlap_ms,
            )
        })
        .await?;
        Ok(Issued {
            app_id: app_id.to_owned(),
            secret,
        })
    }

    /// Switches a partner off, or on again; what waits for it then goes out at once, and has all
    /// its time to be taken in once more.
    ///
    /// # Errors
    /// [`AdminError::Input`] where there is no such partner.
    pub async fn set_active(&self, app_id: &str, active: bool) -> Result<(), AdminError> {
        let action = if active {
            "partner.restore"
        } else {
            "partner.revoke"
        };
        let act = self.act(action, app_id, String::new()).await?;
        self.change_profile(act, move |tx, id, profile, now_ms| {
            if active {
                queue::lift_pause(tx, id.0)?;
            }
            if active && !profile.active {
                queue::begin_anew(tx, JobKind::Callback, id.0, now_ms)?;
            }
            profile.active = active;
            Ok(())
        })
        .await
    }

    /// Changes what an operator may change of a partner.
    ///
    /// # Errors
    /// [`AdminError::Input`] where there is no such partner, or something given can't be.
    pub async fn edit(&self, app_id: &str, edit: Edit) -> Result<(), AdminError> {
        let act = self.act("partner.set", app_id, edit.shown()).await?;
        self.change_profile(act, move |tx, id, profile, _| {
            edit.over(profile);
            check(profile)?;
            Ok(queue::lift_pause(tx, id.0)?)
        })
        .await
    }

    /// Changes the profile of the partner that an act is about. It is read in the transaction that
    /// writes it, so that two operators at once do not undo each other's changes.
    async fn change_profile(
        &self,
        act: OperatorAct,
        mut change: impl FnMut(&mut Tx<'_>, PartnerId, &mut Profile, i64) -> Result<(), AdminError>
        + Send
        + 'static,
    ) -> Result<(), AdminError> {
        self.db
            .write(move |tx| -> Result<(), AdminError> {
                let held = partners::hold(tx, &act.target)?;
                let (id, mut profile) = held.ok_or_else(unknown_partner)?;
                change(tx, id, &mut profile, act.at_ms)?;
                partners::put(tx, &profile, act.at_ms)?;
                Ok(journal::note_operator(tx, &act)?)
            })
            .await
    }

    fn profile(&self, new: NewPartner) -> Result<Profile, AdminError> {
        let hospital = new.kind == Kind::Hospital;
        if hospital != new.org_id.is_some() {
            return Err(AdminError::Input(
                "医疗机构须给出 orgId（--org-id），其他渠道不可给出".to_owned(),
            ));
        }
        if let Some(org_id) = &new.org_id {
            banyan_protocol::overdue::OrgId::parse(org_id)
                .map_err(|invalid| AdminError::Input(format!("orgId：{}", invalid.0)))?;
        }
        let grants = new.grants.unwrap_or_else(|| usual_grants(new.kind));
        let profile = Profile {
            app_id: code(&*self.world.random),
            kind: new.kind,
            org_id: new.org_id,
            name: new.name,
            base_url: new.base_url.map(|base| base.render().into_owned()),
            hosts: new.hosts,
            grants: codes(&grants),
            rate_per_second: new.rate_per_second,
            plain_replies: new.plain_replies,
            active: true,
            corrections: new.corrections,
            institutions: new.institutions,
        };
        check(&profile)?;
        Ok(profile)
    }
}

impl Edit {
    fn over(&self, profile: &mut Profile) {
        let edit = self.clone();
        if let Some(name) = edit.name {
            profile.name = name;
        }
        if let Some(base) = edit.base_url {
            profile.base_url = base.map(|base| base.render().into_owned());
        }
        if let Some(hosts) = edit.hosts {
            profile.hosts = hosts;
        }
        if let Some(grants) = edit.grants {
            profile.grants = codes(&grants);
        }
        if let Some(rate) = edit.rate_per_second {
            profile.rate_per_second = rate;
        }
        if let Some(plain) = edit.plain_replies {
            profile.plain_replies = plain;
        }
        if let Some(corrections) = edit.corrections {
            profile.corrections = corrections;
        }
        if let Some(institutions) = edit.institutions {
            profile.institutions = institutions;
        }
    }

    /// For the audit: what was changed, and to what.
    fn shown(&self) -> String {
        let mut parts = Vec::new();
        if let Some(name) = &self.name {
            parts.push(format!("name {name}"));
        }
        if let Some(base) = &self.base_url {
            let base = base.as_ref().map(WebAddress::render);
            parts.push(format!("base {}", base.as_deref().unwrap_or("-")));
        }
        if let Some(hosts) = &self.hosts {
            parts.push(format!("hosts {}", hosts.join(" ")));
        }
        if let Some(grants) = &self.grants {
            parts.push(format!("grants {}", codes(grants).join(" ")));
        }
        if let Some(rate) = self.rate_per_second {
            parts.push(format!("rate {rate}"));
        }
        if let Some(plain) = self.plain_replies {
            parts.push(format!("plain replies {plain}"));
        }
        if let Some(corrections) = self.corrections {
            parts.push(format!("corrections {corrections}"));
        }
        if let Some(institutions) = &self.institutions {
            parts.push(format!("institutions {}", institutions.join(" ")));
        }
        parts.join(", ")
    }
}

fn codes(grants: &[Interface]) -> Vec<String> {
    grants
        .iter()
        .map(|interface| interface.code().to_owned())
        .collect()
}

/// What no type of a profile says.
fn check(profile: &Profile) -> Result<(), AdminError> {
    banyan_protocol::overdue::OrgName::parse(&profile.name)
        .map_err(|invalid| AdminError::Input(format!("名称：{}", invalid.0)))?;
    banyan_client::AllowedHosts::parse(profile.hosts.iter().map(String::as_str))
        .map_err(|error| AdminError::Input(format!("主机：{error}")))?;
    let is_code = |text: &String| is_institution_code(text);
    if !profile.institutions.iter().all(is_code) {
        return Err(AdminError::Input(
            "医保定点机构代码：应为 1 至 40 位字母或数字".to_owned(),
        ));
    }
    let may_have = matches!(profile.kind, Kind::Hospital | Kind::Terminal);
    if !may_have && !profile.institutions.is_empty() {
        return Err(AdminError::Input(
            "只有医疗机构和终端有医保定点机构代码".to_owned(),
        ));
    }
    if profile.kind == Kind::Terminal && profile.institutions.is_empty() {
        return Err(AdminError::Input(
            "终端须给出所在机构的医保定点机构代码（--institution）".to_owned(),
        ));
    }
    if profile.corrections && profile.base_url.is_none() {
        return Err(AdminError::Input(
            "开通更正回执须先登记基础地址（--base-url）".to_owned(),
        ));
    }
    if let Some(base) = &profile.base_url {
        let base = WebAddress::parse(base)
            .map_err(|invalid| AdminError::Input(format!("基础地址：{}", invalid.0)))?;
        let callback = at(&base, Interface::Org002);
        WebAddress::parse(&callback.render())
            .map_err(|_| AdminError::Input("基础地址过长".to_owned()))?;
    }
    Ok(())
}

/// What a kind of partner usually calls.
#[must_use]
pub fn usual_grants(kind: Kind) -> Vec<Interface> {
    let rooms: &[Room] = match kind {
        Kind::Hospital => &[Room::Overdue, Room::HealthCard, Room::Credential],
        Kind::Mzt => return vec![Interface::OrgMdl002, Interface::OrgMdl004],
        Kind::Insurer => &[Room::Supplement],
        // What a terminal says is no interface of a specification.
        Kind::Terminal => &[],
    };
    Interface::ALL
        .into_iter()
        .filter(|interface| {
            let spec = interface.spec();
            spec.direction == Direction::ToPlatform && rooms.contains(&spec.room)
        })
        .collect()
}

/// 32 letters and digits, as the guide's own examples have them.
fn code(random: &dyn Randomness) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";
    let mut code = String::with_capacity(32);
    while code.len() < 32 {
        let mut bytes = [0; 32];
        random.fill(&mut bytes);
        // Bytes beyond the last whole multiple would make some letters likelier than others.
        let fair = bytes
            .iter()
            .filter(|byte| usize::from(**byte) < 256 / LETTERS.len() * LETTERS.len());
        for byte in fair.take(32 - code.len()) {
            code.push(char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
        }
    }
    code
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Issued({}, ***)", self.app_id)
    }
}
