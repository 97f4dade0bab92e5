//! 结果回调通知 (ORG_002): what a hospital is told of a batch.

use banyan_protocol::dictionaries::NotifyType;
use banyan_protocol::overdue::org_002::NotifyRequest;
use banyan_protocol::wire::ExtData;
use banyan_store::db::StoreError;
use banyan_store::ids::{BatchId, JobId};
use banyan_store::overdue::batches::{self, BatchKind};
use serde_json::json;

use super::outcome::Outcome;
use super::results;
use crate::app::App;
use crate::directory::Partner;

/// A notice and where it goes.
#[derive(Debug)]
pub struct Notice {
    /// 回调通知地址, as the batch named it.
    pub url: String,
    /// 请求批次号.
    pub org_request_id: String,
    /// The message.
    pub request: NotifyRequest,
}

/// The notice of a judged batch, with its records as they stand now; `None` where the batch is
/// gone. `job` is the notice's own number, the same at every repetition.
///
/// # Errors
/// Any [`StoreError`].
pub async fn of_batch(
    app: &App,
    partner: &Partner,
    batch: BatchId,
    job: JobId,
) -> Result<Option<Notice>, StoreError> {
    let Some(batch) = batches::by_id(&app.db, batch).await? else {
        return Ok(None);
    };
    let outcome = match &batch.outcome {
        Some(outcome) => Outcome::read(outcome)?,
        None => return Ok(None),
    };
    let list = results::by_person(app, &outcome.items()).await?;
    let org_id = partner.org_id.as_deref().unwrap_or_default();
    let (notify_type, reports, updates) = match batch.kind {
        BatchKind::Report => (NotifyType::Report, list, Vec::new()),
        BatchKind::Update => (NotifyType::Update, Vec::new(), list),
    };
    let mut ext = serde_json::Map::new();
    ext.insert("notifyId".to_owned(), json!(job.to_string()));
    ext.insert("orgRequestId".to_owned(), json!(batch.org_request_id));
    if !outcome.errors.is_empty() {
        ext.insert("errors".to_owned(), outcome.errors_json());
    }
    let request = NotifyRequest {
        orgId: banyan_protocol::wire::Scalar::parse(org_id)
            .map_err(|_| StoreError::Corrupt(format!("the orgId of partner {}", partner.id)))?,
        orgName: results::org_name(partner)?,
        notifyType: notify_type,
        reportResultList: reports,
        updateResultList: updates,
        extData: Some(ExtData(ext)),
    };
    Ok(Some(Notice {
        url: batch.notify_url,
        org_request_id: batch.org_request_id,
        request,
    }))
}
