//! A receiver of callbacks that does nothing but count: for benchmarks and crash tests, where it
//! stands for hundreds of hospitals at once.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use banyan_protocol::ambient::SharedClock;
use banyan_protocol::result_code::ResultCode;
use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::watch;
use url::Url;

use crate::Account;
use crate::http_server::{Answering, HttpServer, Reply, until};
use banyan_protocol::envelope::{Environment, Refusal, open_call};

/// Takes ORG_002 for many partners, at any path, and acknowledges it.
#[derive(Debug)]
pub struct CallbackReceiver {
    server: HttpServer,
    url: Url,
    counting: Arc<Counting>,
}

/// What became known of one notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// How often it came.
    pub deliveries: u32,
    /// 应用 ID of whom it was for.
    pub app_id: String,
    /// The batch that it is about.
    pub org_request_id: Option<String>,
}

struct Counting {
    accounts: HashMap<String, Account>,
    clock: SharedClock,
    hanging: watch::Sender<bool>,
    told: Mutex<HashMap<String, Told>>,
    /// How many different notifications came, for whoever waits.
    distinct: watch::Sender<usize>,
    deliveries: AtomicU64,
    refused: AtomicU64,
}

impl CallbackReceiver {
    /// Listens; port 0 takes a free one.
    ///
    /// # Errors
    /// Where it can't listen there.
    pub async fn start(
        listen: SocketAddr,
        accounts: impl IntoIterator<Item = Account>,
        clock: SharedClock,
    ) -> io::Result<Self> {
        let accounts = accounts.into_iter();
        let counting = Arc::new(Counting {
            accounts: accounts
                .map(|account| (account.app_id.clone(), account))
                .collect(),
            clock,
            hanging: watch::Sender::new(false),
            told: Mutex::default(),
            distinct: watch::Sender::new(0),
            deliveries: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        let server = HttpServer::start(listen, Arc::clone(&counting)).await?;
        let url = server.url("/umdl/callback").map_err(io::Error::other)?;
        Ok(Self {
            server,
            url,
            counting,
        })
    }

    /// Where callbacks go, the same for all partners.
    #[must_use]
    pub const fn callback_url(&self) -> &Url {
        &self.url
    }

    /// Lets every request wait without an answer, or not any longer. Hanging ones are counted,
    /// and their connections end when the hanging does.
    pub fn set_hanging(&self, hanging: bool) {
        self.counting.hanging.send_replace(hanging);
    }

    /// How many notifications came in all, repetitions included.
    #[must_use]
    pub fn deliveries(&self) -> u64 {
        self.counting.deliveries.load(Ordering::Relaxed)
    }

    /// How many requests did not open.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.counting.refused.load(Ordering::Relaxed)
    }

    /// How many different notifications came.
    #[must_use]
    pub fn distinct(&self) -> usize {
        *self.counting.distinct.borrow()
    }

    /// Everything that came, by notifyId.
    #[must_use]
    pub fn told(&self) -> HashMap<String, Told> {
        self.counting.told().clone()
    }

    /// Waits until so many different notifications came; `false` where they did not in time.
    pub async fn wait_for_distinct(&self, count: usize, timeout: Duration) -> bool {
        let mut distinct = self.counting.distinct.subscribe();
        let waiting = distinct.wait_for(|distinct| *distinct >= count);
        matches!(tokio::time::timeout(timeout, waiting).await, Ok(Ok(_)))
    }

    /// Stops listening; what was counted stays.
    pub async fn stop(&self) {
        self.server.stop().await;
    }
}

/// What the counting needs of an ORG_002; the rest is skipped unread.
#[derive(Deserialize)]
struct Notification {
    #[serde(rename = "extData", default)]
    ext_data: Option<Marks>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Marks {
    notify_id: Option<String>,
    org_request_id: Option<String>,
}

impl Counting {
    fn told(&self) -> MutexGuard<'_, HashMap<String, Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, body: &[u8]) -> Result<String, Refusal> {
        let now_ms = self.clock.now_ms();
        let call = open_call(
            body,
            |app_id| self.accounts.get(app_id),
            Environment::Test,
            now_ms,
        )?;
        let marks = serde_json::from_str(&call.business)
            .ok()
            .and_then(|notification: Notification| notification.ext_data)
            .unwrap_or_default();
        let Some(notify_id) = marks.notify_id else {
            let refusal = Refusal::new(ResultCode::BadParameter, "extData.notifyId：不可缺少");
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Ok(call.refused(&refusal, now_ms));
        };
        self.count(notify_id, &call.account.app_id, marks.org_request_id);
        Ok(call.success(r#"{"state":"success"}"#, now_ms))
    }

    fn count(&self, notify_id: String, app_id: &str, org_request_id: Option<String>) {
        self.deliveries.fetch_add(1, Ordering::Relaxed);
        let mut told = self.told();
        let entry = told.entry(notify_id).or_insert_with(|| Told {
            deliveries: 0,
            app_id: app_id.to_owned(),
            org_request_id,
        });
        entry.deliveries += 1;
        if entry.deliveries == 1 {
            self.distinct.send_replace(told.len());
        }
    }
}

impl Answering for Counting {
    async fn answer(&self, _path: &str, body: Bytes) -> Reply {
        let taken = self.take(&body);
        if *self.hanging.borrow() {
            until(self.hanging.subscribe(), |hanging| !hanging).await;
            return Reply::Close;
        }
        Reply::ok(taken.unwrap_or_else(|refusal| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            refusal.unsigned()
        }))
    }
}

impl fmt::Debug for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counting")
            .field("accounts", &self.accounts.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use banyan_client::CallFault;
    use banyan_protocol::dictionaries::Receipt;

    use super::*;
    use crate::testing::{account, clock, http, loopback, notification, notify};

    const TIMEOUT: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn every_delivery_counts_and_every_notification_once() {
        let accounts = [account("app-1"), account("app-2")];
        let receiver = CallbackReceiver::start(loopback(), accounts, clock())
            .await
            .unwrap();
        let http = http(TIMEOUT);
        let url = receiver.callback_url();
        for (app_id, notify_id) in [("app-1", "n1"), ("app-1", "n1"), ("app-2", "n2")] {
            let request = notification(notify_id, "batch-1", &[]);
            let reply = notify(&http, url, &account(app_id), &request)
                .await
                .unwrap();
            assert_eq!(reply.state, Receipt::Success);
        }
        assert_eq!((receiver.deliveries(), receiver.distinct()), (3, 2));
        let told = receiver.told();
        assert_eq!(told["n1"].deliveries, 2);
        assert_eq!(told["n2"].app_id, "app-2");
        assert_eq!(told["n2"].org_request_id.as_deref(), Some("batch-1"));

        let stranger = notify(&http, url, &account("app-3"), &notification("n3", "b", &[])).await;
        assert!(matches!(stranger, Err(CallFault::Refused { code, .. }) if code == "000001"));
        assert_eq!(receiver.refused(), 1);

        receiver.set_hanging(true);
        let request = notification("n4", "batch-2", &[]);
        let hung = notify(&http, url, &account("app-1"), &request).await;
        assert_eq!(hung.unwrap_err(), CallFault::Timeout);
        receiver.set_hanging(false);
        notify(&http, url, &account("app-1"), &request)
            .await
            .unwrap();
        assert!(receiver.wait_for_distinct(3, TIMEOUT).await);
        assert!(
            !receiver
                .wait_for_distinct(4, Duration::from_millis(10))
                .await
        );
        assert_eq!(receiver.told()["n4"].deliveries, 2);

        receiver.stop().await;
        let gone = notify(&http, url, &account("app-1"), &request).await;
        assert!(matches!(gone, Err(CallFault::Connect(_))));
    }
}
