//! A partner that calls, with nothing but its credentials and JSON.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use banyan_client::{CallFault, Credentials, HostGuard, HttpClient, HttpSettings, call};
use banyan_protocol::ambient::{Clock, SystemClock};
use banyan_protocol::catalogue::{Interface, Route};
use banyan_protocol::envelope::{AcceptedReplies, Answer, Manner, Secret};
use banyan_sandbox::Citizen;
use serde_json::{Value, json};

/// A registered partner.
#[derive(Clone)]
pub(crate) struct Partner {
    pub(crate) org_id: String,
    pub(crate) app_id: String,
    pub(crate) secret: String,
    credentials: Credentials,
    http: HttpClient,
    clock: Arc<Ticking>,
}

/// An answer to a call: the business JSON, or code and message of the refusal.
pub(crate) type Answered = Result<Value, (String, String)>;

impl Partner {
    pub(crate) fn new(org_id: &str, app_id: &str, secret: &str) -> Self {
        let settings = HttpSettings {
            call_timeout: Duration::from_secs(30),
            ..HttpSettings::default()
        };
        Self::with(org_id, app_id, secret, &settings)
    }

    pub(crate) fn with(org_id: &str, app_id: &str, secret: &str, http: &HttpSettings) -> Self {
        Self {
            org_id: org_id.to_owned(),
            app_id: app_id.to_owned(),
            secret: secret.to_owned(),
            credentials: Credentials {
                app_id: app_id.into(),
                secret: Arc::new(Secret::parse(secret).unwrap()),
                accepted: AcceptedReplies {
                    plain_and_bare: false,
                },
                manner: Manner::SEALED,
            },
            http: HttpClient::new(http).unwrap(),
            clock: Arc::default(),
        }
    }

    /// Calls an interface of the platform at this address.
    pub(crate) async fn call(
        &self,
        platform: &str,
        interface: Interface,
        business: &Value,
    ) -> Result<Answered, CallFault> {
        let url = format!("{platform}{}", path(interface)).parse().unwrap();
        let business = business.to_string();
        let (http, credentials) = (&self.http, &self.credentials);
        let guard = HostGuard::Anywhere;
        let answer = call(http, &url, &guard, credentials, &*self.clock, &business).await?;
        Ok(match answer {
            Answer::Done(json) => Ok(serde_json::from_str(&json).unwrap()),
            Answer::Refused { code, message } => Err((code, message)),
        })
    }

    /// Calls and must succeed.
    pub(crate) async fn ask(
        &self,
        platform: &str,
        interface: Interface,
        business: &Value,
    ) -> Value {
        let answered = self.call(platform, interface, business).await;
        answered.unwrap().unwrap()
    }

    /// A report of one person's items (ORG_MDL_001); each item is called by its own number.
    pub(crate) fn report(
        &self,
        batch: &str,
        notify_url: &str,
        citizen: &Citizen,
        items: &[String],
    ) -> Value {
        let items: Vec<Value> = items
            .iter()
            .map(|number| {
                json!({
                    "orgTraceId": number, "medType": "11", "feeType": "01", "itemName": number,
                    "amount": "12.30", "actualTime": "2025-11-21 08:30:00",
                })
            })
            .collect();
        json!({
            "orgId": self.org_id, "orgName": "崩溃测试医院", "notifyUrl": notify_url,
            "orgRequestId": batch,
            "unsettleList": [{
                "idNo": citizen.id_no, "idType": citizen.id_type, "userName": citizen.user_name,
                "ehealthCardId": citizen.ehealth_card_id, "mobilePhone": citizen.mobile_phone,
                "userType": "01", "itemList": items,
            }],
        })
    }

    /// Whether and how a batch was judged (ORG_MDL_005): `None` as long as it was not.
    pub(crate) async fn outcome(&self, platform: &str, batch: &str) -> Option<Value> {
        let about = json!({ "orgId": self.org_id, "orgRequestId": batch });
        let reply = self.call(platform, Interface::OrgMdl005, &about).await;
        let reply = reply.unwrap().unwrap();
        (reply["extData"]["batchState"] == "judged").then_some(reply)
    }

    /// What this person owes here (ORG_MDL_002).
    pub(crate) fn query(&self, citizen: &Citizen) -> Value {
        json!({
            "orgId": self.org_id, "businessType": "01101", "idNo": citizen.id_no,
            "idType": citizen.id_type, "userName": citizen.user_name,
            "ehealthCardId": citizen.ehealth_card_id,
        })
    }
}

/// Real time, but never the same millisecond twice: the same question asked twice within one would
/// carry the same signature, which is a replay.
#[derive(Debug, Default)]
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now_ms(&self) -> i64 {
        let now_ms = SystemClock.now_ms();
        let next = |last: i64| Some(now_ms.max(last + 1));
        let last = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        last.map_or(now_ms, |last| now_ms.max(last + 1))
    }
}

/// Where the platform answers an interface.
pub(crate) fn path(interface: Interface) -> &'static str {
    match interface.spec().route {
        Route::Path(path) => path,
        _ => panic!("{interface:?} has no path"),
    }
}

/// The items of an outcome: the hospital's number, the platform's, and the state.
pub(crate) fn items(outcome: &Value) -> Vec<(String, String, String)> {
    let persons = outcome["reportResultList"].as_array().unwrap().iter();
    let items = persons.flat_map(|person| person["itemList"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    items
        .map(|item| {
            (
                text(&item["orgTraceId"]),
                text(&item["traceId"]),
                text(&item["state"]),
            )
        })
        .collect()
}
