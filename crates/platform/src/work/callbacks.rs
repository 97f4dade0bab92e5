//! 结果回调通知: telling partners what became of their batches, whom to remind and what was revoked,
//! at least once, in the order of becoming due, and each partner at its own pace.
//!
//! Each kind of notice is a kind of job, so that what waits of it is counted by itself, and what it
//! says is made by its own file when its turn comes ([`notice::of_job`]). But all that one partner
//! is told stands in one lane (`store/queue/kinds.rs`), because what a lane has is the partner's: a
//! line that is down is found out once and tried with one notice, not with one of each kind; the
//! calls at once are counted together; an operator who sends again means all of it. What is told of
//! a batch goes before corrections and these before reminders, each with a share of a round, so that
//! a hundred thousand reminders hold a batch's callback up by the round under way and no more. A
//! batch's callback costs no more than it did alone.
//!
//! A hospital that fails again and again is paused (the breaker) and tried with one notice at a
//! time until it answers; its notices wait and are never lost. What is older than eight days when
//! it fails is given up: it stays on record and can be sent again by an operator.

use std::sync::Arc;
use std::time::{Duration, Instant};

use banyan_client::{Blame, CallFault};
use banyan_protocol::ambient::{HOUR_MS, MINUTE_MS, SECOND_MS};
use banyan_protocol::catalogue::Interface;
use banyan_protocol::dictionaries::Receipt;
use banyan_protocol::overdue::org_002::{NotifyReply, NotifyRequest};
use banyan_store::db::StoreError;
use banyan_store::ids::{JobId, PartnerId};
use banyan_store::journal::{self, Entry};
use banyan_store::queue::{self, Job, JobEnd, JobKind, LaneState};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::lease;
use super::outbound::{self, About};
use crate::app::App;
use crate::directory::Partner;
use crate::metrics::NoticeEnd;
use crate::overdue::notice::{self, Notice, OnceTaken, Turn};

/// After the n-th failure; after the last of them, again and again the last.
pub const RETRY_DELAYS_MS: [i64; 8] = [
    5 * SECOND_MS,
    30 * SECOND_MS,
    2 * MINUTE_MS,
    10 * MINUTE_MS,
    30 * MINUTE_MS,
    2 * HOUR_MS,
    5 * HOUR_MS,
    10 * HOUR_MS,
];
/// Beyond this age a notice that fails is given up.
pub const GIVE_UP_AFTER_MS: i64 = 8 * 24 * HOUR_MS;
/// So many failures in a row pause a hospital.
pub const BREAKER_FAILURES: u32 = 5;
/// The first pause; it doubles with each further failure.
const FIRST_PAUSE_MS: i64 = 10 * SECOND_MS;
/// The longest pause: a hospital that is up again waits no longer than this.
const LONGEST_PAUSE_MS: i64 = 10 * MINUTE_MS;

/// How long the lane of a partner that is switched off rests before somebody looks again.
const ABSENT_PAUSE_MS: i64 = MINUTE_MS;
/// How long a lane rests whose partner is not known here, or where something of ours failed.
const UNKNOWN_PAUSE_MS: i64 = 2 * SECOND_MS;
/// Calls of a round are begun within this.
const ROUND_MS: i64 = 20 * SECOND_MS;
/// Notices taken in one round.
const ROUND: i64 = 64;
/// Rounds after which a lane gives its place back, so that the others get theirs.
const ROUNDS: u32 = 16;

pub(super) async fn run_lane(app: &App, lane: i64) -> Result<(), StoreError> {
    let (node, lease_ms) = (app.node, lease_ms(app));
    let Some(lease) = lease::take(app, JobKind::Callback, lane, lease_ms, ROUND).await? else {
        return Ok(());
    };
    let mut state = LaneState {
        failures: lease.failures,
        paused_until_ms: 0,
    };
    let partner = match app.directory.by_id(PartnerId(lane)) {
        Some(partner) if partner.active => partner,
        other => {
            // Switched off: its notices wait until it is back. Or added a moment ago by another
            // node, and not read here yet.
            let pause_ms = other.map_or(UNKNOWN_PAUSE_MS, |_| ABSENT_PAUSE_MS);
            state.paused_until_ms = app.now_ms() + pause_ms;
            return lease::give_back(app, JobKind::Callback, lane, state).await;
        }
    };
    let mut jobs = lease.jobs;
    let mut rounds = 0;
    while !jobs.is_empty() && !app.is_stopping() {
        // A paused hospital is tried with one notice, not with sixty-four: the one that has waited
        // longest, so that no kind that it can't take stands before the others.
        if state.failures >= BREAKER_FAILURES {
            jobs.sort_by_key(|job| job.due_ms);
            jobs.truncate(1);
        }
        let round = send_round(app, &partner, &jobs, &mut state.failures).await;
        // Where nobody was called, because nothing was to be told, nothing was found out.
        if state.failures >= BREAKER_FAILURES && round.called {
            let doublings = (state.failures - BREAKER_FAILURES).min(16);
            let pause_ms = (FIRST_PAUSE_MS << doublings).min(LONGEST_PAUSE_MS);
            state.paused_until_ms = app.now_ms() + pause_ms;
        } else if round.error.is_some() {
            state.paused_until_ms = app.now_ms() + UNKNOWN_PAUSE_MS;
        }
        rounds += 1;
        let leave = state.paused_until_ms > 0 || rounds == ROUNDS;
        let now_ms = app.now_ms();
        let (ends, entries, kept) = (round.ends, round.entries, round.once_taken);
        let next = app
            .db
            .write(move |tx| -> Result<_, StoreError> {
                journal::append(tx, &entries)?;
                for once_taken in &kept {
                    once_taken.keep(tx, now_ms)?;
                }
                if leave {
                    queue::end(tx, JobKind::Callback, &ends, now_ms)?;
                    queue::release(tx, JobKind::Callback, lane, node, state)?;
                    return Ok(None);
                }
                let until_ms = now_ms + lease_ms;
                queue::carry_on(
                    tx,
                    JobKind::Callback,
                    lane,
                    node,
                    &ends,
                    now_ms,
                    until_ms,
                    ROUND,
                    state,
                )
            })
            .await?;
        if let Some(error) = round.error {
            return Err(error);
        }
        match next {
            Some(next) if !next.is_empty() => jobs = next,
            // Given back already, or lost.
            _ => return Ok(()),
        }
    }
    lease::give_back(app, JobKind::Callback, lane, state).await
}

/// As long as a round may take at the most: calls are begun within [`ROUND_MS`], and each ends
/// within its time limit.
fn lease_ms(app: &App) -> i64 {
    let outbound = &app.settings.outbound;
    let call_ms = outbound
        .call_timeout_ms
        .saturating_add(outbound.connect_timeout_ms);
    ROUND_MS + i64::try_from(call_ms).unwrap_or(HOUR_MS) + 15 * SECOND_MS
}

/// What a round came to.
struct Round {
    ends: Vec<(JobId, JobEnd)>,
    entries: Vec<Entry>,
    /// What is kept beside the ends of the notices that were taken.
    once_taken: Vec<OnceTaken>,
    /// Whether the hospital was called at all.
    called: bool,
    /// Why it was broken off: something of ours that may pass.
    error: Option<StoreError>,
}

/// Sends notices, a few at a time, until all were tried, the hospital fails too often, or the time
/// of a round is over; those that were not tried are left as they are.
async fn send_round(app: &App, partner: &Arc<Partner>, jobs: &[Job], failures: &mut u32) -> Round {
    let began = Instant::now();
    let mut waiting = jobs.iter();
    let mut under_way = FuturesUnordered::new();
    let mut round = Round {
        ends: Vec::with_capacity(jobs.len()),
        entries: Vec::with_capacity(jobs.len()),
        once_taken: Vec::new(),
        called: false,
        error: None,
    };
    // A paused hospital's one notice is tried although it failed so often.
    let most_failures = (*failures + 1).max(BREAKER_FAILURES);
    loop {
        // A hospital that just failed gets one call at a time until one succeeds.
        let places = if *failures == 0 {
            app.settings.outbound.per_hospital
        } else {
            1
        };
        let may_begin = *failures < most_failures
            && round.error.is_none()
            && began.elapsed() < Duration::from_millis(ROUND_MS.unsigned_abs());
        while may_begin && under_way.len() < places {
            let Some(job) = waiting.next() else { break };
            under_way.push(send(app, partner, *job));
        }
        let Some(sent) = under_way.next().await else {
            return round;
        };
        match sent {
            Ok(sent) => {
                match sent.found {
                    Found::Well => *failures = 0,
                    Found::Failing => *failures = failures.saturating_add(1),
                    Found::Nothing => {}
                }
                round.called |= sent.entry.is_some();
                if sent.once_taken != OnceTaken::Nothing {
                    round.once_taken.push(sent.once_taken);
                }
                round.ends.push((sent.job, sent.end));
                round.entries.extend(sent.entry);
            }
            Err(error) => round.error = Some(error),
        }
    }
}

struct Sent {
    job: JobId,
    end: JobEnd,
    found: Found,
    /// The journal's, where the hospital was called.
    entry: Option<Entry>,
    once_taken: OnceTaken,
}

/// What trying a notice says about the hospital, for the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// It answers.
    Well,
    /// It is to blame.
    Failing,
    /// It was not asked, or we are to blame.
    Nothing,
}

async fn send(app: &App, partner: &Arc<Partner>, job: Job) -> Result<Sent, StoreError> {
    let uncalled = |end: JobEnd| Sent {
        job: job.id,
        end,
        found: Found::Nothing,
        entry: None,
        once_taken: OnceTaken::Nothing,
    };
    let gone = |fault: String| {
        app.meters.notice(job.kind, NoticeEnd::GivenUp);
        uncalled(JobEnd::GivenUp { fault })
    };
    let notice = match notice::of_job(app, partner, &job).await {
        Ok(Turn::Send(notice)) => notice,
        Ok(Turn::NotBefore { due_ms }) => return Ok(uncalled(JobEnd::Later { due_ms })),
        Ok(Turn::NotNeeded) => {
            app.meters.notice(job.kind, NoticeEnd::NotNeeded);
            return Ok(uncalled(JobEnd::Done));
        }
        Ok(Turn::Gone) => return Ok(gone("what it is about is gone".to_owned())),
        // One notice that can't be made must not stand before all the others.
        Err(error @ (StoreError::Corrupt(_) | StoreError::Sql(_))) => {
            app.meters.failure("notice");
            tracing::error!(%error, notice = job.id.0, "a callback can't be made");
            return Ok(gone(error.to_string()));
        }
        Err(error) => return Err(error),
    };
    let delivered = deliver(app, partner, &notice).await;
    let result = match &delivered {
        Ok(()) => "success",
        Err(fault) => fault.result,
    };
    let about = About {
        person: notice.person,
        purpose: Some(notice.request.notifyType.code().to_owned()),
        subject: notice.subject,
    };
    let entry = outbound::entry(app, partner, Interface::Org002, result, about).await?;
    let fault = match delivered {
        Ok(()) => {
            app.meters.notice(job.kind, NoticeEnd::Taken);
            return Ok(Sent {
                job: job.id,
                end: JobEnd::Done,
                found: Found::Well,
                entry: Some(entry),
                once_taken: notice.once_taken,
            });
        }
        Err(fault) => fault,
    };
    tracing::info!(
        partner = &*partner.app_id,
        kind = job.kind.name(),
        notice = job.id.0,
        attempt = job.attempts + 1,
        fault = fault.text,
        "a callback was not taken"
    );
    let now_ms = app.now_ms();
    let (end, metered) = if now_ms - job.since_ms >= GIVE_UP_AFTER_MS {
        (JobEnd::GivenUp { fault: fault.text }, NoticeEnd::GivenUp)
    } else {
        let due_ms = now_ms + retry_delay_ms(app, job.attempts);
        let fault = fault.text;
        (JobEnd::Again { due_ms, fault }, NoticeEnd::NotTaken)
    };
    app.meters.notice(job.kind, metered);
    Ok(Sent {
        job: job.id,
        end,
        found: if fault.ours {
            Found::Nothing
        } else {
            Found::Failing
        },
        entry: Some(entry),
        once_taken: OnceTaken::Nothing,
    })
}

/// Why a notice was not taken.
struct NotTaken {
    /// For the journal: the partner's code, or the kind of fault.
    result: &'static str,
    /// For the operator.
    text: String,
    /// Whether we are to blame, so that the hospital need not be paused.
    ours: bool,
}

async fn deliver(app: &App, partner: &Partner, notice: &Notice) -> Result<(), NotTaken> {
    let Some(url) = &notice.url else {
        return Err(NotTaken {
            result: "address",
            text: "the partner has no address to be told at".to_owned(),
            ours: true,
        });
    };
    let called: Result<NotifyReply, CallFault> =
        outbound::call::<NotifyRequest, _>(app, partner, Interface::Org002, url, &notice.request)
            .await;
    match called {
        Ok(reply) if reply.state == Receipt::Success => Ok(()),
        Ok(_) => Err(NotTaken {
            result: "fail",
            text: "the hospital answered state=fail".to_owned(),
            ours: false,
        }),
        Err(fault) => Err(NotTaken {
            result: outbound::result_of(&fault),
            text: fault.to_string(),
            ours: fault.blame() == Blame::Us,
        }),
    }
}

/// The delay after this many earlier attempts, up to a tenth more or less, so that hospitals that
/// failed together do not all come back together.
fn retry_delay_ms(app: &App, attempts: u32) -> i64 {
    let place = usize::try_from(attempts).unwrap_or(usize::MAX);
    let delay_ms = RETRY_DELAYS_MS
        .get(place)
        .or(RETRY_DELAYS_MS.last())
        .copied()
        .unwrap_or(HOUR_MS);
    let mut random = [0; 2];
    app.world.random.fill(&mut random);
    let share = i64::from(u16::from_le_bytes(random));
    delay_ms - delay_ms / 10 + delay_ms / 5 * share / i64::from(u16::MAX)
}
