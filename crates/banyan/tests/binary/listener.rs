//! A receiver of callbacks that remembers every word, to hold repetitions against the first time.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use banyan_protocol::ambient::{Clock as _, SystemClock};
use banyan_protocol::envelope::{
    Dialect, Envelope, Environment, INTERFACE_VERSION, Outcome, Sealing, Secret,
};
use banyan_protocol::result_code::ResultCode;
use serde_json::Value;
use tokio::sync::watch;

use crate::partner::Partner;

/// Listens as long as the test's runtime lives.
pub(crate) struct Listener {
    /// Where callbacks go.
    pub(crate) url: String,
    heard: Arc<Heard>,
}

struct Heard {
    secrets: HashMap<String, Secret>,
    /// By appId and notifyId: the business messages, in the order of coming.
    notices: Mutex<BTreeMap<(String, String), Vec<Value>>>,
    /// Whether answers are held back.
    held: watch::Sender<bool>,
}

impl Listener {
    pub(crate) async fn start(partners: &[Partner]) -> Self {
        let heard = Arc::new(Heard {
            secrets: partners
                .iter()
                .map(|one| (one.app_id.clone(), Secret::parse(&one.secret).unwrap()))
                .collect(),
            notices: Mutex::default(),
            held: watch::Sender::new(false),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/umdl/callback", listener.local_addr().unwrap());
        let answering = Router::new().fallback(take).with_state(heard.clone());
        tokio::spawn(async move { axum::serve(listener, answering).await });
        Self { url, heard }
    }

    /// The deliveries of the notices about this batch, by their notifyId.
    pub(crate) fn about(&self, partner: &Partner, batch: &str) -> Vec<(String, Vec<Value>)> {
        let notices = self.heard.notices.lock().unwrap();
        notices
            .iter()
            .filter(|((app_id, _), told)| {
                *app_id == partner.app_id && told[0]["extData"]["orgRequestId"] == batch
            })
            .map(|((_, id), told)| (id.clone(), told.clone()))
            .collect()
    }

    /// Hears everything but answers nothing, or answers again.
    pub(crate) fn hold(&self, held: bool) {
        self.heard.held.send_replace(held);
    }

    /// How many deliveries came in all, and of how many notices.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let notices = self.heard.notices.lock().unwrap();
        (notices.values().map(Vec::len).sum(), notices.len())
    }
}

impl Heard {
    fn write_down(&self, notice: (String, String), business: Value) {
        let mut notices = self.notices.lock().unwrap();
        notices.entry(notice).or_default().push(business);
    }
}

/// Answers as a hospital does that has written down what it was told.
async fn take(State(heard): State<Arc<Heard>>, body: String) -> String {
    let envelope = Envelope::parse(body.as_bytes()).unwrap();
    let app_id = envelope.get("appId").unwrap();
    let secret = &heard.secrets[app_id];
    let opened = envelope
        .open(secret, Environment::Production, Dialect::default())
        .unwrap();
    let business: Value = serde_json::from_str(&opened.business.unwrap()).unwrap();
    let id = business["extData"]["notifyId"].as_str().unwrap().to_owned();
    heard.write_down((app_id.to_owned(), id), business);
    heard.held.subscribe().wait_for(|held| !held).await.unwrap();
    Sealing {
        app_id,
        version: INTERFACE_VERSION,
        timestamp_ms: SystemClock.now_ms(),
        outcome: Some(Outcome {
            code: ResultCode::Success,
            message: "成功",
        }),
        business: Some(r#"{"state":"success"}"#),
        manner: opened.manner,
    }
    .seal(secret)
}
