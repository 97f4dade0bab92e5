//! Judging a batch: each item becomes a record, a change to one, or a rejection with its reason.
//!
//! Everything that can be worked out beforehand (opening the message, checking identities, sealing
//! persons) is done outside the transaction; inside it each item is held against what is already
//! kept, and records, outcome, callback and the end of the job commit together.
//!
//! A [`docket`] holds what can be worked out beforehand; [`report`] (ORG_MDL_001) and [`update`]
//! (ORG_MDL_003) are the rules.

mod docket;
mod report;
mod update;

use std::sync::Arc;

use banyan_store::db::{StoreError, Tx};
use banyan_store::ids::{BatchId, JobId};
use banyan_store::overdue::batches::{self, BatchKind};
use banyan_store::queue::{self, JobEnd, JobKind, NewJob};

use super::fresh::TakenIn;
use super::message::Message;
use super::outcome::Outcome;
use crate::app::App;
use docket::Docket;
use report::Laid;

/// Why a record that is not as it was a moment ago is left alone.
const CHANGED_MEANWHILE: &str = "该记录的状态刚被其他操作变更，请查询后重试";

/// A batch to be judged, and the job that says so.
pub type Summons = (BatchId, JobId);

/// Judges the first of these batches of one hospital, each once: where one was judged already, only
/// its job ends. Reports that follow one another are judged together, in one transaction: they
/// are the bulk, and most of what a batch costs is asking the database again and again. Gives how
/// many were judged, at least one.
///
/// # Errors
/// Any [`StoreError`]; [`StoreError::Corrupt`] where a kept message can't be read, which no
/// repetition will change. Nothing of the batches was judged then.
pub async fn judge(app: &App, summoned: &[Summons]) -> Result<usize, StoreError> {
    let now_ms = app.now_ms();
    let taken = take_up(app, summoned, now_ms).await?;
    let jobs: Vec<JobId> = summoned
        .iter()
        .take(taken.len().max(1))
        .map(|(_, job)| *job)
        .collect();
    let count = jobs.len();
    if taken.is_empty() {
        end_jobs(app, jobs, now_ms).await?;
        return Ok(count);
    }
    let dockets = Docket::prepare(app, &taken, now_ms).await?;
    let judging: Vec<BatchId> = taken.iter().map(|taken| taken.batch.id).collect();
    let most_ids = dockets.iter().map(Docket::most_ids).sum();
    let ids = app.ids.take(most_ids).await?;
    let (all, ended) = (dockets.len(), jobs.clone());
    let judged = app
        .db
        .write(move |tx| judge_all(tx, &dockets, &jobs, ids.clone(), now_ms))
        .await;
    match judged {
        Ok(outcomes) => {
            for outcome in &outcomes {
                let (kept, rejected) = outcome.counts();
                app.meters.judged(kept, rejected);
            }
            app.fresh.let_go(judging);
            app.wake(JobKind::Callback);
            Ok(count)
        }
        // Somebody else judged it; of several, only one by one says which.
        Err(Stop::JudgedMeanwhile) if all == 1 => {
            app.fresh.let_go(judging);
            end_jobs(app, ended, now_ms).await?;
            Ok(1)
        }
        Err(Stop::JudgedMeanwhile) => Box::pin(judge(app, &summoned[..1])).await,
        Err(Stop::Store(error)) => Err(error),
    }
}

/// The first of these batches, or the reports that it begins; none where the first was judged.
async fn take_up(
    app: &App,
    summoned: &[Summons],
    now_ms: i64,
) -> Result<Vec<Arc<TakenIn>>, StoreError> {
    let ids = summoned.iter().map(|(id, _)| *id);
    let at_hand: Vec<_> = ids.map(|id| app.fresh.get(id, now_ms)).collect();
    let absent: Vec<BatchId> = summoned
        .iter()
        .zip(&at_hand)
        .filter(|(_, at_hand)| at_hand.is_none())
        .map(|((id, _), _)| *id)
        .collect();
    let mut kept = batches::waiting_contents(&app.db, &absent)
        .await?
        .into_iter();
    let mut taken = Vec::new();
    for at_hand in at_hand {
        let next = match at_hand {
            Some(at_hand) => at_hand,
            None => match kept.next().flatten() {
                Some((batch, sealed)) => Arc::new(TakenIn {
                    message: Message::open(&app.vault, &batch, &sealed)?,
                    batch,
                }),
                None => break,
            },
        };
        let is_report = next.batch.kind == BatchKind::Report;
        if is_report || taken.is_empty() {
            taken.push(next);
        }
        if !is_report {
            break;
        }
    }
    Ok(taken)
}

async fn end_jobs(app: &App, jobs: Vec<JobId>, now_ms: i64) -> Result<(), StoreError> {
    let ends: Vec<_> = jobs.into_iter().map(|job| (job, JobEnd::Done)).collect();
    app.db
        .write(move |tx| queue::end(tx, JobKind::Judge, &ends, now_ms))
        .await
}

/// Why batches are not judged in this transaction.
enum Stop {
    /// Another node, whose lease had run out, judged one of them at this moment.
    JudgedMeanwhile,
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Records, outcomes, callbacks and the ends of the jobs, all or none.
fn judge_all(
    tx: &mut Tx<'_>,
    dockets: &[Docket],
    jobs: &[JobId],
    mut ids: Ids,
    now_ms: i64,
) -> Result<Vec<Outcome>, Stop> {
    let batches: Vec<BatchId> = dockets.iter().map(|docket| docket.batch.id).collect();
    if !batches::take_for_judging(tx, &batches, now_ms)? {
        return Err(Stop::JudgedMeanwhile);
    }
    let mut laid = Laid::out(tx, dockets, &mut ids, now_ms)?;
    let mut outcomes = Vec::with_capacity(dockets.len());
    let mut callbacks = Vec::with_capacity(dockets.len());
    for docket in dockets {
        outcomes.push(docket.judge(tx, &mut ids, &mut laid)?);
        docket.keep_contradictions(tx)?;
        callbacks.push(NewJob {
            id: JobId(next(&mut ids)?),
            kind: JobKind::Callback,
            lane: docket.batch.partner.0,
            subject: docket.batch.id.0,
            due_ms: now_ms,
        });
    }
    let written: Vec<_> = batches
        .into_iter()
        .zip(outcomes.iter().map(Outcome::write))
        .collect();
    batches::keep_outcomes(tx, &written)?;
    queue::leave_many(tx, &callbacks, now_ms)?;
    let ends: Vec<_> = jobs.iter().map(|job| (*job, JobEnd::Done)).collect();
    queue::end(tx, JobKind::Judge, &ends, now_ms)?;
    Ok(outcomes)
}

type Ids = std::ops::Range<i64>;

fn next(ids: &mut Ids) -> Result<i64, StoreError> {
    ids.next()
        .ok_or_else(|| StoreError::Corrupt("a batch used more ids than it has items".to_owned()))
}
