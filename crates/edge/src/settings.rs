//! Settings of an edge, with defaults for everything that a hospital need not decide.
//!
//! They are read from a TOML file; the binary lays the environment over it. Durations carry their
//! unit in their name.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use banyan_protocol::envelope::{Environment, Secret};
use banyan_protocol::overdue::{OrgId, OrgName};
use banyan_protocol::wire::{Scalar as _, WebAddress};
use banyan_web::Tls;
use serde::Deserialize;
use url::Url;

use crate::window::Window;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the HIS and the platform reach the edge.
    pub listen: SocketAddr,
    /// How the platform reaches the edge from outside; what it listens on where absent.
    pub public_url: Option<String>,
    /// Where the platform is, without the interface's own path.
    pub platform_url: String,
    /// `production` (only SM4 and SM3) or `test` (plain calls of the platform too).
    pub environment: EnvironmentSetting,
    /// 机构 id, 国家编码.
    pub org_id: String,
    /// 机构名称.
    pub org_name: String,
    /// 应用 ID.
    pub app_id: String,
    /// 密钥.
    pub secret: Hidden,
    /// The secret before the last rotation: the platform's calls are still opened with it.
    pub previous_secret: Option<Hidden>,
    /// What `Authorization: Bearer` of the HIS may carry; two while a key is being changed.
    pub api_keys: Vec<Hidden>,
    /// The folder with everything that the edge keeps.
    pub data_dir: PathBuf,
    /// The file with the key under which identities are sealed; made in `data_dir` where absent.
    pub master_key_file: Option<PathBuf>,
    /// Certificate and key, to serve HTTPS.
    pub tls: Option<Tls>,
    /// Sending to the platform.
    pub sending: Sending,
    /// What to answer while the platform is away.
    pub away: Away,
    /// Asking the HIS.
    pub his: His,
    /// Taking files.
    pub files: Files,
    /// How long things are kept.
    pub retention: Retention,
}

/// Sending to the platform.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sending {
    /// From when on reports are sent at night, `HH:MM`; hospitals spread over the window.
    pub window_from: String,
    /// Until when.
    pub window_until: String,
    /// Reports are sent at once rather than at night.
    pub at_once: bool,
    /// Messages under way at a time.
    pub parallel: usize,
    /// For one address: TCP, and TLS where the scheme asks for it.
    pub connect_timeout_ms: u64,
    /// For a whole call.
    pub call_timeout_ms: u64,
    /// A PEM file with certificates of authorities to trust beside the public ones.
    pub extra_ca_file: Option<PathBuf>,
    /// How long to wait for the callback before asking for the outcome (ORG_MDL_005).
    pub follow_up_after_ms: i64,
    /// How often to look whether the platform is there while there is nothing to send; 0 is never.
    pub probe_every_ms: i64,
    /// How often to tell another edge of the same hospital from this one; 0 is never.
    pub presence_every_ms: i64,
}

/// What to answer while the platform is away.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Away {
    /// Whether a patient may be treated first and pay later when the platform can't be asked.
    pub rule: AwayRule,
    /// For how long the platform counts as away after it failed several times in a row.
    pub pause_ms: i64,
}

/// The hospital's own rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AwayRule {
    /// 可享先诊后付.
    Allow,
    /// 不可享先诊后付.
    Deny,
}

/// Asking the HIS.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct His {
    /// Where to ask how a debt stands (ORG_001); the edge's own ledger answers where absent.
    pub settlement_url: Option<String>,
    /// What `Authorization: Bearer` carries then.
    pub settlement_key: Option<Hidden>,
}

/// Taking files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Files {
    /// The folder where a HIS leaves files; none are taken where absent.
    pub drop_dir: Option<PathBuf>,
    /// How often to look.
    pub look_every_ms: i64,
    /// After how many days a file that was taken is removed from `done`; 0 is never.
    pub keep_days: i64,
}

/// How long things are kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Debts that were settled, revoked or withdrawn.
    pub item_days: i64,
    /// Messages whose outcome is known, and notices.
    pub message_days: i64,
}

/// Test or production.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EnvironmentSetting {
    /// 测试环境.
    Test,
    /// 正式环境.
    Production,
}

/// Text that `Debug` does not show.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Hidden(pub String);

/// A setting that can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("配置项 {key}：{reason}")]
pub struct BadSetting {
    /// Which.
    pub key: &'static str,
    /// Why, in Chinese.
    pub reason: String,
}

/// The settings, understood.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub(crate) org_id: OrgId,
    pub(crate) org_name: OrgName,
    pub(crate) platform: Url,
    pub(crate) environment: Environment,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) settlement: Option<Url>,
    pub(crate) window: Window,
}

impl Settings {
    /// Understands what the types alone don't check.
    ///
    /// # Errors
    /// The first setting that can't be.
    pub(crate) fn check(&self) -> Result<Checked, BadSetting> {
        let bad = |key, reason: &str| BadSetting {
            key,
            reason: reason.to_owned(),
        };
        let org_id = OrgId::parse(&self.org_id).map_err(|invalid| bad("org_id", &invalid.0))?;
        let org_name =
            OrgName::parse(&self.org_name).map_err(|invalid| bad("org_name", &invalid.0))?;
        if self.app_id.trim().is_empty() {
            return Err(bad("app_id", "不可为空，由平台分配"));
        }
        let mut secrets = Vec::new();
        let all = [Some(&self.secret), self.previous_secret.as_ref()];
        for secret in all.into_iter().flatten() {
            let secret =
                Secret::parse(&secret.0).map_err(|_| bad("secret", "至少 16 字节，由平台分配"))?;
            secrets.push(secret);
        }
        if self.api_keys.is_empty() || self.api_keys.iter().any(|key| key.0.len() < MIN_KEY) {
            return Err(bad(
                "api_keys",
                "至少一个，每个至少 16 个字符；可用 openssl rand -hex 16 生成",
            ));
        }
        for (key, count) in [
            ("sending.parallel", self.sending.parallel as i64),
            ("files.look_every_ms", self.files.look_every_ms),
            ("retention.item_days", self.retention.item_days),
            ("retention.message_days", self.retention.message_days),
        ] {
            if count < 1 {
                return Err(bad(key, "应为正整数"));
            }
        }
        if self.files.keep_days < 0 {
            return Err(bad("files.keep_days", "应为天数，0 为不清理"));
        }
        let settlement = match &self.his.settlement_url {
            None => None,
            Some(text) => Some(web_address("his.settlement_url", text)?),
        };
        Ok(Checked {
            window: Window::parse(&self.sending, org_id.as_str())?,
            org_id,
            org_name,
            platform: web_address("platform_url", &self.platform_url)?,
            environment: match self.environment {
                EnvironmentSetting::Test => Environment::Test,
                EnvironmentSetting::Production => Environment::Production,
            },
            secrets,
            settlement,
        })
    }
}

/// A shorter key is guessed.
const MIN_KEY: usize = 16;

fn web_address(key: &'static str, text: &str) -> Result<Url, BadSetting> {
    WebAddress::parse(text)
        .map(|address| address.url().clone())
        .map_err(|invalid| BadSetting {
            key,
            reason: invalid.0,
        })
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)),
            public_url: None,
            platform_url: String::new(),
            environment: EnvironmentSetting::Production,
            org_id: String::new(),
            org_name: String::new(),
            app_id: String::new(),
            secret: Hidden::default(),
            previous_secret: None,
            api_keys: Vec::new(),
            data_dir: PathBuf::from("banyan-edge"),
            master_key_file: None,
            tls: None,
            sending: Sending::default(),
            away: Away::default(),
            his: His::default(),
            files: Files::default(),
            retention: Retention::default(),
        }
    }
}

impl Default for Sending {
    fn default() -> Self {
        Self {
            window_from: "02:00".to_owned(),
            window_until: "06:00".to_owned(),
            at_once: false,
            parallel: 4,
            connect_timeout_ms: 3_000,
            call_timeout_ms: 10_000,
            extra_ca_file: None,
            follow_up_after_ms: 10 * 60_000,
            probe_every_ms: 60_000,
            presence_every_ms: 3_600_000,
        }
    }
}

impl Default for Away {
    fn default() -> Self {
        Self {
            rule: AwayRule::Deny,
            pause_ms: 10_000,
        }
    }
}

impl Default for Files {
    fn default() -> Self {
        Self {
            drop_dir: None,
            look_every_ms: 2_000,
            keep_days: 90,
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            item_days: 730,
            message_days: 90,
        }
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
