//! Settings: a TOML file, and the environment laid over it.
//!
//! Every setting has a variable of its own: `inbound.max_body_bytes` is
//! `BANYAN_INBOUND_MAX_BODY_BYTES`. What is wrong in the file is named with its line, what is
//! wrong in the environment with its variable.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use banyan_edge::settings::Settings as EdgeSettings;
use banyan_platform::settings::Settings;
use banyan_store::vault::MasterKey;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// Where the settings come from.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ConfigOptions {
    /// 配置文件（TOML）；缺省为当前目录的 banyan.toml，前置机为 edge.toml（如存在）
    #[arg(long, value_name = "文件", global = true)]
    pub(crate) config: Option<PathBuf>,
}

/// The variable that holds the master key itself.
const MASTER_KEY: &str = "BANYAN_MASTER_KEY";

/// Whose settings: where they stand, and what there is to set. A test holds the list of keys against
/// the settings themselves.
struct Kind {
    /// The file in the present folder that is read where none is named.
    file: &'static str,
    /// How the variables begin.
    prefix: &'static str,
    keys: &'static [&'static str],
}

const PLATFORM: Kind = Kind {
    file: "banyan.toml",
    prefix: "BANYAN",
    keys: &[
        "listen",
        "public_url",
        "environment",
        "database_url",
        "master_key_file",
        "metrics_token",
        "maintenance",
        "switched_off",
        "database_write_connections",
        "database_read_connections",
        "tls.certificate_file",
        "tls.key_file",
        "inbound.max_body_bytes",
        "inbound.max_insurer_body_bytes",
        "inbound.timeout_ms",
        "inbound.freshness_ms",
        "inbound.replay_capacity",
        "inbound.max_concurrent",
        "overdue.emergency_excluded",
        "overdue.next.max_items",
        "overdue.next.max_amount_fen",
        "overdue.next.grace_days",
        "overdue.next.fee_types",
        "overdue.next.appealed",
        "overdue.link_ttl_ms",
        "overdue.session_ttl_ms",
        "overdue.reconcile_at",
        "overdue.reconcile_sample",
        "overdue.reminders.enabled",
        "overdue.reminders.at",
        "overdue.reminders.look_every_minutes",
        "overdue.reminders.first_after_days",
        "overdue.reminders.every_days",
        "overdue.reminders.max_times",
        "overdue.reminders.quiet_from",
        "overdue.reminders.quiet_until",
        "health_card.authorisation_ttl_ms",
        "health_card.authorisation_tries",
        "health_card.code_ttl_ms",
        "health_card.wx_mini_app_id",
        "health_card.wx_mini_path",
        "supplement.code_ttl_ms",
        "supplement.token_ttl_ms",
        "supplement.illness_map_file",
        "outbound.connect_timeout_ms",
        "outbound.call_timeout_ms",
        "outbound.per_hospital",
        "outbound.healthy_hospitals",
        "outbound.failing_hospitals",
        "outbound.extra_ca_file",
        "retention.batch_days",
        "retention.callback_days",
        "retention.journal_days",
        "retention.authorisation_days",
        "retention.appeal_days",
    ],
};

const EDGE: Kind = Kind {
    file: "edge.toml",
    prefix: "BANYAN_EDGE",
    keys: &[
        "listen",
        "public_url",
        "platform_url",
        "environment",
        "org_id",
        "org_name",
        "app_id",
        "secret",
        "previous_secret",
        "api_keys",
        "data_dir",
        "master_key_file",
        "tls.certificate_file",
        "tls.key_file",
        "sending.window_from",
        "sending.window_until",
        "sending.at_once",
        "sending.parallel",
        "sending.connect_timeout_ms",
        "sending.call_timeout_ms",
        "sending.extra_ca_file",
        "sending.follow_up_after_ms",
        "sending.probe_every_ms",
        "sending.presence_every_ms",
        "away.rule",
        "away.pause_ms",
        "his.settlement_url",
        "his.settlement_key",
        "files.drop_dir",
        "files.look_every_ms",
        "retention.item_days",
        "retention.message_days",
    ],
};

impl ConfigOptions {
    /// Reads the platform's settings.
    pub(crate) fn read(&self) -> Result<Settings> {
        self.read_kind(&PLATFORM)
    }

    /// Reads an edge's settings.
    pub(crate) fn read_edge(&self) -> Result<EdgeSettings> {
        self.read_kind(&EDGE)
    }

    fn read_kind<S: DeserializeOwned>(&self, kind: &Kind) -> Result<S> {
        let default = Path::new(kind.file);
        let path = match &self.config {
            Some(path) => Some(path.as_path()),
            None => Some(default).filter(|path| path.exists()),
        };
        let text = match path {
            Some(path) => std::fs::read_to_string(path)
                .with_context(|| format!("读取配置文件 {}", path.display()))?,
            None => String::new(),
        };
        let name = path.map_or_else(|| "配置".to_owned(), |path| path.display().to_string());
        parse(kind, &text, &name, |variable| std::env::var(variable).ok())
    }
}

/// The master key: from the environment, or from the file that the settings name.
pub(crate) fn master_key(settings: &Settings) -> Result<MasterKey> {
    let (text, place) = if let Ok(text) = std::env::var(MASTER_KEY) {
        (text, MASTER_KEY.to_owned())
    } else if let Some(path) = &settings.master_key_file {
        let place = path.display().to_string();
        let text =
            std::fs::read_to_string(path).with_context(|| format!("读取主密钥文件 {place}"))?;
        (text, place)
    } else {
        bail!(
            "没有主密钥：请在配置中给出 master_key_file，或设置环境变量 {MASTER_KEY}；\
             新密钥可用 openssl rand -hex 32 生成，须妥善备份，遗失后数据无法解读"
        );
    };
    MasterKey::parse(&text).map_err(|_| anyhow!("{place}：主密钥应为 64 位十六进制数字"))
}

fn parse<S: DeserializeOwned>(
    kind: &Kind,
    text: &str,
    name: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<S> {
    // Read alone first: only then does an error still know its line.
    let _in_file: S =
        toml::from_str(text).map_err(|error| anyhow!("配置文件 {name} 有误\n{error}"))?;
    let mut table: Table = toml::from_str(text)?;
    let mut laid_over = Vec::new();
    for key in kind.keys {
        let env_name = variable_name(kind, key);
        if let Some(text) = variable(&env_name) {
            lay_over(&mut table, key, value(&text));
            laid_over.push(env_name);
        }
    }
    settings(table).map_err(|error| anyhow!("环境变量有误（{}）：{error}", laid_over.join("、")))
}

fn settings<S: DeserializeOwned>(table: Table) -> Result<S, String> {
    Value::Table(table)
        .try_into()
        .map_err(|error: toml::de::Error| error.message().to_owned())
}

fn variable_name(kind: &Kind, key: &str) -> String {
    let key = key.replace('.', "_").to_ascii_uppercase();
    format!("{}_{key}", kind.prefix)
}

/// A variable's text as a TOML value, or as plain text where it is none.
fn value(text: &str) -> Value {
    let line = format!("value = {text}");
    toml::from_str::<Table>(&line)
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn lay_over(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = table
                .entry(first)
                .or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                lay_over(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn an_error_in_the_file_names_its_line() {
        let text = "listen = \"127.0.0.1:9\"\n[inbound]\nmax_body_bytes = \"many\"\n";
        let error = parse::<Settings>(&PLATFORM, text, "banyan.toml", none)
            .unwrap_err()
            .to_string();
        assert!(error.contains("line 3"), "{error}");
        let error = parse::<Settings>(&PLATFORM, "lisen = 1", "banyan.toml", none)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("lisen") && error.contains("line 1"),
            "{error}"
        );
    }

    #[test]
    fn the_environment_lies_over_the_file() {
        let text = "listen = \"127.0.0.1:9\"\n[overdue.next]\nmax_items = 1\n";
        let settings = parse::<Settings>(&PLATFORM, text, "banyan.toml", |name| match name {
            "BANYAN_LISTEN" => Some("127.0.0.1:8088".to_owned()),
            "BANYAN_OVERDUE_NEXT_MAX_ITEMS" => Some("3".to_owned()),
            "BANYAN_SWITCHED_OFF" => Some("[\"ORG_MDL_004\"]".to_owned()),
            "BANYAN_OVERDUE_RECONCILE_AT" => Some("05:15".to_owned()),
            _ => None,
        })
        .unwrap();
        assert_eq!(settings.listen.port(), 8088);
        assert_eq!(settings.overdue.next.max_items, 3);
        assert_eq!(settings.switched_off, ["ORG_MDL_004"]);
        assert_eq!(settings.overdue.reconcile_at.minute, 15);
        let error = parse::<Settings>(&PLATFORM, text, "banyan.toml", |name| {
            (name == "BANYAN_INBOUND_TIMEOUT_MS").then(|| "soon".to_owned())
        })
        .unwrap_err()
        .to_string();
        assert!(error.contains("BANYAN_INBOUND_TIMEOUT_MS"), "{error}");
    }

    /// Each key alone is accepted by the settings, and each setting has its key: a file with all
    /// of them is complete.
    #[test]
    fn every_setting_has_its_variable() {
        let sample = |key: &str| match key {
            "listen" => Value::String("127.0.0.1:1".to_owned()),
            "environment" => Value::String("test".to_owned()),
            "overdue.reconcile_at"
            | "overdue.reminders.at"
            | "overdue.reminders.quiet_from"
            | "overdue.reminders.quiet_until" => Value::String("01:02".to_owned()),
            "overdue.next.appealed" => Value::String("set_aside".to_owned()),
            "switched_off" | "overdue.next.fee_types" => Value::Array(Vec::new()),
            "maintenance" | "overdue.emergency_excluded" | "overdue.reminders.enabled" => {
                Value::Boolean(true)
            }
            key if ["_url", "_file", "_token", "_app_id", "_path"]
                .iter()
                .any(|end| key.ends_with(end)) =>
            {
                Value::String("x".to_owned())
            }
            _ => Value::Integer(1),
        };
        // Nine of the fields are the groups themselves, two more the parts of each time of day.
        let groups = 9 + 4 * 2;
        let shown = format!("{:?}", filled::<Settings>(&PLATFORM, sample));
        let fields = shown.matches(": ").count();
        assert_eq!(fields - groups, PLATFORM.keys.len(), "{shown}");
    }

    fn filled<S: DeserializeOwned>(kind: &Kind, sample: impl Fn(&str) -> Value) -> S {
        let mut table = Table::new();
        for key in kind.keys {
            lay_over(&mut table, key, sample(key));
        }
        settings(table).unwrap()
    }

    #[test]
    fn every_setting_of_an_edge_has_its_variable() {
        let sample = |key: &str| match key {
            "listen" => Value::String("127.0.0.1:1".to_owned()),
            "environment" => Value::String("test".to_owned()),
            "away.rule" => Value::String("allow".to_owned()),
            "api_keys" => Value::Array(Vec::new()),
            "sending.at_once" => Value::Boolean(true),
            key if key.ends_with("_ms") || key.ends_with("_days") || key == "sending.parallel" => {
                Value::Integer(1)
            }
            _ => Value::String("x".to_owned()),
        };
        // The groups themselves: tls, sending, away, his, files, retention.
        let groups = 6;
        let shown = format!("{:?}", filled::<EdgeSettings>(&EDGE, sample));
        let fields = shown.matches(": ").count();
        assert_eq!(fields - groups, EDGE.keys.len(), "{shown}");
    }
}
