//! Settings of the platform, with the defaults that a province can start with.
//!
//! They are read from a TOML file; the binary lays the environment over it. Durations carry their
//! unit in their name.

mod bounds;
pub mod keys;

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;

use banyan_protocol::envelope::Environment;
use banyan_web::Tls;
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
    /// 电子健康卡.
    pub health_card: HealthCard,
    /// 商业补充医疗保险.
    pub supplement: Supplement,
    /// 医保电子凭证.
    pub credential: Credential,
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

/// Bounds of what comes in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inbound {
    /// The largest body; a full call of 100 items is about 60 kB.
    pub max_body_bytes: usize,
    /// The largest body at `/fjs/api`; 500 historical cases, encrypted, are about 2 MB.
    pub max_insurer_body_bytes: usize,
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
    /// 催缴提醒 through 闽政通.
    pub reminders: Reminders,
}

/// 商业补充医疗保险.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Supplement {
    /// How long an authorization code (授权码) can be used.
    pub code_ttl_ms: i64,
    /// How long the token lasts that it gives.
    pub token_ttl_ms: i64,
    /// A table of diagnoses and categories of past illnesses in the place of the built-in one.
    pub illness_map_file: Option<PathBuf>,
}

/// 医保电子凭证.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Credential {
    /// How long a QR code (医保码) is taken.
    pub code_ttl_ms: i64,
    /// How long a token (ecToken) is taken.
    pub token_ttl_ms: i64,
    /// How long the number of a face (authNo) is taken.
    pub face_ttl_ms: i64,
    /// How long an institution's call waits for a password.
    pub password_wait_ms: i64,
    /// How many calls wait at once; one more is answered with -6.
    pub max_waiting: usize,
    /// 用码业务类型 that need no password; whoever asks for one is answered with 500320.
    pub password_free: Vec<String>,
    /// How long an institution's own numbers (outBizNo) are remembered, in days.
    pub biz_no_days: u32,
}

/// When citizens are reminded of what they owe: only where a 闽政通 partner with a base address is
/// registered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reminders {
    /// Whether anybody is reminded.
    pub enabled: bool,
    /// When it is looked each day who is to be reminded, local hour and minute `HH:MM`.
    pub at: TimeOfDay,
    /// Where not 0, it is looked every so many minutes instead: for trying it out.
    pub look_every_minutes: u32,
    /// A debt that is on record for less than this is nobody's reason to be reminded.
    pub first_after_days: u32,
    /// A person is reminded at most once in so many calendar days.
    pub every_days: u32,
    /// So often at most of the same debts; any change to them begins anew.
    pub max_times: u32,
    /// Nobody is reminded from this time on, local `HH:MM`,
    pub quiet_from: TimeOfDay,
    /// until this time; the same time twice means no quiet hours.
    pub quiet_until: TimeOfDay,
}

/// 电子健康卡.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HealthCard {
    /// How long a patient has to give an authorisation.
    pub authorisation_ttl_ms: i64,
    /// After so many wrong claims an authorisation fails.
    pub authorisation_tries: u32,
    /// How long a 电子健康码 (QR code) is taken.
    pub code_ttl_ms: i64,
    /// 小程序 appId that ORG_EHC_001 gives along; none where absent.
    pub wx_mini_app_id: Option<String>,
    /// 小程序路径 that ORG_EHC_001 gives along, `{token}` standing for the link's token; none where
    /// absent.
    pub wx_mini_path: Option<String>,
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
    /// The journal's entries; the links of its chain stay for ever. At least
    /// [`JOURNAL_READ_BACK_DAYS`].
    pub journal_days: u32,
    /// Authorisations of health cards that are over (ORG_EHC_002 answers as long), and claims of
    /// other names that were decided.
    pub authorisation_days: u32,
    /// Appeals that ended, with what was written in them.
    pub appeal_days: u32,
    /// Records of the insurers' ledgers after their last word, with all versions and what cases
    /// said of illnesses; months of 31 days. Absent: for ever. A scheme asks about past illnesses
    /// and settles claims over many years, and by which law its papers are kept is for the operator
    /// to say, not for a default to guess.
    pub ledger_months: Option<NonZeroU32>,
}

/// So far back the platform itself reads its journal: to show a citizen who looked him up, and to
/// find whom to tell that a debt was revoked. An entry that is younger is never removed.
pub const JOURNAL_READ_BACK_DAYS: u32 = 90;

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
            health_card: HealthCard::default(),
            supplement: Supplement::default(),
            credential: Credential::default(),
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
            max_insurer_body_bytes: 8 << 20,
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
            reminders: Reminders::default(),
        }
    }
}

impl Default for Supplement {
    fn default() -> Self {
        Self {
            code_ttl_ms: 60_000,
            token_ttl_ms: 2 * 3_600_000,
            illness_map_file: None,
        }
    }
}

impl Default for Credential {
    fn default() -> Self {
        Self {
            code_ttl_ms: 60_000,
            token_ttl_ms: 2 * 3_600_000,
            face_ttl_ms: 5 * 60_000,
            password_wait_ms: 60_000,
            max_waiting: 1_024,
            password_free: Vec::new(),
            biz_no_days: 3 * 365,
        }
    }
}

impl Default for Reminders {
    fn default() -> Self {
        let on_the_hour = |hour| TimeOfDay { hour, minute: 0 };
        Self {
            enabled: true,
            at: on_the_hour(10),
            look_every_minutes: 0,
            first_after_days: 3,
            every_days: 7,
            max_times: 10,
            quiet_from: on_the_hour(21),
            quiet_until: on_the_hour(9),
        }
    }
}

impl Default for HealthCard {
    fn default() -> Self {
        Self {
            authorisation_ttl_ms: 30 * 60_000,
            authorisation_tries: 5,
            code_ttl_ms: 60_000,
            wx_mini_app_id: None,
            wx_mini_path: None,
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
            authorisation_days: 180,
            appeal_days: 3 * 365,
            ledger_months: None,
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

impl TimeOfDay {
    /// The minutes since midnight.
    #[must_use]
    pub const fn minutes(self) -> i64 {
        self.hour as i64 * 60 + self.minute as i64
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
