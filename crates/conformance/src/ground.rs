//! The ground on which cases are played: where the other side is, and how messages are made,
//! rightly or wrongly.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use banyan_client::{CallFault, ClientSetupError, HostGuard, HttpClient, HttpSettings, Oddity};
use banyan_protocol::ambient::{SharedClock, SharedRandomness};
use banyan_protocol::catalogue::{Interface, Route};
use banyan_protocol::envelope::{Dialect, Manner, Sealing, Secret, SecretTooShort, SignedAs};
use bytes::Bytes;
use serde_json::{Map, Value};
use url::Url;

use crate::heard::{Fault, Heard, failed};

/// Whom to test, and as whom.
#[derive(Clone)]
pub struct Target {
    pub(crate) url: Url,
    pub(crate) app_id: String,
    pub(crate) secret: Secret,
    pub(crate) org_id: String,
    pub(crate) clock: SharedClock,
    pub(crate) random: SharedRandomness,
    http: HttpClient,
    /// The timestamp of the last message: two equal messages in one millisecond would be the same
    /// message, which a replay guard rightly refuses.
    last_ms: Arc<AtomicI64>,
}

/// Why there is nothing to test.
#[derive(Debug, thiserror::Error)]
pub enum BadTarget {
    /// The secret is none.
    #[error("密钥至少 16 位")]
    Secret(#[from] SecretTooShort),
    /// There is no HTTP client.
    #[error("{0}")]
    Client(#[from] ClientSetupError),
    /// It is not there.
    #[error("连接不上 {url}：{fault}")]
    Unreached {
        /// Where.
        url: Box<Url>,
        /// Why, as the client has it.
        fault: Box<CallFault>,
    },
}

/// An answer that comes later is no answer: the platform waits as long.
const PATIENCE: Duration = Duration::from_secs(10);

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

/// Changes a sealed message before it is sent.
pub(crate) type Tamper = fn(&mut Map<String, Value>);

impl Target {
    /// The other side at this base address, to which the paths of the interfaces are appended.
    ///
    /// # Errors
    /// See [`BadTarget`].
    pub fn new(
        url: Url,
        (app_id, secret): (&str, &str),
        org_id: &str,
        clock: SharedClock,
        random: SharedRandomness,
    ) -> Result<Self, BadTarget> {
        let settings = HttpSettings {
            call_timeout: PATIENCE,
            ..HttpSettings::default()
        };
        Ok(Self {
            url,
            app_id: app_id.to_owned(),
            secret: Secret::parse(secret)?,
            org_id: org_id.to_owned(),
            clock,
            random,
            http: HttpClient::new(&settings)?,
            last_ms: Arc::default(),
        })
    }

    /// The same with less patience: a test of a hospital that never answers need not wait long.
    #[cfg(test)]
    pub(crate) fn with_patience(self, patience: Duration) -> Self {
        let settings = HttpSettings {
            call_timeout: patience,
            ..HttpSettings::default()
        };
        Self {
            http: HttpClient::new(&settings).unwrap(),
            ..self
        }
    }

    /// The present moment, or the one after the last message's.
    fn moment_ms(&self) -> i64 {
        let now_ms = self.clock.now_ms();
        let before = self
            .last_ms
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last_ms| {
                Some(now_ms.max(last_ms + 1))
            });
        before.map_or(now_ms, |last_ms| now_ms.max(last_ms + 1))
    }

    /// Whether anybody is there at all.
    pub(crate) async fn reach(&self) -> Result<(), BadTarget> {
        let sent = self
            .http
            .post(&self.url, Bytes::from_static(b"{}"), &HostGuard::Anywhere);
        match sent.await {
            Err(fault @ (CallFault::Connect(_) | CallFault::Tls(_) | CallFault::Forbidden(_))) => {
                Err(BadTarget::Unreached {
                    url: Box::new(self.url.clone()),
                    fault: Box::new(fault),
                })
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        url
    }

    /// A fresh number, so that no two runs ever meet.
    pub(crate) fn number(&self, prefix: &str) -> String {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        format!("{prefix}{:016x}", u64::from_be_bytes(bytes))
    }

    /// The message in the guide's own manner.
    pub(crate) fn seal(&self, business: &str) -> String {
        self.seal_at(business, self.moment_ms())
    }

    pub(crate) fn seal_at(&self, business: &str, timestamp_ms: i64) -> String {
        Sealing::call(&self.app_id, timestamp_ms, business).seal(&self.secret)
    }

    /// The message signed as `data`.
    pub(crate) fn seal_as_data(&self, business: &str) -> String {
        let dialect = Dialect {
            signed_as: SignedAs::Data,
            ..Dialect::default()
        };
        let sealing = Sealing {
            manner: Manner {
                dialect,
                ..Manner::SEALED
            },
            ..Sealing::call(&self.app_id, self.moment_ms(), business)
        };
        sealing.seal(&self.secret)
    }

    /// The message changed after it was sealed.
    pub(crate) fn tampered(&self, business: &str, tamper: Tamper) -> String {
        let sealed = self.seal(business);
        match serde_json::from_str::<Map<String, Value>>(&sealed) {
            Ok(mut members) => {
                tamper(&mut members);
                Value::Object(members).to_string()
            }
            Err(_) => sealed,
        }
    }

    /// The message under another secret that begins like ours, or not.
    pub(crate) fn forged(&self, business: &str, same_key: bool) -> String {
        let ours = self.secret.expose();
        let first: String = ours.chars().take(16).collect();
        let other = if same_key {
            format!("{first}-another-end-of-it")
        } else {
            "another-secret-altogether-000000".to_owned()
        };
        let other = Secret::parse(&other).unwrap_or_else(|_| self.secret.clone());
        Sealing::call(&self.app_id, self.moment_ms(), business).seal(&other)
    }

    /// Posts a message.
    pub(crate) async fn post(&self, path: &str, message: String) -> Result<Heard, Fault> {
        let url = self.at(path);
        let sent = self.http.post(&url, message.into(), &HostGuard::Anywhere);
        heard(sent.await)
    }

    /// Sends a message otherwise than messages are sent.
    pub(crate) async fn send(
        &self,
        oddity: Oddity,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Heard, Fault> {
        let (url, body) = (self.at(path), Bytes::from(body));
        let send = || {
            let guard = &HostGuard::Anywhere;
            self.http.send_oddly(oddity, &url, body.clone(), guard)
        };
        let mut sent = send().await;
        let broke = |fault: &CallFault| !matches!(fault, CallFault::Timeout | CallFault::TooLarge);
        if sent.as_ref().is_err_and(broke) {
            // The connection was kept from the case before, and its other end may have been closing
            // it, as after a body that was too large. That is nobody's fault; the next one is new.
            sent = send().await;
        }
        heard(sent)
    }

    /// Asks in the guide's own manner.
    pub(crate) async fn ask(&self, interface: Interface, business: &Value) -> Result<Heard, Fault> {
        self.post(path(interface), self.seal(&business.to_string()))
            .await
    }
}

fn heard(reply: Result<banyan_client::HttpReply, CallFault>) -> Result<Heard, Fault> {
    match reply {
        Ok(reply) => Ok(Heard {
            status: reply.status,
            text: String::from_utf8_lossy(&reply.body).into_owned(),
        }),
        Err(CallFault::Timeout) => failed("没有及时答复（平台等待 10 秒）"),
        Err(CallFault::TooLarge) => failed("答复超过 1 MiB"),
        Err(_) => failed("连接中断，没有答复"),
    }
}

/// Where an interface is called.
pub(crate) const fn path(interface: Interface) -> &'static str {
    match interface.spec().route {
        Route::Path(path) => path,
        Route::Funid | Route::TransType => "",
    }
}
