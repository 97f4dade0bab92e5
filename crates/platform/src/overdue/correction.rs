//! 更正回执: whoever was shown a debt that is then revoked is told, once, if he wishes to be.
//!
//! A revocation leaves a job in its own transaction ([`banyan_store::overdue::corrections`]).
//! [`find_receivers`] does it: it looks in the journal who was shown the record, as soon as
//! everything that was asked before stands there, and leaves one notice for each partner that
//! wishes corrections.

use banyan_protocol::ambient::DAY_MS;
use banyan_protocol::catalogue::Interface;
use banyan_protocol::dictionaries::NotifyType;
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::{LocalTime, Scalar as _, yuan};
use banyan_store::db::StoreError;
use banyan_store::ids::JobId;
use banyan_store::overdue::corrections::{self, Asker, NewCorrection};
use banyan_store::queue::{self, Job, JobEnd, JobKind};
use banyan_store::vault::Place;
use serde_json::{Map, json};

use super::notice::{self, Notice, OnceTaken, Turn};
use super::person::Identity;
use crate::app::App;
use crate::directory::Partner;
use crate::settings::JOURNAL_READ_BACK_DAYS;

/// Whoever asked longer ago has long acted on the answer.
const ASKED_WITHIN_MS: i64 = JOURNAL_READ_BACK_DAYS as i64 * DAY_MS;
/// How long to wait until what was asked is in the journal.
const NOT_NOTED_PAUSE_MS: i64 = 5_000;
/// After this long it is not waited for any longer: the journal's writer is broken.
const MOST_PATIENCE_MS: i64 = 86_400_000;

/// Leaves the corrections of a revocation, and ends its job or puts it off.
///
/// # Errors
/// Any [`StoreError`].
pub async fn find_receivers(app: &App, job: &Job) -> Result<(), StoreError> {
    let now_ms = app.now_ms();
    let found = corrections::revocation(&app.db, job.subject).await?;
    let hospital = found
        .as_ref()
        .and_then(|revocation| app.directory.by_id(revocation.partner));
    let (Some(revocation), Some(hospital)) = (found, hospital) else {
        let fault = "the revocation or its hospital is gone".to_owned();
        return end(app, job, JobEnd::GivenUp { fault }, Vec::new()).await;
    };
    if !app
        .journal
        .holds_all_until(revocation.seen_until_ms())
        .await?
    {
        if now_ms - revocation.revoked_ms < MOST_PATIENCE_MS {
            let due_ms = now_ms + NOT_NOTED_PAUSE_MS;
            return end(app, job, JobEnd::Later { due_ms }, Vec::new()).await;
        }
        app.meters.failure("correction");
        tracing::error!(
            revocation = revocation.id,
            "corrections go out although the journal is a day behind"
        );
    }
    let askers = corrections::askers(
        &app.db,
        &revocation,
        Interface::OrgMdl002.code(),
        ResultCode::Success.code(),
        hospital.org_id.as_deref().unwrap_or_default(),
        revocation.revoked_ms - ASKED_WITHIN_MS,
    )
    .await?;
    let receivers: Vec<Asker> = askers
        .into_iter()
        .filter(|asker| {
            let partner = app.directory.by_id(asker.partner);
            partner.is_some_and(|partner| partner.corrections)
        })
        .collect();
    end(app, job, JobEnd::Done, receivers).await
}

/// Ends the job, and leaves a correction to each receiver in the same transaction.
async fn end(app: &App, job: &Job, end: JobEnd, receivers: Vec<Asker>) -> Result<(), StoreError> {
    let mut ids = app.ids.take(receivers.len() * 2).await?;
    let new: Vec<NewCorrection> = receivers
        .into_iter()
        .filter_map(|asker| {
            Some(NewCorrection {
                id: ids.next()?,
                job: JobId(ids.next()?),
                asker,
            })
        })
        .collect();
    let (left, now_ms) = (!new.is_empty(), app.now_ms());
    let (revocation, ends) = (job.subject, [(job.id, end)]);
    app.db
        .write(move |tx| -> Result<(), StoreError> {
            corrections::leave(tx, revocation, &new, now_ms)?;
            queue::end(tx, JobKind::Revocation, &ends, now_ms)
        })
        .await?;
    if left {
        app.wake(JobKind::Correction);
    }
    Ok(())
}

/// The notice of a correction. It names the person as its receiver did when it asked, and nobody's
/// name.
pub(super) async fn of_revocation(
    app: &App,
    partner: &Partner,
    job: &Job,
) -> Result<Turn, StoreError> {
    if !partner.corrections {
        // It wished them when this one was left, and does so no more.
        return Ok(Turn::NotNeeded);
    }
    let Some((revocation, asked_ms)) = corrections::correction(&app.db, job.subject).await? else {
        return Ok(Turn::Gone);
    };
    let Some(hospital) = app.directory.by_id(revocation.partner) else {
        return Ok(Turn::Gone);
    };
    let sealed = &revocation.person_sealed;
    let identity = Identity::open(&app.vault, Place::ItemPerson, sealed)?;
    let time = |at_ms| json!(LocalTime::from_epoch_ms(at_ms).render());
    let ext = [
        ("idType", json!(identity.id_type)),
        ("idNo", json!(identity.id_no)),
        ("traceId", json!(revocation.item.to_string())),
        ("amount", json!(yuan(revocation.amount_fen))),
        ("sourceOrgId", json!(hospital.org_id)),
        ("sourceOrgName", json!(hospital.name)),
        ("revokedTime", time(revocation.revoked_ms)),
        ("askedTime", time(asked_ms)),
    ];
    let ext = ext.map(|(name, value)| (name.to_owned(), value));
    Ok(Turn::Send(Box::new(Notice {
        url: partner.notice_url.clone(),
        subject: Some(revocation.item.to_string()),
        person: Some(revocation.person),
        request: notice::request(partner, NotifyType::Correct, job.id, Map::from_iter(ext))?,
        once_taken: OnceTaken::Corrected(job.subject),
    })))
}
