//! What judging a batch came to, as it is kept beside the batch. No personal data: records by
//! their ids, rejected items by the hospital's own number.

use banyan_store::db::StoreError;
use banyan_store::ids::ItemId;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The outcome of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// The records that were taken, in the order of the message.
    items: Vec<i64>,
    /// The items that were not.
    pub(super) errors: Vec<Rejected>,
}

/// An item that was judged bad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rejected {
    /// 机构跟踪号.
    pub(super) org_trace_id: String,
    /// Why, in Chinese, for the hospital.
    pub(super) reason: String,
}

impl Outcome {
    pub(super) fn take(&mut self, item: ItemId) {
        self.items.push(item.0);
    }

    pub(super) fn reject(&mut self, org_trace_id: &str, reason: impl Into<String>) {
        self.errors.push(Rejected {
            org_trace_id: org_trace_id.to_owned(),
            reason: reason.into(),
        });
    }

    pub(super) fn items(&self) -> Vec<ItemId> {
        self.items.iter().copied().map(ItemId).collect()
    }

    pub(super) fn counts(&self) -> (usize, usize) {
        (self.items.len(), self.errors.len())
    }

    pub(super) fn errors_json(&self) -> serde_json::Value {
        json!(self.errors)
    }

    pub(super) fn write(&self) -> String {
        json!(self).to_string()
    }

    pub(super) fn read(text: &str) -> Result<Self, StoreError> {
        serde_json::from_str(text)
            .map_err(|error| StoreError::Corrupt(format!("overdue_batch.outcome: {error}")))
    }
}
