//! Settings: a TOML file, and the environment laid over it.
//!
//! Every setting has a variable of its own: `inbound.max_body_bytes` is
//! `BANYAN_INBOUND_MAX_BODY_BYTES`. What is wrong in the file is named with its line, what is
//! wrong in the environment with its variable; neither is echoed, since it may be a secret.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use banyan_edge::settings::Settings as EdgeSettings;
use banyan_platform::settings::Settings;
use banyan_platform::settings::keys::KEYS;
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
    keys: &names(),
};

/// The keys alone of the platform's table.
const fn names() -> [&'static str; KEYS.len()] {
    let mut names = [""; KEYS.len()];
    let mut place = 0;
    while place < names.len() {
        names[place] = KEYS[place].name;
        place += 1;
    }
    names
}

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
        "files.keep_days",
        "retention.item_days",
        "retention.message_days",
    ],
};

/// What stands in a setting that is a secret or holds one: nothing of it is ever said, nor of the
/// lines about it.
const SECRET: [&str; 6] = [
    "secret",
    "previous_secret",
    "api_keys",
    "settlement_key",
    "metrics_token",
    "database_url",
];

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
    let _in_file: S = toml::from_str(text).map_err(|error| anyhow!(in_file(name, text, &error)))?;
    let mut table: Table =
        toml::from_str(text).map_err(|error| anyhow!(in_file(name, text, &error)))?;
    let mut unfit = Vec::new();
    for key in kind.keys {
        let env_name = variable_name(kind, key);
        if let Some(text) = variable(&env_name) {
            match fitting::<S>(&table, key, &text) {
                Some(fits) => table = fits,
                None => unfit.push((key, env_name, text)),
            }
        }
    }
    // What does not fit alone may fit together: the two files of `tls`.
    for (key, _, text) in &unfit {
        if let Some(value) = readings(text).pop() {
            lay_over(&mut table, key, value);
        }
    }
    settings(table).map_err(|error| {
        let names: Vec<_> = unfit.iter().map(|(_, name, _)| &**name).collect();
        let is_secret = unfit.iter().any(|(key, _, _)| is_secret(key));
        let why = if is_secret { WITHHELD } else { &error };
        anyhow!("环境变量有误（{}）：{why}", names.join("、"))
    })
}

/// Said of a secret in place of what the parser says, which may name the value.
const WITHHELD: &str = "写法不对；这是机密，不显示内容";

/// What is wrong in a file, with its line, and nothing of what stands there.
fn in_file(name: &str, text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or(text);
    let line = before.matches('\n').count();
    let statement = statement(text, line);
    let why = if SECRET.iter().any(|key| statement.contains(key)) {
        WITHHELD.to_owned()
    } else {
        // Named only if it is one of ours: what stands before the sign may be anything.
        let said = text.lines().nth(line).and_then(|line| line.split_once('='));
        let key = said
            .map(|(key, _)| key.trim())
            .filter(|key| is_setting(key));
        let named = key.map(|key| format!("{key}：")).unwrap_or_default();
        format!("{named}{}", error.message())
    };
    format!("配置文件 {name} 第 {} 行有误：{why}", line + 1)
}

/// The lines from where a setting or a group begins, up to this one.
fn statement(text: &str, line: usize) -> String {
    let mut lines: Vec<&str> = text.lines().take(line + 1).collect();
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let begins = |line: &&str| {
        let key = line.split_once('=').map_or("", |(key, _)| key.trim());
        line.trim_start().starts_with('[') || (!key.is_empty() && key.chars().all(is_key))
    };
    let start = lines.iter().rposition(begins).unwrap_or(0);
    lines.drain(..start);
    lines.join("\n")
}

/// Whether a key of a file is one of ours, however it is grouped.
fn is_setting(key: &str) -> bool {
    let all = PLATFORM.keys.iter().chain(EDGE.keys);
    let mut names = all.flat_map(|known| {
        let last = known.rsplit('.').next();
        std::iter::once(*known).chain(last)
    });
    names.any(|known| known == key)
}

fn is_secret(key: &str) -> bool {
    let last = key.rsplit('.').next();
    last.is_some_and(|last| SECRET.contains(&last))
}

fn settings<S: DeserializeOwned>(table: Table) -> Result<S, String> {
    Value::Table(table)
        .try_into()
        .map_err(|error: toml::de::Error| error.message().to_owned())
}

/// The settings with a variable laid over them in the first reading that fits.
fn fitting<S: DeserializeOwned>(table: &Table, key: &str, text: &str) -> Option<Table> {
    readings(text).into_iter().find_map(|value| {
        let mut table = table.clone();
        lay_over(&mut table, key, value);
        settings::<S>(table.clone()).is_ok().then_some(table)
    })
}

/// What a variable may mean: the text as it is, so that a secret of digits remains a text, and as a
/// value of TOML.
fn readings(text: &str) -> Vec<Value> {
    let line = format!("value = {text}");
    let value = toml::from_str::<Table>(&line)
        .ok()
        .and_then(|mut table| table.remove("value"));
    let plain = Value::String(text.to_owned());
    std::iter::once(plain).chain(value).collect()
}

fn variable_name(kind: &Kind, key: &str) -> String {
    let key = key.replace('.', "_").to_ascii_uppercase();
    format!("{}_{key}", kind.prefix)
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

    fn fault<S: DeserializeOwned + std::fmt::Debug>(kind: &Kind, text: &str) -> String {
        let read = parse::<S>(kind, text, "my.toml", none);
        format!("{:?}", read.unwrap_err())
    }

    #[test]
    fn an_error_in_the_file_names_its_line() {
        let text = "listen = \"127.0.0.1:9\"\n[inbound]\nmax_body_bytes = \"many\"\n";
        let error = fault::<Settings>(&PLATFORM, text);
        assert!(
            error.contains("第 3 行") && error.contains("max_body_bytes"),
            "{error}"
        );
        let error = fault::<Settings>(&PLATFORM, "lisen = 1");
        assert!(
            error.contains("lisen") && error.contains("第 1 行"),
            "{error}"
        );
        // A line below a secret is none.
        let text = "secret = \"S70123456789\"\nlisen = 1\n";
        let error = fault::<EdgeSettings>(&EDGE, text);
        assert!(
            error.contains("第 2 行") && error.contains("lisen") && !error.contains("S701"),
            "{error}"
        );
        let error = fault::<EdgeSettings>(&EDGE, "listen = \n");
        assert!(
            error.contains("listen") && error.contains("第 1 行"),
            "{error}"
        );
    }

    /// Whatever is wrong with the line of a secret or near it.
    #[test]
    fn a_fault_near_a_secret_does_not_show_it() {
        let edge = [
            "secret = 70123456789",
            "secret = S70123456789",
            "secret = \"S70123456789",
            "secret \"S70123456789\"",
            "secert = \"S70123456789\"",
            "secert = S70123456789",
            "secret = \"S70123456789\" x",
            "secret = [\"S70123456789\"]",
            "previous_secret = 70123456789",
            "api_keys = \"S70123456789\"",
            "api_keys = [\n  \"x\",\n  70123456789,\n]",
            "api_keys = [\n  \"x\",\n  \"S70123456789,\n]",
            "[his]\nsettlement_key = 70123456789",
            "his = { settlement_key = 70123456789 }",
            "his.settlement_key = 70123456789",
            "secret = \"S70123456789\"\nsecret = \"S70123456789\"",
        ];
        for line in edge {
            let text = format!("listen = \"127.0.0.1:9\"\n{line}\n");
            let error = fault::<EdgeSettings>(&EDGE, &text);
            assert!(!error.contains("70123456789"), "{line}: {error}");
            assert!(error.contains("my.toml 第 "), "{line}: {error}");
        }
        let platform = [
            "metrics_token = 70123456789",
            "database_url = 70123456789",
            "database_url = \"postgres://u:70123456789@h\" x",
            "database_url = [\"postgres://u:70123456789@h\"]",
        ];
        for line in platform {
            let error = fault::<Settings>(&PLATFORM, line);
            assert!(!error.contains("70123456789"), "{line}: {error}");
        }
        for (name, value) in [
            ("BANYAN_EDGE_API_KEYS", "S70123456789"),
            ("BANYAN_EDGE_API_KEYS", "[70123456789]"),
        ] {
            let variable = |asked: &str| (asked == name).then(|| value.to_owned());
            let read = parse::<EdgeSettings>(&EDGE, "", "edge.toml", variable);
            let error = format!("{:?}", read.unwrap_err());
            assert!(!error.contains("70123456789"), "{error}");
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn what_is_text_stays_the_text_that_the_environment_has() {
        let texts = [
            ("BANYAN_EDGE_SECRET", "0123456789012345"),
            ("BANYAN_EDGE_APP_ID", "10001"),
            ("BANYAN_EDGE_ORG_ID", "1e5"),
            ("BANYAN_EDGE_ORG_NAME", "true"),
            ("BANYAN_EDGE_PREVIOUS_SECRET", "\"quoted\""),
            ("BANYAN_EDGE_HIS_SETTLEMENT_KEY", "2026-01-01"),
            ("BANYAN_EDGE_API_KEYS", "[\"a\", \"b\"]"),
            ("BANYAN_EDGE_SENDING_AT_ONCE", "true"),
            ("BANYAN_EDGE_FILES_KEEP_DAYS", "7"),
            ("BANYAN_EDGE_TLS_CERTIFICATE_FILE", "cert.pem"),
            ("BANYAN_EDGE_TLS_KEY_FILE", "key.pem"),
        ];
        let variable = |asked: &str| {
            let mut texts = texts.iter();
            let found = texts.find(|(name, _)| *name == asked);
            found.map(|(_, text)| (*text).to_owned())
        };
        let settings = parse::<EdgeSettings>(&EDGE, "", "edge.toml", variable).unwrap();
        assert_eq!(settings.secret.0, "0123456789012345");
        assert_eq!(settings.app_id, "10001");
        assert_eq!(settings.org_id, "1e5");
        assert_eq!(settings.org_name, "true");
        assert_eq!(settings.previous_secret.unwrap().0, "\"quoted\"");
        assert_eq!(settings.his.settlement_key.unwrap().0, "2026-01-01");
        assert_eq!(settings.api_keys.len(), 2);
        assert!(settings.sending.at_once);
        assert_eq!(settings.files.keep_days, 7);
        assert_eq!(settings.tls.unwrap().key_file, Path::new("key.pem"));
        let token = |asked: &str| (asked == "BANYAN_METRICS_TOKEN").then(|| "42".to_owned());
        let settings = parse::<Settings>(&PLATFORM, "", "banyan.toml", token).unwrap();
        assert!(settings.metrics_token.is_some());
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
            "switched_off" | "overdue.next.fee_types" | "credential.password_free" => {
                Value::Array(Vec::new())
            }
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
        // Ten of the fields are the groups themselves, two more the parts of each time of day.
        let groups = 10 + 4 * 2;
        let shown = format!("{:?}", filled::<Settings>(&PLATFORM, sample));
        let fields = shown.matches(": ").count();
        assert_eq!(fields - groups, PLATFORM.keys.len(), "{shown}");
    }

    /// What is said of a setting that is not given holds: each default, given, changes nothing, and
    /// what has none is nothing.
    #[test]
    fn the_defaults_that_are_written_down_are_the_settings_own() {
        let given = |name: &str| {
            let mut keys = KEYS.iter().filter(|key| !key.default.is_empty());
            let key = keys.find(|key| variable_name(&PLATFORM, key.name) == name);
            key.map(|key| key.default.to_owned())
        };
        let defaults = Settings::default();
        let read = parse::<Settings>(&PLATFORM, "", "banyan.toml", given).unwrap();
        assert_eq!(read, defaults);
        // Neither of the two files of `tls` has a default, which is one `None`.
        let none = KEYS.iter().filter(|key| key.default.is_empty()).count();
        let shown = format!("{defaults:?}");
        assert_eq!(shown.matches(": None").count() + 1, none, "{shown}");
        assert!(KEYS.iter().all(|key| !key.about.is_empty()));
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
