//! Asking a hospital about a record that a citizen contests (ORG_001), at once and, where it does
//! not answer, a few times more. What it says stands in the appeal's progress; where it says that
//! the record is paid or revoked, that ends the appeal by itself.

use banyan_store::db::StoreError;
use banyan_store::ids::{AppealId, PartnerId};
use banyan_store::overdue::appeals::{self, Standing, Step};
use banyan_store::overdue::items;
use banyan_store::queue::{self, Job, JobEnd, JobKind, LaneState};

use super::{lease, reconcile};
use crate::app::App;
use crate::overdue::settlement::Settled;

/// How long a lane is held: longer than a round of questions takes.
const LEASE_MS: i64 = 5 * 60_000;
/// Appeals taken in one round; each question ends within its time limit.
const ROUND: i64 = 8;
/// When a hospital that did not answer is asked again; after the last of them no more, for the
/// nightly reconciliation asks it anyway.
const RETRY_DELAYS_MS: [i64; 4] = [60_000, 10 * 60_000, 3_600_000, 6 * 3_600_000];

/// How long a lane rests where something of ours failed that may pass.
const FAILED_PAUSE_MS: i64 = 5_000;

pub(super) async fn run_lane(app: &App, lane: i64) -> Result<(), StoreError> {
    let Some(lease) = lease::take(app, JobKind::Appeal, lane, LEASE_MS, ROUND).await? else {
        return Ok(());
    };
    let mut ends = Vec::with_capacity(lease.jobs.len());
    let mut state = LaneState::WELL;
    for job in &lease.jobs {
        if app.is_stopping() {
            break;
        }
        match ask(app, PartnerId(lane), job).await {
            Ok(end) => ends.push((job.id, end)),
            Err(error @ StoreError::Corrupt(_)) => {
                app.meters.failure("appeal");
                tracing::error!(%error, appeal = job.subject, "an appeal can't be read; its hospital is not asked");
                let fault = error.to_string();
                ends.push((job.id, JobEnd::GivenUp { fault }));
            }
            Err(error) => {
                app.meters.failure("appeal");
                tracing::error!(%error, appeal = job.subject, "a hospital could not be asked about an appeal yet");
                state = lease::failed_again(app, lease.failures, FAILED_PAUSE_MS);
                break;
            }
        }
    }
    let (now_ms, node) = (app.now_ms(), app.node);
    app.db
        .write(move |tx| {
            queue::end(tx, JobKind::Appeal, &ends, now_ms)?;
            queue::release(tx, JobKind::Appeal, lane, node, state)
        })
        .await
}

/// Asks about one appeal's record and notes the answer; doing it twice notes it once.
async fn ask(app: &App, hospital: PartnerId, job: &Job) -> Result<JobEnd, StoreError> {
    let id = AppealId(job.subject);
    let appeal = appeals::by_id(&app.db, id).await?;
    let Some(appeal) = appeal.filter(|appeal| appeal.standing == Standing::Open) else {
        return Ok(JobEnd::Done);
    };
    let partner = app.directory.by_id(hospital);
    let Some(partner) =
        partner.filter(|partner| partner.active && partner.settlement_url.is_some())
    else {
        note(app, id, Step::HospitalUnable).await?;
        return Ok(JobEnd::Done);
    };
    let Some(item) = items::unpaid(&app.db, appeal.item).await? else {
        return Ok(JobEnd::Done);
    };
    match reconcile::ask(app, &partner, &item).await? {
        Ok(Settled::Unchanged) => {
            note(app, id, Step::HospitalUnpaid).await?;
            Ok(JobEnd::Done)
        }
        // The record's own change has ended the appeal.
        Ok(Settled::Changed(_) | Settled::ChangedMeanwhile) => Ok(JobEnd::Done),
        Err(fault) => {
            note(app, id, Step::HospitalSilent).await?;
            let place = usize::try_from(job.attempts).unwrap_or(usize::MAX);
            Ok(match RETRY_DELAYS_MS.get(place) {
                Some(delay_ms) => JobEnd::Again {
                    due_ms: app.now_ms() + delay_ms,
                    fault: fault.to_string(),
                },
                None => JobEnd::Done,
            })
        }
    }
}

async fn note(app: &App, id: AppealId, step: Step) -> Result<(), StoreError> {
    let now_ms = app.now_ms();
    app.db
        .write(move |tx| appeals::note(tx, id, step, now_ms))
        .await
        .map(|_| ())
}
