//! The receiving side of the provincial envelope, as a hospital has it: the platform is the caller.
//!
//! A call is opened under the account that it names, its clock is looked at leniently, and the
//! answer goes back in the caller's own manner. The platform's own receiving side, which guards
//! against replays and knows thousands of partners, is `banyan-platform`'s.

use std::fmt;

use super::{
    Dialect, Envelope, EnvelopeFault, Environment, INTERFACE_VERSION, Manner, Outcome, Sealing,
    Secret, SecretTooShort,
};
use crate::result_code::ResultCode;
use crate::wire::FieldFault;

/// A partner's credentials; its secret never shows.
#[derive(Clone)]
pub struct Account {
    /// 应用 ID.
    pub app_id: String,
    /// 密钥.
    pub secret: Secret,
}

/// A secret that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret of {app_id} is no secret: {reason}")]
pub struct BadAccount {
    /// 应用 ID.
    pub app_id: String,
    /// Why.
    pub reason: SecretTooShort,
}

impl Account {
    /// With the secret expanded once.
    ///
    /// # Errors
    /// Where the secret is shorter than 16 bytes.
    pub fn new(app_id: &str, secret: &str) -> Result<Self, BadAccount> {
        let secret = Secret::parse(secret).map_err(|reason| BadAccount {
            app_id: app_id.to_owned(),
            reason,
        })?;
        Ok(Self {
            app_id: app_id.to_owned(),
            secret,
        })
    }

    /// The account that signs wrongly what it encrypts rightly: only the first 16 bytes of a
    /// secret encrypt, all of them sign.
    #[must_use]
    pub fn forging(&self) -> Option<Self> {
        let secret = format!("{}-forged", self.secret.expose());
        Self::new(&self.app_id, &secret).ok()
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("app_id", &self.app_id)
            .finish_non_exhaustive()
    }
}

/// A hospital does not guard against replays, it is only wary of a clock that is far off.
const LENIENT_SKEW_MS: u64 = 3_600_000;

/// A call that was opened.
pub struct OpenedCall<'a> {
    /// Whose secret opened it.
    pub account: &'a Account,
    /// The business JSON.
    pub business: String,
    manner: Manner,
    version: String,
}

/// Why a call is not answered with what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// 响应协议码.
    pub code: ResultCode,
    /// 响应说明, in Chinese.
    pub message: String,
}

impl Refusal {
    /// With this code and message.
    #[must_use]
    pub fn new(code: ResultCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// Unsigned, because the caller is not known or did not make itself understood.
    #[must_use]
    pub fn unsigned(&self) -> String {
        serde_json::json!({
            "respCode": self.code.code(),
            "respMsg": self.message,
            "version": INTERFACE_VERSION,
        })
        .to_string()
    }
}

/// Opens a call for whoever `find` says its appId is; `find` gets an empty text where the message
/// names none (the guide's plain examples do not).
///
/// # Errors
/// The refusal to answer with, unsigned.
pub fn open_call<'a>(
    body: &[u8],
    find: impl FnOnce(&str) -> Option<&'a Account>,
    environment: Environment,
    now_ms: i64,
) -> Result<OpenedCall<'a>, Refusal> {
    let unfit = |fault: FieldFault| Refusal::new(ResultCode::BadParameter, fault.to_string());
    let envelope = Envelope::parse(body).map_err(unfit)?;
    let account = find(envelope.get("appId").unwrap_or_default())
        .ok_or_else(|| Refusal::new(ResultCode::UnknownApp, ResultCode::UnknownApp.label()))?;
    let opened = envelope
        .open(&account.secret, environment, Dialect::default())
        .map_err(|fault| {
            let code = match fault {
                EnvelopeFault::Malformed(_) => ResultCode::BadParameter,
                EnvelopeFault::Undecryptable(_) => ResultCode::CipherFailure,
                EnvelopeFault::BadSignature => ResultCode::BadSignature,
            };
            Refusal::new(code, fault.to_string())
        })?;
    let sent_ms: Option<i64> = envelope.get("timestamp").and_then(|text| text.parse().ok());
    if sent_ms.is_some_and(|sent_ms| sent_ms.abs_diff(now_ms) > LENIENT_SKEW_MS) {
        return Err(Refusal::new(
            ResultCode::Replay,
            "timestamp 与本机时间相差超过一小时",
        ));
    }
    let business = opened
        .business
        .ok_or_else(|| Refusal::new(ResultCode::BadParameter, "没有业务数据"))?;
    Ok(OpenedCall {
        account,
        business,
        manner: opened.manner,
        version: envelope
            .get("version")
            .unwrap_or(INTERFACE_VERSION)
            .to_owned(),
    })
}

impl OpenedCall<'_> {
    /// The sealed answer, in the caller's own manner.
    #[must_use]
    pub fn success(&self, business: &str, now_ms: i64) -> String {
        self.success_as(self.account, self.manner, business, now_ms)
    }

    /// The answer of another account, or in another manner.
    #[must_use]
    pub fn success_as(
        &self,
        account: &Account,
        manner: Manner,
        business: &str,
        now_ms: i64,
    ) -> String {
        let outcome = Outcome {
            code: ResultCode::Success,
            message: ResultCode::Success.label(),
        };
        self.seal(account, manner, outcome, Some(business), now_ms)
    }

    /// The signed refusal.
    #[must_use]
    pub fn refused(&self, refusal: &Refusal, now_ms: i64) -> String {
        let outcome = Outcome {
            code: refusal.code,
            message: &refusal.message,
        };
        self.seal(self.account, self.manner, outcome, None, now_ms)
    }

    fn seal(
        &self,
        account: &Account,
        manner: Manner,
        outcome: Outcome<'_>,
        business: Option<&str>,
        timestamp_ms: i64,
    ) -> String {
        let sealing = Sealing {
            app_id: &account.app_id,
            version: &self.version,
            timestamp_ms,
            outcome: Some(outcome),
            business,
            manner,
        };
        sealing.seal(&account.secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(app_id: &str) -> Account {
        Account::new(app_id, &format!("the-secret-of-{app_id}")).unwrap()
    }

    const NOW_MS: i64 = 1_700_000_000_000;

    fn open_at(now_ms: i64) -> Result<String, &'static str> {
        let us = account("H1");
        let sealed = Sealing::call("H1", NOW_MS, r#"{"a":1}"#).seal(&us.secret);
        let opened = open_call(
            sealed.as_bytes(),
            |id| (id == "H1").then_some(&us),
            Environment::Production,
            now_ms,
        );
        opened
            .map(|call| call.business)
            .map_err(|refusal| refusal.code.code())
    }

    #[test]
    fn a_clock_may_be_off_by_an_hour_and_no_more() {
        for (skew_ms, expected) in [
            (0, Ok(r#"{"a":1}"#.to_owned())),
            (3_600_000, Ok(r#"{"a":1}"#.to_owned())),
            (3_600_001, Err("010010")),
            (-3_600_001, Err("010010")),
        ] {
            assert_eq!(open_at(NOW_MS + skew_ms), expected);
        }
    }

    #[test]
    fn what_does_not_open_is_refused_with_the_code_that_says_why() {
        let us = account("H1");
        let sealed = |account: &Account| {
            Sealing::call(&account.app_id, NOW_MS, r#"{"a":1}"#).seal(&account.secret)
        };
        let forging = us.forging().unwrap();
        for (message, code) in [
            ("<html>".to_owned(), "000105"),
            (sealed(&account("H2")), "000001"),
            (sealed(&forging), "000102"),
        ] {
            let find = |id: &str| (id == "H1").then_some(&us);
            let refusal = open_call(message.as_bytes(), find, Environment::Production, NOW_MS)
                .err()
                .unwrap();
            assert_eq!(refusal.code.code(), code);
            assert!(refusal.unsigned().contains(code));
        }
    }

    #[test]
    fn a_short_secret_is_none_and_none_shows() {
        assert!(Account::new("H1", "fifteen letters").is_err());
        assert!(!format!("{:?}", account("H1")).contains("the-secret"));
    }
}
