//! Finding whom to tell that a debt was revoked.

use banyan_store::db::StoreError;
use banyan_store::queue::{self, Job, JobEnd, JobKind, LaneState};

use super::lease;
use crate::app::App;
use crate::overdue::correction;

/// Far longer than a round takes; a node that dies gives its lanes free after this.
const LEASE_MS: i64 = 60_000;
/// Revocations looked at in one round; the next round begins at once.
const ROUND: i64 = 32;
/// How long a lane rests where something of ours failed that may pass.
const FAILED_PAUSE_MS: i64 = 5_000;

pub(super) async fn run_lane(app: &App, lane: i64) -> Result<(), StoreError> {
    let Some(lease) = lease::take(app, JobKind::Revocation, lane, LEASE_MS, ROUND).await? else {
        return Ok(());
    };
    let mut state = LaneState::WELL;
    for job in &lease.jobs {
        if app.is_stopping() {
            break;
        }
        if let Err(error) = find_receivers(app, job).await {
            app.meters.failure("correction");
            tracing::error!(%error, revocation = job.subject, "nobody could be told of a revocation yet");
            state = lease::failed_again(app, lease.failures, FAILED_PAUSE_MS);
            break;
        }
    }
    lease::give_back(app, JobKind::Revocation, lane, state).await
}

/// Finds the receivers of one revocation; one that can't be read is set aside, so that it does not
/// stand before the others.
async fn find_receivers(app: &App, job: &Job) -> Result<(), StoreError> {
    let error = match correction::find_receivers(app, job).await {
        Err(error @ StoreError::Corrupt(_)) => error,
        other => return other,
    };
    app.meters.failure("correction");
    tracing::error!(%error, revocation = job.subject, "a revocation can't be read and was set aside");
    let now_ms = app.now_ms();
    let fault = error.to_string();
    let ends = [(job.id, JobEnd::GivenUp { fault })];
    app.db
        .write(move |tx| queue::end(tx, JobKind::Revocation, &ends, now_ms))
        .await
}
