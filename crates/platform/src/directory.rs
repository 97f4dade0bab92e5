//! The partners as this node knows them: read from the database, kept in memory, renewed as soon
//! as their revision rises.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use banyan_client::{AllowedHosts, HostGuard};
use banyan_protocol::catalogue::{Interface, Route};
use banyan_protocol::crypto::rsa::PrivateKey;
use banyan_protocol::dictionaries::{EncType, SignType};
use banyan_protocol::envelope::{AcceptedReplies, Dialect, Manner, Secret, fjs};
use banyan_protocol::wire::{Scalar as _, WebAddress};
use banyan_store::db::{Db, StoreError};
use banyan_store::ids::PartnerId;
use banyan_store::partners::{self, Kind, Profile};
use banyan_store::supplement::channels;
use banyan_store::vault::Vault;
use url::Url;

use crate::inbound::rate::TokenBucket;
use crate::inbound::replay::ReplayGuard;
use crate::metrics::PartnerMeters;

/// A partner, ready to be spoken with.
#[derive(Debug)]
pub struct Partner {
    /// Its id.
    pub id: PartnerId,
    /// Its appId, as answers carry it.
    pub app_id: Arc<str>,
    /// What it is.
    pub kind: Kind,
    /// 机构 id; hospitals only.
    pub org_id: Option<String>,
    /// 机构名称 or the channel's name.
    pub name: String,
    /// Where ORG_001 goes.
    pub settlement_url: Option<Url>,
    /// Where notices go that are about no batch.
    pub notice_url: Option<Url>,
    /// Which hosts may be called for it.
    pub hosts: Arc<AllowedHosts>,
    /// Whether its answers may be plain or bare.
    pub accepted_replies: AcceptedReplies,
    /// Whether it may call at all.
    pub active: bool,
    /// Whether it is told when a debt that it was shown is revoked.
    pub corrections: bool,
    /// A hospital's 医保定点机构代码 besides its 机构 id; the institutions at whose windows a terminal
    /// stands.
    institutions: Vec<String>,
    /// How it speaks; insurers only.
    pub channel: Option<Arc<InsurerChannel>>,
    grants: HashSet<Interface>,
    secrets: Vec<LiveSecret>,
    /// What outlives a renewal of the directory.
    pub memory: Arc<Memory>,
}

/// An insurer's channel of the 统一对外接口, ready to be spoken with.
#[derive(Debug)]
pub struct InsurerChannel {
    /// Level and algorithms.
    pub speech: fjs::Channel,
    /// The services that it may name.
    pub service_ids: Vec<String>,
    /// Whether it is held to the document.
    pub strict: bool,
}

impl InsurerChannel {
    /// Makes a channel of what an operator set.
    ///
    /// # Errors
    /// What can't be, in Chinese.
    pub fn new(set: &channels::Channel) -> Result<Self, String> {
        let level = fjs::Level::from_number(set.level).ok_or("安全等级应为 1 至 4")?;
        let enc_type =
            EncType::from_code(&set.enc_type).ok_or("加解密方式应为 SM4、AES、RSA、PKCS7 之一")?;
        let sign_type =
            SignType::from_code(&set.sign_type).ok_or("签名方式应为 SM3、MD5、RSA 之一")?;
        let bad = |whose: &'static str| move |error| format!("{whose}：{error}");
        let own = set.keys.ours.as_deref();
        let own = own.map(PrivateKey::from_pem).transpose();
        let peer = set.keys.theirs.as_deref();
        let peer = peer.map(fjs::Peer::from_pem).transpose();
        let keys = fjs::Keys {
            own: own.map_err(bad("平台私钥"))?,
            peer: peer.map_err(bad("渠道公钥或证书"))?,
        };
        let missing = |missing: fjs::MissingKey| missing.to_string();
        Ok(Self {
            speech: fjs::Channel {
                level,
                cipher: fjs::Cipher::new(enc_type, &keys).map_err(missing)?,
                signer: fjs::Signer::new(sign_type, &keys).map_err(missing)?,
            },
            service_ids: set.service_ids.clone(),
            strict: set.strict,
        })
    }
}

/// What this node remembers of a partner from call to call.
#[derive(Debug)]
pub struct Memory {
    /// The dialect that worked last.
    dialect: AtomicU8,
    /// Whether it was this node that heard it; until then it is what others wrote down.
    dialect_heard: AtomicBool,
    /// The dialect that is written down, as far as this node knows.
    dialect_kept: AtomicU8,
    /// When this node last tried to write one down.
    dialect_tried_ms: AtomicI64,
    /// When the operator was last told how to find out why its messages do not open.
    advised_ms: AtomicI64,
    /// 重放攻击拦截器. One for each partner, so that nobody fills another's.
    pub replay: ReplayGuard,
    /// How many calls it still has.
    pub bucket: Mutex<TokenBucket>,
    /// How often it may still be wrong about a secret, a code or a token.
    pub wrong_tries: Mutex<TokenBucket>,
    /// Its counters.
    pub meters: PartnerMeters,
}

#[derive(Debug)]
struct LiveSecret {
    secret: Arc<Secret>,
    ends_ms: Option<i64>,
}

/// All partners.
#[derive(Debug)]
pub struct Directory {
    db: Db,
    vault: Vault,
    rules: Rules,
    /// When the revision was last looked at because a stranger called.
    stranger_checked_ms: AtomicI64,
    known: RwLock<Arc<Known>>,
}

/// What holds for every partner alike.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Whether partners may be called on any loopback port: the sandbox's rule.
    pub loopback_hosts: bool,
    /// How far a timestamp may be off, both ways.
    pub freshness_ms: i64,
    /// How many signatures are remembered of a partner.
    pub replay_capacity: usize,
}

#[derive(Debug, Default)]
struct Known {
    revision: i64,
    by_app_id: HashMap<Arc<str>, Arc<Partner>>,
    by_id: HashMap<PartnerId, Arc<Partner>>,
    by_org_id: HashMap<String, Arc<Partner>>,
    by_institution: HashMap<String, Arc<Partner>>,
}

/// How often in a second somebody may be wrong about the secret, a code or a token of one channel.
/// Each is as long as a key, so that nobody guesses it; this keeps those who try from costing much.
const WRONG_TRIES_PER_SECOND: u32 = 10;

/// How often a stranger's call may make us look whether it was added meanwhile.
const STRANGER_CHECK_MS: i64 = 200;

impl Directory {
    /// Reads the partners.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn open(db: Db, vault: Vault, rules: Rules, now_ms: i64) -> Result<Self, StoreError> {
        let directory = Self {
            db,
            vault,
            rules,
            stranger_checked_ms: AtomicI64::new(0),
            known: RwLock::default(),
        };
        directory.renew(now_ms).await?;
        Ok(directory)
    }

    /// Reads the partners anew if any was changed.
    ///
    /// # Errors
    /// Any [`StoreError`]; what was known stays known.
    pub async fn renew(&self, now_ms: i64) -> Result<(), StoreError> {
        let revision = partners::revision(&self.db).await?;
        let known = self.known();
        if known.revision == revision {
            return Ok(());
        }
        let mut fresh = Known {
            revision,
            ..Known::default()
        };
        let mut channels: HashMap<PartnerId, channels::Channel> =
            channels::all(&self.db, &self.vault)
                .await?
                .into_iter()
                .collect();
        for partner in partners::all(&self.db, &self.vault, now_ms).await? {
            let channel = channels.remove(&partner.id);
            let old = known.by_id.get(&partner.id).map(|old| old.memory.clone());
            let app_id = partner.profile.app_id.clone();
            // One partner that can't be read must not keep the others from being renewed.
            let partner = match self.view(partner, channel.as_ref(), old) {
                Ok(partner) => Arc::new(partner),
                Err(error) => {
                    tracing::error!(partner = app_id, %error, "a partner can't be read");
                    continue;
                }
            };
            fresh
                .by_app_id
                .insert(partner.app_id.clone(), partner.clone());
            if let Some(org_id) = &partner.org_id {
                fresh.by_org_id.insert(org_id.clone(), partner.clone());
            }
            if partner.kind == Kind::Hospital {
                for code in partner.org_id.iter().chain(&partner.institutions) {
                    fresh.by_institution.insert(code.clone(), partner.clone());
                }
            }
            fresh.by_id.insert(partner.id, partner);
        }
        tracing::info!(revision, partners = fresh.by_id.len(), "partners read");
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        Ok(())
    }

    /// The partner with this appId; looks whether it was added just now where it is unknown.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn by_app_id(
        &self,
        app_id: &str,
        now_ms: i64,
    ) -> Result<Option<Arc<Partner>>, StoreError> {
        if let Some(partner) = self.known().by_app_id.get(app_id) {
            return Ok(Some(partner.clone()));
        }
        let checked_ms = self.stranger_checked_ms.load(Ordering::Relaxed);
        if (now_ms - checked_ms).abs() < STRANGER_CHECK_MS {
            return Ok(None);
        }
        self.stranger_checked_ms.store(now_ms, Ordering::Relaxed);
        // Apart, for it is rare and large, and a part of every call.
        Box::pin(self.renew(now_ms)).await?;
        Ok(self.known().by_app_id.get(app_id).cloned())
    }

    /// The partner with this id.
    #[must_use]
    pub fn by_id(&self, id: PartnerId) -> Option<Arc<Partner>> {
        self.known().by_id.get(&id).cloned()
    }

    /// The hospital with this 机构 id.
    #[must_use]
    pub fn by_org_id(&self, org_id: &str) -> Option<Arc<Partner>> {
        self.known().by_org_id.get(org_id).cloned()
    }

    /// The hospital that calls the credential centre under this 医保定点机构代码.
    #[must_use]
    pub fn by_institution(&self, code: &str) -> Option<Arc<Partner>> {
        self.known().by_institution.get(code).cloned()
    }

    /// Every active hospital.
    #[must_use]
    pub fn hospitals(&self) -> Vec<Arc<Partner>> {
        self.known()
            .by_id
            .values()
            .filter(|partner| partner.active && partner.kind == Kind::Hospital)
            .cloned()
            .collect()
    }

    /// The channel through which citizens are reminded: of several the one that was registered
    /// first.
    #[must_use]
    pub fn reminding_channel(&self) -> Option<Arc<Partner>> {
        self.known()
            .by_id
            .values()
            .filter(|partner| {
                partner.active && partner.kind == Kind::Mzt && partner.notice_url.is_some()
            })
            .min_by_key(|partner| partner.id)
            .cloned()
    }

    fn known(&self) -> Arc<Known> {
        self.known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn view(
        &self,
        partner: partners::Partner,
        channel: Option<&channels::Channel>,
        memory: Option<Arc<Memory>>,
    ) -> Result<Partner, StoreError> {
        let kept_dialect = partner.dialect;
        let Profile {
            app_id,
            kind,
            org_id,
            name,
            base_url,
            hosts,
            grants,
            rate_per_second,
            plain_replies,
            active,
            corrections,
            institutions,
        } = partner.profile;
        let corrupt = |what: String| StoreError::Corrupt(format!("partner {app_id}: {what}"));
        let base = base_url
            .map(|url| WebAddress::parse(&url))
            .transpose()
            .map_err(|invalid| corrupt(format!("base address: {}", invalid.0)))?;
        let own_host = base
            .as_ref()
            .map(|base| format!("{}:{}", base.host(), base.port()));
        let loopback = self.rules.loopback_hosts.then_some("loopback");
        let entries = hosts
            .iter()
            .map(String::as_str)
            .chain(own_host.as_deref())
            .chain(loopback);
        let hosts = AllowedHosts::parse(entries).map_err(|error| corrupt(error.to_string()))?;
        let under_base = |interface| base.as_ref().map(|base| at(base, interface).url().clone());
        let settlement_url = under_base(Interface::Org001);
        let notice_url = under_base(Interface::Org002);
        let secrets = partner
            .secrets
            .into_iter()
            .map(|live| {
                let secret =
                    Secret::parse(&live.text).map_err(|error| corrupt(error.to_string()))?;
                Ok(LiveSecret {
                    secret: Arc::new(secret),
                    ends_ms: live.ends_ms,
                })
            })
            .collect::<Result<_, StoreError>>()?;
        let channel = channel
            .map(InsurerChannel::new)
            .transpose()
            .map_err(&corrupt)?
            .map(Arc::new);
        let memory = memory.unwrap_or_else(|| {
            Arc::new(Memory {
                dialect: AtomicU8::new(kept_dialect),
                dialect_heard: AtomicBool::new(false),
                dialect_kept: AtomicU8::new(kept_dialect),
                dialect_tried_ms: AtomicI64::new(0),
                advised_ms: AtomicI64::new(0),
                replay: ReplayGuard::new(self.rules.freshness_ms, self.rules.replay_capacity),
                bucket: Mutex::new(TokenBucket::new(rate_per_second)),
                wrong_tries: Mutex::new(TokenBucket::new(WRONG_TRIES_PER_SECOND)),
                meters: PartnerMeters::default(),
            })
        });
        memory.dialect_kept.store(kept_dialect, Ordering::Relaxed);
        if !memory.dialect_heard.load(Ordering::Relaxed) {
            memory.dialect.store(kept_dialect, Ordering::Relaxed);
        }
        memory
            .bucket
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .set_rate(rate_per_second);
        Ok(Partner {
            id: partner.id,
            app_id: app_id.as_str().into(),
            kind,
            org_id,
            name,
            settlement_url,
            notice_url,
            hosts: Arc::new(hosts),
            accepted_replies: AcceptedReplies {
                plain_and_bare: plain_replies,
            },
            active,
            corrections,
            institutions,
            channel,
            // A code that this version does not know grants nothing.
            grants: grants
                .iter()
                .filter_map(|code| Interface::from_code(code))
                .collect(),
            secrets,
            memory,
        })
    }
}

/// The address of an interface that a hospital answers, under its base address.
#[must_use]
pub fn at(base: &WebAddress, interface: Interface) -> WebAddress {
    match interface.spec().route {
        Route::Path(path) => {
            let prefix = base.url().path().trim_end_matches('/');
            base.with_path(&format!("{prefix}{path}"))
        }
        Route::Funid | Route::TransType => base.clone(),
    }
}

impl Partner {
    /// Whether this is a hospital, and this 医保定点机构代码 its own.
    #[must_use]
    pub fn is_institution(&self, code: &str) -> bool {
        let own = || self.institutions.iter().any(|own| own == code);
        self.kind == Kind::Hospital && (self.org_id.as_deref() == Some(code) || own())
    }

    /// Whether this is a terminal that stands at this institution's windows.
    #[must_use]
    pub fn stands_at(&self, code: &str) -> bool {
        self.kind == Kind::Terminal && self.institutions.iter().any(|one| one == code)
    }

    /// Whether it may call this interface.
    #[must_use]
    pub fn may_call(&self, interface: Interface) -> bool {
        self.grants.contains(&interface)
    }

    /// The secrets that are live at this moment, newest first.
    pub fn secrets(&self, now_ms: i64) -> impl Iterator<Item = &Arc<Secret>> {
        self.secrets
            .iter()
            .filter(move |live| live.ends_ms.is_none_or(|ends_ms| ends_ms > now_ms))
            .map(|live| &live.secret)
    }

    /// The dialect in which it signed last.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        Dialect::at(self.memory.dialect.load(Ordering::Relaxed))
    }

    /// Whether the operator is to be told that its messages do not open: at most once a minute, so
    /// that nobody fills the log by sending such.
    pub fn is_advice_due(&self, now_ms: i64) -> bool {
        let told_ms = self.memory.advised_ms.load(Ordering::Relaxed);
        let due = told_ms == 0 || now_ms.saturating_sub(told_ms) >= 60_000;
        if due {
            self.memory.advised_ms.store(now_ms, Ordering::Relaxed);
        }
        due
    }

    /// Remembers the dialect in which it signed. Gives whether it is to be written down: another one
    /// is, and this was not tried within the last minute.
    pub fn remember_dialect(&self, dialect: Dialect, now_ms: i64) -> bool {
        let memory = &self.memory;
        let index = dialect.index();
        memory.dialect.store(index, Ordering::Relaxed);
        memory.dialect_heard.store(true, Ordering::Relaxed);
        if memory.dialect_kept.load(Ordering::Relaxed) == index {
            return false;
        }
        let tried_ms = memory.dialect_tried_ms.load(Ordering::Relaxed);
        let due = now_ms - tried_ms >= 60_000;
        if due {
            memory.dialect_tried_ms.store(now_ms, Ordering::Relaxed);
        }
        due
    }

    /// Notes that this dialect is written down.
    pub fn dialect_is_kept(&self, dialect: Dialect) {
        let kept = &self.memory.dialect_kept;
        kept.store(dialect.index(), Ordering::Relaxed);
    }

    /// What is needed to call it; `None` where it has no live secret.
    #[must_use]
    pub fn credentials(&self, now_ms: i64) -> Option<banyan_client::Credentials> {
        let secret = self.secrets(now_ms).next()?.clone();
        Some(banyan_client::Credentials {
            app_id: self.app_id.clone(),
            secret,
            accepted: self.accepted_replies,
            manner: Manner {
                dialect: self.dialect(),
                ..Manner::SEALED
            },
        })
    }

    /// Which hosts may be called for it.
    #[must_use]
    pub fn guard(&self) -> HostGuard {
        HostGuard::Listed(self.hosts.clone())
    }
}
