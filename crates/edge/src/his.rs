//! The hospital's own system, where it can be asked how a debt stands (院内待缴费结果, access guide
//! 3.2.5.3).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use banyan_client::{CallFault, ClientSetupError, HostGuard, HttpClient, HttpSettings};
use banyan_protocol::dictionaries::ItemState;
use bytes::Bytes;
use url::Url;

use crate::settings::{Checked, Settings};

/// Where the HIS answers, if it does.
pub(crate) struct His {
    http: HttpClient,
    settlement: Option<Url>,
    key: Option<String>,
    trouble: Mutex<Option<String>>,
}

/// What the HIS says of a debt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// It stands so.
    State(ItemState),
    /// It has no such debt.
    Unknown,
}

/// A HIS that takes longer keeps a citizen waiting at his page.
const TIMEOUT: Duration = Duration::from_secs(5);

impl His {
    pub(crate) fn new(settings: &Settings, checked: &Checked) -> Result<Self, ClientSetupError> {
        Ok(Self {
            http: HttpClient::new(&HttpSettings {
                call_timeout: TIMEOUT,
                max_reply_bytes: 64 * 1024,
                extra_ca_file: settings.sending.extra_ca_file.clone(),
                ..HttpSettings::default()
            })?,
            settlement: checked.settlement.clone(),
            key: settings
                .his
                .settlement_key
                .as_ref()
                .map(|key| key.0.clone()),
            trouble: Mutex::default(),
        })
    }

    /// Asks how a debt stands; `None` where there is nobody to ask.
    ///
    /// # Errors
    /// In Chinese, for the operator: no usable answer.
    pub(crate) async fn settlement(&self, org_trace_id: &str) -> Option<Result<Word, String>> {
        let url = self.settlement.as_ref()?;
        let outcome = self.ask(url, org_trace_id).await;
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) =
            outcome.as_ref().err().cloned();
        Some(outcome)
    }

    /// Whether there is anybody to ask.
    pub(crate) const fn is_set(&self) -> bool {
        self.settlement.is_some()
    }

    /// What the last question failed at.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn ask(&self, url: &Url, org_trace_id: &str) -> Result<Word, String> {
        let body = serde_json::json!({ "orgTraceId": org_trace_id }).to_string();
        let reply = self
            .http
            .post_with_key(
                url,
                Bytes::from(body),
                self.key.as_deref(),
                &HostGuard::Anywhere,
            )
            .await
            .map_err(|fault: CallFault| format!("院内系统未应答：{fault}"))?;
        if reply.status == 404 {
            return Ok(Word::Unknown);
        }
        if !(200..300).contains(&reply.status) {
            return Err(format!("院内系统返回 HTTP {}", reply.status));
        }
        let said: serde_json::Value = serde_json::from_slice(&reply.body)
            .map_err(|_| "院内系统的应答不是 JSON".to_owned())?;
        let state = said.get("state").and_then(|state| match state {
            serde_json::Value::String(code) => ItemState::from_code(code),
            serde_json::Value::Number(number) => ItemState::from_code(&number.to_string()),
            _ => None,
        });
        state
            .map(Word::State)
            .ok_or_else(|| "院内系统的应答没有 state（0 欠费、1 已缴清、2 撤销）".to_owned())
    }
}
