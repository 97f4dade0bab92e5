//! Judging the batches of one hospital, in the order in which they came.

use banyan_store::db::{Engine, StoreError};
use banyan_store::ids::BatchId;
use banyan_store::queue::{self, Job, JobEnd, JobKind, LaneState};

use super::lease;
use crate::app::App;
use crate::overdue;

/// Far longer than judging a round takes; a node that dies gives its lanes free after this.
const LEASE_MS: i64 = 30_000;
/// Jobs taken in one round.
const ROUND: i64 = 16;
/// Rounds after which a lane gives its place back, so that the others get theirs.
const ROUNDS: u32 = 4;
/// A batch that brings a transaction down as often as this is set aside.
const PANICS: u32 = 3;
/// Pauses of a lane whose judging failed for a reason that may pass: the database is away, the
/// disk is full. The batch stays at the head of its lane.
const PAUSES_MS: [i64; 4] = [1_000, 5_000, 30_000, 60_000];

pub(super) async fn run_lane(app: &App, lane: i64) -> Result<(), StoreError> {
    let Some(lease) = lease::take(app, JobKind::Judge, lane, LEASE_MS, ROUND).await? else {
        return Ok(());
    };
    let mut jobs = lease.jobs;
    let mut rounds = 0;
    while !jobs.is_empty() && !app.is_stopping() {
        let mut rest = &jobs[..];
        while let Some(first) = rest.first() {
            let together = &rest[..rest.len().min(at_once(app))];
            let judged = match judge(app, together, lease.failures).await {
                // By itself each says whether it is the one that failed.
                Err(_) if together.len() > 1 => {
                    judge(app, std::slice::from_ref(first), lease.failures).await
                }
                judged => judged,
            };
            match judged {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) => {
                    let place = usize::try_from(lease.failures).unwrap_or(usize::MAX);
                    let pause_ms = PAUSES_MS.get(place).or(PAUSES_MS.last()).copied();
                    app.meters.failure("judging");
                    tracing::error!(%error, batch = first.subject, "a batch could not be judged yet");
                    let state = lease::failed_again(app, lease.failures, pause_ms.unwrap_or(0));
                    return lease::give_back(app, JobKind::Judge, lane, state).await;
                }
            }
        }
        rounds += 1;
        if rounds == ROUNDS {
            break;
        }
        let (now_ms, node) = (app.now_ms(), app.node);
        let next = app
            .db
            .write(move |tx| {
                let until_ms = now_ms + LEASE_MS;
                queue::carry_on(
                    tx,
                    JobKind::Judge,
                    lane,
                    node,
                    &[],
                    now_ms,
                    until_ms,
                    ROUND,
                    LaneState::WELL,
                )
            })
            .await?;
        match next {
            Some(next) if !next.is_empty() => jobs = next,
            // Given back already, or lost.
            _ => return Ok(()),
        }
    }
    lease::give_back(app, JobKind::Judge, lane, LaneState::WELL).await
}

/// How many batches are judged in one transaction: on PostgreSQL each statement is a round trip; on
/// SQLite it is none, and the one writer is not to be held for long.
fn at_once(app: &App) -> usize {
    match app.db.engine() {
        Engine::Sqlite => 1,
        Engine::Postgres => usize::try_from(ROUND).unwrap_or(1),
    }
}

/// Judges the first of these batches; gives how many. What no repetition will change is set aside,
/// so that the batches behind it are not held up for ever; the batch stays kept, an operator is
/// told, and can have it judged again (`banyan batch retry`).
async fn judge(app: &App, jobs: &[Job], failures: u32) -> Result<usize, StoreError> {
    let summoned: Vec<_> = jobs
        .iter()
        .map(|job| (BatchId(job.subject), job.id))
        .collect();
    let error = match (overdue::judge::judge(app, &summoned).await, jobs) {
        (Err(error @ StoreError::Corrupt(_)), [_]) => error,
        (Err(error @ StoreError::Panicked), [_]) if failures >= PANICS => error,
        (other, _) => return other,
    };
    let [job, ..] = jobs else {
        return Ok(0);
    };
    app.meters.failure("judging");
    tracing::error!(%error, batch = job.subject, "a batch can't be judged and was set aside");
    let now_ms = app.now_ms();
    let fault = error.to_string();
    let ends = [(job.id, JobEnd::GivenUp { fault })];
    app.db
        .write(move |tx| queue::end(tx, JobKind::Judge, &ends, now_ms))
        .await?;
    Ok(1)
}
