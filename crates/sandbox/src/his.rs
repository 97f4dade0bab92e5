//! A simulated HIS behind an edge: it speaks plain JSON and leaves the rest to the edge.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use banyan_client::{CallFault, HostGuard, HttpClient};
use banyan_protocol::ambient::SharedClock;
use bytes::Bytes;
use serde_json::{Value, json};
use url::Url;

use banyan_protocol::wire::Scalar as _;

use crate::{Citizen, Debt, PartnerFault};

/// A HIS, and what it remembers of what it reported.
pub struct SimulatedHis {
    org_id: String,
    edge: Url,
    key: String,
    clock: SharedClock,
    http: HttpClient,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    /// 机构跟踪号 of debts that are not paid, oldest first.
    traces: VecDeque<String>,
    named: u64,
}

impl SimulatedHis {
    /// A HIS of this hospital, beside this edge.
    #[must_use]
    pub fn new(org_id: &str, edge: Url, key: &str, clock: SharedClock, http: HttpClient) -> Self {
        Self {
            org_id: org_id.to_owned(),
            edge,
            key: key.to_owned(),
            clock,
            http,
            open: Mutex::default(),
        }
    }

    /// 机构 id.
    #[must_use]
    pub fn org_id(&self) -> &str {
        &self.org_id
    }

    /// How many debts it knows to be unpaid.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.open_now().traces.len()
    }

    /// Reports a debt; gives its 机构跟踪号.
    ///
    /// # Errors
    /// See [`PartnerFault`].
    pub async fn report(
        &self,
        citizen: Option<&Citizen>,
        debt: &Debt,
    ) -> Result<String, PartnerFault> {
        let trace = {
            let mut open = self.open_now();
            open.named += 1;
            format!("HIS{:x}-{}", self.clock.now_ms(), open.named)
        };
        let mut row = json!({
            "userType": debt.user_type.code(),
            "orgTraceId": trace,
            "medType": debt.med_type.code(),
            "feeType": debt.fee_type.code(),
            "itemName": debt.item_name.as_str(),
            "amount": debt.amount.render(),
            "actualTime": debt.actual_time.render(),
        });
        if let Some(citizen) = citizen {
            row["idType"] = citizen.id_type.as_str().into();
            row["idNo"] = citizen.id_no.as_str().into();
            row["userName"] = citizen.user_name.as_str().into();
            row["ehealthCardId"] = citizen.ehealth_card_id.as_str().into();
        }
        self.post("/v1/overdue/report", &json!({ "items": [row] }))
            .await?;
        self.open_now().traces.push_back(trace.clone());
        Ok(trace)
    }

    /// The patient of the oldest debt pays; `false` where nobody owes anything.
    ///
    /// # Errors
    /// See [`PartnerFault`].
    pub async fn settle_oldest(&self) -> Result<bool, PartnerFault> {
        let Some(trace) = self.open_now().traces.pop_front() else {
            return Ok(false);
        };
        let body = json!({ "items": [{ "orgTraceId": trace }] });
        let settled = self.post("/v1/overdue/settle", &body).await;
        if settled.as_ref().is_err_and(PartnerFault::is_retryable) {
            self.open_now().traces.push_front(trace);
        }
        settled.map(|_| true)
    }

    /// Whether the patient may be treated first and pay later.
    ///
    /// # Errors
    /// See [`PartnerFault`].
    pub async fn query(&self, citizen: &Citizen) -> Result<Value, PartnerFault> {
        let body = json!({
            "idType": citizen.id_type,
            "idNo": citizen.id_no,
            "userName": citizen.user_name,
            "ehealthCardId": citizen.ehealth_card_id,
        });
        self.post("/v1/overdue/query", &body).await
    }

    /// Any of the edge's paths; gives `data`.
    ///
    /// # Errors
    /// `Refused` where the edge says anything but 000000.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, PartnerFault> {
        let mut url = self.edge.clone();
        url.set_path(path);
        let body = Bytes::from(body.to_string());
        let reply = self
            .http
            .post_with_key(&url, body, Some(&self.key), &HostGuard::Anywhere)
            .await?;
        let mut said: Value =
            serde_json::from_slice(&reply.body).map_err(|_| CallFault::Status {
                status: reply.status,
            })?;
        let code = said["respCode"].as_str().unwrap_or_default().to_owned();
        if code != "000000" {
            let message = said["respMsg"].as_str().unwrap_or_default().to_owned();
            return Err(CallFault::Refused { code, message }.into());
        }
        Ok(said["data"].take())
    }

    fn open_now(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SimulatedHis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedHis")
            .field("org_id", &self.org_id)
            .field("edge", &self.edge.as_str())
            .finish_non_exhaustive()
    }
}
