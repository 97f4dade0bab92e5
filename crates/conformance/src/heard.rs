//! What came back, and whether it is what the guide asks for.

use banyan_protocol::envelope::{Dialect, Envelope, Environment, Opened, Secret};
use serde_json::Value;

/// Why a case did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The other side erred: how, in Chinese.
    Failed(String),
    /// It can't be judged: why, in Chinese.
    Skipped(String),
}

/// The outcome of a case while it runs.
pub(crate) type Checked = Result<(), Fault>;

pub(crate) fn failed<T>(why: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Failed(why.into()))
}

pub(crate) fn skipped<T>(why: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Skipped(why.into()))
}

/// Fails with this unless it holds.
pub(crate) fn ensure(holds: bool, why: impl Into<String>) -> Checked {
    if holds { Ok(()) } else { failed(why) }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    pub(crate) text: String,
}

/// Words of a program's own insides, which no answer should carry.
const INSIDES: &[&str] = &[
    "Exception",
    "exception:",
    "at java.",
    "at com.",
    ".java:",
    "Traceback (most recent",
    "SQLSTATE",
    "ORA-0",
    "System.NullReference",
    "   at System.",
    "goroutine 1",
    "node_modules",
    "stack trace",
];

impl Heard {
    /// The outer object.
    pub(crate) fn envelope(&self) -> Result<Value, Fault> {
        match serde_json::from_str::<Value>(&self.text) {
            Ok(value @ Value::Object(_)) => Ok(value),
            _ => failed(format!("应答不是 JSON 对象（HTTP {}）", self.status)),
        }
    }

    /// 响应协议码.
    pub(crate) fn code(&self) -> Result<String, Fault> {
        let envelope = self.envelope()?;
        match envelope.get("respCode").and_then(Value::as_str) {
            Some(code) => Ok(code.to_owned()),
            None => failed("应答缺少 respCode"),
        }
    }

    /// The answer opened: sealed, signed over respCode and respMsg, successful.
    pub(crate) fn opened(&self, secret: &Secret) -> Result<Opened, Fault> {
        let code = self.code()?;
        ensure(
            code == "000000",
            format!("应成功，却答复 respCode={}", short(&code)),
        )?;
        let envelope = match Envelope::parse(self.text.as_bytes()) {
            Ok(envelope) => envelope,
            Err(fault) => return failed(format!("应答的报文结构有误：{fault}")),
        };
        match envelope.open(secret, Environment::Production, Dialect::default()) {
            Ok(opened) => Ok(opened),
            Err(fault) => failed(format!(
                "应答打不开：{fault}（可用 banyan doctor 诊断该应答）"
            )),
        }
    }

    /// The business JSON of a successful answer.
    pub(crate) fn done(&self, secret: &Secret) -> Result<Value, Fault> {
        let Some(business) = self.opened(secret)?.business else {
            return failed("应答没有业务数据（encryptData）");
        };
        match serde_json::from_str(&business) {
            Ok(value @ Value::Object(_)) => Ok(value),
            _ => failed("应答的业务数据不是 JSON 对象"),
        }
    }

    /// Whether it is a refusal: a respCode other than 000000, or a status of its own.
    pub(crate) fn refused(&self) -> Checked {
        if (400..500).contains(&self.status) {
            return self.calm();
        }
        ensure(
            self.status < 500,
            format!("应拒绝，却答复 HTTP {}（服务器内部错误）", self.status),
        )?;
        let code = self.code()?;
        ensure(code != "000000", "应拒绝，却答复成功（respCode=000000）")?;
        self.calm()
    }

    /// Whether it is a refusal with this code.
    pub(crate) fn refused_with(&self, codes: &[&str]) -> Checked {
        let code = self.code()?;
        ensure(
            codes.contains(&code.as_str()),
            format!(
                "应答复 respCode={}，却是 {}",
                codes.join(" 或 "),
                short(&code)
            ),
        )?;
        self.calm()
    }

    /// Whether it shows nothing of a program's insides.
    pub(crate) fn calm(&self) -> Checked {
        match INSIDES.iter().find(|word| self.text.contains(**word)) {
            Some(word) => failed(format!("应答泄露程序内部信息（含有 {}）", word.trim())),
            None => Ok(()),
        }
    }

    /// Any answer but a failure of the server itself.
    pub(crate) fn no_crash(&self) -> Checked {
        ensure(
            self.status < 500,
            format!("答复 HTTP {}（服务器内部错误）", self.status),
        )?;
        self.calm()
    }
}

/// What a partner says is repeated in a report, but not without end.
pub(crate) fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}
