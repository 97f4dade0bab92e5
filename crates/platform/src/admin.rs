//! What operators do with partners, each act with its entry in the audit.

use banyan_protocol::ambient::Randomness;
use banyan_protocol::catalogue::{Direction, Interface, Room};
use banyan_protocol::wire::{Scalar as _, WebAddress};
use banyan_store::db::{Db, StoreError, Tx};
use banyan_store::ids::{Ids, JobId, PartnerId};
use banyan_store::journal::{self, OperatorAct};
use banyan_store::partners::{self, Kind, Partner, Profile};
use banyan_store::queue::{self, JobKind, Which};
use banyan_store::vault::Vault;

use crate::app::World;

/// What an operator's act needs.
#[derive(Debug, Clone)]
pub struct Desk {
    /// The records.
    pub db: Db,
    /// What is sealed.
    pub vault: Vault,
    /// Ids of new records.
    pub ids: Ids,
    /// Time and randomness.
    pub world: World,
    /// Who acts: a login name.
    pub actor: String,
}

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
}

/// What a partner needs to call; the secret is shown this once.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// 应用 ID.
    pub app_id: String,
    /// 接入方密钥.
    pub secret: String,
}

/// Why an act was not done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The database.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// What was asked can't be; in Chinese, for the operator at the terminal.
    #[error("{0}")]
    Input(String),
}

impl Desk {
    /// Adds a partner and issues its first secret.
    ///
    /// # Errors
    /// [`AdminError::Input`] where something given can't be or is taken.
    pub async fn add_partner(&self, new: NewPartner) -> Result<Issued, AdminError> {
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
        self.change(app_id, act, move |tx, now_ms| {
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

    /// Switches a partner off, or on again.
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
        let app = app_id.to_owned();
        self.change(app_id, act, move |tx, now_ms| {
            partners::set_active(tx, &app, active, now_ms)
        })
        .await
    }

    /// Moves a partner to another base address.
    ///
    /// # Errors
    /// [`AdminError::Input`] where there is no such partner.
    pub async fn move_to(&self, app_id: &str, base: &WebAddress) -> Result<(), AdminError> {
        let [callback, settlement] = addresses(base);
        let act = self.act("partner.move", app_id, callback.clone()).await?;
        let app = app_id.to_owned();
        self.change(app_id, act, move |tx, now_ms| {
            partners::set_addresses(tx, &app, Some(&callback), Some(&settlement), now_ms)
        })
        .await
    }

    /// Has ended callbacks sent again; gives how many.
    ///
    /// # Errors
    /// [`AdminError::Input`] where there is no such partner.
    pub async fn resend(&self, resend: Resend) -> Result<u64, AdminError> {
        let (which, target) = match resend {
            Resend::One(id) => (Which::One(JobId(id)), id.to_string()),
            Resend::Window {
                app_id,
                from_ms,
                to_ms,
            } => {
                let partners = self.partners().await?;
                let partner = partners
                    .iter()
                    .find(|partner| partner.profile.app_id == app_id)
                    .ok_or_else(unknown_partner)?;
                let lane = partner.id.0;
                (
                    Which::Window {
                        lane,
                        from_ms,
                        to_ms,
                    },
                    app_id,
                )
            }
        };
        let detail = format!("{which:?}");
        let act = self.act("callback.resend", &target, detail).await?;
        let resent = self
            .db
            .write(move |tx| -> Result<u64, StoreError> {
                let resent = queue::redo(tx, JobKind::Callback, which, act.at_ms)?;
                journal::note_operator(tx, &act)?;
                Ok(resent)
            })
            .await?;
        Ok(resent)
    }

    async fn change(
        &self,
        app_id: &str,
        act: OperatorAct,
        mut change: impl FnMut(&mut Tx<'_>, i64) -> Result<bool, StoreError> + Send + 'static,
    ) -> Result<(), AdminError> {
        debug_assert_eq!(act.target, app_id);
        let changed = self
            .db
            .write(move |tx| -> Result<bool, StoreError> {
                let changed = change(tx, act.at_ms)?;
                if changed {
                    journal::note_operator(tx, &act)?;
                }
                Ok(changed)
            })
            .await?;
        if changed {
            Ok(())
        } else {
            Err(unknown_partner())
        }
    }

    async fn act(
        &self,
        action: &'static str,
        target: &str,
        detail: String,
    ) -> Result<OperatorAct, AdminError> {
        Ok(OperatorAct {
            id: self.ids.next().await?,
            at_ms: self.world.clock.now_ms(),
            actor: self.actor.clone(),
            action,
            target: target.to_owned(),
            detail,
        })
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
        banyan_protocol::overdue::OrgName::parse(&new.name)
            .map_err(|invalid| AdminError::Input(format!("名称：{}", invalid.0)))?;
        let mut hosts = new.hosts;
        let urls = new.base_url.as_ref().map(addresses);
        if let Some(base) = &new.base_url {
            hosts.push(format!("{}:{}", base.host(), base.port()));
        }
        banyan_client::AllowedHosts::parse(hosts.iter().map(String::as_str))
            .map_err(|error| AdminError::Input(format!("主机：{error}")))?;
        let [callback_url, settlement_url] = match urls {
            Some([callback, settlement]) => [Some(callback), Some(settlement)],
            None => [None, None],
        };
        let grants = new.grants.unwrap_or_else(|| usual_grants(new.kind));
        Ok(Profile {
            app_id: code(&*self.world.random),
            kind: new.kind,
            org_id: new.org_id,
            name: new.name,
            callback_url,
            settlement_url,
            hosts,
            grants: grants
                .into_iter()
                .map(|interface| interface.code().to_owned())
                .collect(),
            rate_per_second: new.rate_per_second,
            plain_replies: new.plain_replies,
            active: true,
        })
    }
}

/// Which callbacks are to be sent again.
#[derive(Debug, Clone)]
pub enum Resend {
    /// The one with this notifyId.
    One(i64),
    /// Those of a partner that were made in a window of time.
    Window {
        /// The partner.
        app_id: String,
        /// From this moment on.
        from_ms: i64,
        /// Before this moment.
        to_ms: i64,
    },
}

/// What a kind of partner usually calls.
#[must_use]
pub fn usual_grants(kind: Kind) -> Vec<Interface> {
    let rooms: &[Room] = match kind {
        Kind::Hospital => &[Room::Overdue, Room::HealthCard],
        Kind::Mzt => return vec![Interface::OrgMdl002, Interface::OrgMdl004],
    };
    Interface::ALL
        .into_iter()
        .filter(|interface| {
            let spec = interface.spec();
            spec.direction == Direction::ToPlatform && rooms.contains(&spec.room)
        })
        .collect()
}

fn addresses(base: &WebAddress) -> [String; 2] {
    let prefix = base.url().path().trim_end_matches('/').to_owned();
    [Interface::Org002, Interface::Org001].map(|interface| match interface.spec().route {
        banyan_protocol::catalogue::Route::Path(path) => {
            base.with_path(&format!("{prefix}{path}")).url().to_string()
        }
        _ => base.url().to_string(),
    })
}

fn unknown_partner() -> AdminError {
    AdminError::Input("没有这个接入方：请用 banyan partner list 查看".to_owned())
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
