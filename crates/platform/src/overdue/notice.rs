//! What partners are told (ORG_002 and its form): what became of a batch, and the kinds of notices
//! that the guide has no interface for ([`super::reminder`], [`super::correction`]).
//!
//! A notice is made when its turn comes, from how the records stand then. So nothing about a
//! person lies in the queue, and what is no longer true is not told.

use banyan_protocol::dictionaries::NotifyType;
use banyan_protocol::overdue::OrgId;
use banyan_protocol::overdue::org_002::NotifyRequest;
use banyan_protocol::wire::{ExtData, Scalar as _};
use banyan_store::db::{StoreError, Tx};
use banyan_store::ids::{BatchId, JobId};
use banyan_store::overdue::batches::{self, BatchKind};
use banyan_store::overdue::{corrections, reminders};
use banyan_store::queue::{Job, JobKind};
use banyan_store::vault::PersonCode;
use serde_json::{Map, Value, json};
use url::Url;

use super::outcome::Outcome;
use super::{correction, reminder, results};
use crate::app::App;
use crate::directory::Partner;

/// What is to be done about a notice whose turn has come.
#[derive(Debug)]
pub enum Turn {
    /// It goes out.
    Send(Box<Notice>),
    /// It is not its time; what it says will be looked at anew then.
    NotBefore {
        /// When it is.
        due_ms: i64,
    },
    /// There is nothing to tell any more.
    NotNeeded,
    /// What it would be about is gone, which is nobody's wish.
    Gone,
}

/// A notice and where it goes.
#[derive(Debug)]
pub struct Notice {
    /// Where to; `None` where the partner has no address for it.
    pub url: Option<Url>,
    /// What it is about, for the journal: the batch's number, the record.
    pub subject: Option<String>,
    /// About whom, where it is about one person.
    pub person: Option<PersonCode>,
    /// The message.
    pub request: NotifyRequest,
    /// What is kept once it was taken.
    pub once_taken: OnceTaken,
}

/// What is kept once a notice was taken, together with the end of its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnceTaken {
    /// Nothing.
    Nothing,
    /// The person of this reminder was told of these debts.
    Reminded(i64, reminders::Debts),
    /// This correction was told.
    Corrected(i64),
}

/// The notice of a job, as things stand now.
///
/// # Errors
/// Any [`StoreError`].
pub async fn of_job(app: &App, partner: &Partner, job: &Job) -> Result<Turn, StoreError> {
    match job.kind {
        JobKind::Callback => of_batch(app, partner, BatchId(job.subject), job.id).await,
        JobKind::Reminder => reminder::of_person(app, partner, job).await,
        JobKind::Correction => correction::of_revocation(app, partner, job).await,
        // Stand in other lanes.
        JobKind::Judge | JobKind::Reconcile | JobKind::Revocation | JobKind::Appeal => {
            Ok(Turn::Gone)
        }
    }
}

impl OnceTaken {
    /// Keeps it.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub fn keep(&self, tx: &mut Tx<'_>, now_ms: i64) -> Result<(), StoreError> {
        match self {
            Self::Nothing => Ok(()),
            Self::Reminded(reminder, debts) => reminders::note_told(tx, *reminder, debts, now_ms),
            Self::Corrected(correction) => corrections::note_told(tx, *correction, now_ms),
        }
    }
}

/// The notice of a judged batch, with its records as they stand now. `job` is the notice's own
/// number, the same at every repetition.
async fn of_batch(
    app: &App,
    partner: &Partner,
    batch: BatchId,
    job: JobId,
) -> Result<Turn, StoreError> {
    let Some(batch) = batches::by_id(&app.db, batch).await? else {
        return Ok(Turn::Gone);
    };
    let outcome = match &batch.outcome {
        Some(outcome) => Outcome::read(outcome)?,
        None => return Ok(Turn::Gone),
    };
    let list = results::by_person(app, &outcome.items()).await?;
    let mut ext = Map::new();
    ext.insert("orgRequestId".to_owned(), json!(batch.org_request_id));
    if !outcome.errors.is_empty() {
        ext.insert("errors".to_owned(), outcome.errors_json());
    }
    let mut request = match batch.kind {
        BatchKind::Report => request(partner, NotifyType::Report, job, ext)?,
        BatchKind::Update => request(partner, NotifyType::Update, job, ext)?,
    };
    match batch.kind {
        BatchKind::Report => request.reportResultList = list,
        BatchKind::Update => request.updateResultList = list,
    }
    Ok(Turn::Send(Box::new(Notice {
        url: Url::parse(&batch.notify_url).ok(),
        subject: Some(batch.org_request_id),
        person: None,
        request,
        once_taken: OnceTaken::Nothing,
    })))
}

/// A message to a partner without results, with its notifyId among these members of extData.
pub(super) fn request(
    partner: &Partner,
    notify_type: NotifyType,
    job: JobId,
    mut ext: Map<String, Value>,
) -> Result<NotifyRequest, StoreError> {
    ext.insert("notifyId".to_owned(), json!(job.to_string()));
    Ok(NotifyRequest {
        orgId: OrgId::parse(partner.org_id.as_deref().unwrap_or(CHANNEL_ORG_ID))
            .map_err(|_| StoreError::Corrupt(format!("the orgId of partner {}", partner.id)))?,
        orgName: results::org_name(partner)?,
        notifyType: notify_type,
        reportResultList: Vec::new(),
        updateResultList: Vec::new(),
        extData: Some(ExtData(ext)),
    })
}

/// What stands for 机构 id where a message must have one and its receiver is no hospital.
const CHANNEL_ORG_ID: &str = "MZT";
