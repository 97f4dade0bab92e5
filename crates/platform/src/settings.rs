//! Settings of the platform, with the defaults that a province can start with.
//!
//! They are read from a TOML file; the binary lays the environment over it. Durations carry their
//! unit in their name.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use banyan_protocol::envelope::Environment;
use serde::Deserialize;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How citizens reach this server from outside: entry links begin with it.
    pub public_url: Option<String>,
    /// `production` (only SM4 and SM3) or `test` (plain messages too).
    pub environment: EnvironmentSetting,
    /// `sqlite:PATH` or `postgres://...`.
    pub database_url: DatabaseUrl,
    /// The file that holds the master key: 64 hexadecimal digits.
    pub master_key_file: Option<PathBuf>,
    /// Certificate and key, to serve HTTPS.
    pub tls: Option<Tls>,
    /// What `Authorization: Bearer` must carry to read `/metrics`, which names partners and how
    /// much they do; open to everybody where absent.
    pub metrics_token: Option<MetricsToken>,
    /// Answers everything with 000003 (系统维护中).
    pub maintenance: bool,
    /// Codes of interfaces that answer 404404 (该功能未开放).
    pub switched_off: Vec<String>,
    /// Bounds of what comes in.
    pub inbound: Inbound,
    /// 诊疗失信.
    pub overdue: Overdue,
    /// Calls to hospitals.
    pub outbound: Outbound,
    /// How long things are kept.
    pub retention: Retention,
    /// Connections to PostgreSQL for writes.
    pub database_write_connections: usize,
    /// Connections to PostgreSQL for reads.
    pub database_read_connections: usize,
}

/// The environment as it stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EnvironmentSetting {
    /// 测试环境
    Test,
    /// 正式环境
    Production,
}

/// Certificate files in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate with its chain.
    pub certificate_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
}

/// Bounds of what comes in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inbound {
    /// The largest body; a full call of 100 items is about 60 kB.
    pub max_body_bytes: usize,
    /// After this a call is answered with -3 (服务端子系统内超时).
    pub timeout_ms: u64,
    /// How far a timestamp may be off, both ways.
    pub freshness_ms: i64,
    /// How many signatures the replay guard remembers of each partner (about 24 bytes each).
    /// Beyond it that partner's oldest timestamps are no longer accepted, so that no replay ever
    /// passes.
    pub replay_capacity: usize,
    /// How many calls are worked on at once; one more is answered with -6.
    pub max_concurrent: usize,
}

/// 诊疗失信.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overdue {
    /// Emergency (medType 13, 24) is outside the scheme (access guide 1.2.3).
    pub emergency_excluded: bool,
    /// When `next` (是否享受先诊后付) is still yes.
    pub next: NextPolicy,
    /// How long an entry link can be opened.
    pub link_ttl_ms: i64,
    /// How long the session that it opens lasts.
    pub session_ttl_ms: i64,
    /// When hospitals are asked about their unpaid items, local hour and minute `HH:MM`.
    pub reconcile_at: TimeOfDay,
    /// About how many items each hospital is asked a night.
    pub reconcile_sample: u32,
}

/// When a person with unpaid items may still be treated first: all of these together. The default
/// is the guide's own rule (1.2.2): no unpaid item at all.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NextPolicy {
    /// As many unpaid items.
    pub max_items: u32,
    /// As much unpaid in all, in fen; 0 sets no bound beside `max_items`.
    pub max_amount_fen: i64,
    /// Items younger than this are not counted yet.
    pub grace_days: u32,
    /// Only these kinds of fee are counted (01 门诊, 02 住院); empty counts all.
    pub fee_types: Vec<String>,
    /// Whether items under an open appeal count like any other.
    pub appealed: AppealedItems,
}

/// What an open appeal means for `next`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppealedItems {
    /// Nothing: the item counts until somebody has decided. The guide's rule (1.2.2).
    Count,
    /// The item is left out until somebody has decided.
    SetAside,
}

/// A local hour and minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TimeOfDay {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
}

/// Calls to hospitals.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outbound {
    /// Until a connection stands.
    pub connect_timeout_ms: u64,
    /// Until the answer is complete.
    pub call_timeout_ms: u64,
    /// Calls under way at once to one hospital.
    pub per_hospital: usize,
    /// Hospitals called at once while they answer.
    pub healthy_hospitals: usize,
    /// Hospitals tried at once that failed last time; they never take the places of the others.
    pub failing_hospitals: usize,
    /// A PEM file with certificates to trust besides the public ones.
    pub extra_ca_file: Option<PathBuf>,
}

/// How long things are kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Batches with their outcome (ORG_MDL_005 answers as long).
    pub batch_days: u32,
    /// Callbacks that ended.
    pub callback_days: u32,
    /// The journal's entries; the links of its chain stay for ever.
    pub journal_days: u32,
    /// Appeals that ended, with what was written in them.
    pub appeal_days: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            public_url: None,
            environment: EnvironmentSetting::Production,
            database_url: DatabaseUrl("sqlite:banyan.db".to_owned()),
            master_key_file: None,
            tls: None,
            metrics_token: None,
            maintenance: false,
            switched_off: Vec::new(),
            inbound: Inbound::default(),
            overdue: Overdue::default(),
            outbound: Outbound::default(),
            retention: Retention::default(),
            database_write_connections: 8,
            database_read_connections: 3,
        }
    }
}

impl Default for Inbound {
    fn default() -> Self {
        Self {
            max_body_bytes: 1 << 20,
            timeout_ms: 15_000,
            freshness_ms: 600_000,
            replay_capacity: 250_000,
            max_concurrent: 4_096,
        }
    }
}

impl Default for Overdue {
    fn default() -> Self {
        Self {
            emergency_excluded: true,
            next: NextPolicy::default(),
            link_ttl_ms: 10 * 60_000,
            session_ttl_ms: 30 * 60_000,
            reconcile_at: TimeOfDay {
                hour: 6,
                minute: 30,
            },
            reconcile_sample: 50,
        }
    }
}

impl Default for NextPolicy {
    fn default() -> Self {
        Self {
            max_items: 0,
            max_amount_fen: 0,
            grace_days: 0,
            fee_types: Vec::new(),
            appealed: AppealedItems::Count,
        }
    }
}

impl Default for Outbound {
    fn default() -> Self {
        Self {
            connect_timeout_ms: 3_000,
            call_timeout_ms: 10_000,
            per_hospital: 8,
            healthy_hospitals: 256,
            failing_hospitals: 64,
            extra_ca_file: None,
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            batch_days: 180,
            callback_days: 90,
            journal_days: 3 * 365,
            appeal_days: 3 * 365,
        }
    }
}

impl Settings {
    /// What no type says: bounds below which nothing works.
    ///
    /// # Errors
    /// The setting that can't be, in Chinese.
    pub fn check(&self) -> Result<(), String> {
        let (inbound, outbound) = (&self.inbound, &self.outbound);
        let positive = [
            ("inbound.max_body_bytes", inbound.max_body_bytes > 0),
            ("inbound.timeout_ms", inbound.timeout_ms > 0),
            ("inbound.freshness_ms", inbound.freshness_ms > 0),
            ("inbound.replay_capacity", inbound.replay_capacity > 0),
            ("inbound.max_concurrent", inbound.max_concurrent > 0),
            ("overdue.link_ttl_ms", self.overdue.link_ttl_ms > 0),
            ("overdue.session_ttl_ms", self.overdue.session_ttl_ms > 0),
            (
                "overdue.next.max_amount_fen",
                self.overdue.next.max_amount_fen >= 0,
            ),
            (
                "outbound.connect_timeout_ms",
                outbound.connect_timeout_ms > 0,
            ),
            ("outbound.call_timeout_ms", outbound.call_timeout_ms > 0),
            ("outbound.per_hospital", outbound.per_hospital > 0),
            ("outbound.healthy_hospitals", outbound.healthy_hospitals > 0),
            ("outbound.failing_hospitals", outbound.failing_hospitals > 0),
            (
                "database_write_connections",
                self.database_write_connections > 0,
            ),
            (
                "database_read_connections",
                self.database_read_connections > 0,
            ),
        ];
        match positive.iter().find(|(_, holds)| !holds) {
            Some((name, _)) => Err(format!("{name}：须大于 0")),
            None => Ok(()),
        }
    }
}

/// `sqlite:PATH` or `postgres://...`; `Debug` hides the password.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(pub String);

impl std::fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match url::Url::parse(&self.0) {
            Ok(mut url) if url.password().is_some() => {
                // An address that had a password can take another.
                let _replaced = url.set_password(Some("***"));
                url.fmt(f)
            }
            _ => f.write_str(&self.0),
        }
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// A token that `Debug` hides.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct MetricsToken(pub String);

impl std::fmt::Debug for MetricsToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("\"***\"")
    }
}

impl EnvironmentSetting {
    /// As the envelope knows it.
    #[must_use]
    pub const fn environment(self) -> Environment {
        match self {
            Self::Test => Environment::Test,
            Self::Production => Environment::Production,
        }
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is no time of day; write it like \"06:30\"");
        let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
        let number = |part: &str, below: u8| {
            part.parse::<u8>()
                .ok()
                .filter(|number| *number < below)
                .ok_or_else(wrong)
        };
        Ok(Self {
            hour: number(hour, 24)?,
            minute: number(minute, 60)?,
        })
    }
}
