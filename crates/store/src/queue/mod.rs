//! Work to be done later: a leased job queue.
//!
//! Jobs of a kind stand in lanes, one for each hospital. A node leases a *lane*, not a job: while
//! it holds the lane, no other node touches the jobs in it. So a lane keeps its order, a slow
//! hospital delays nobody else, and its breaker is known to every node. A job is done at least
//! once; whoever does it makes the effect idempotent.
//!
//! Notices of several kinds to one partner share a lane, and with it the lease and the breaker;
//! see `kinds.rs`.

mod again;
mod kinds;

pub use again::{Which, begin_anew, lift_pause, redo};

use crate::db::{ColumnType, Db, Insert, Row, StoreError, Tx, Val};
use crate::ids::{JobId, NodeId};

/// What a job is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// Judge a batch; `subject` is the batch. A lane is judged in the order of arrival.
    Judge,
    /// Tell a hospital what became of a batch (ORG_002); `subject` is the batch.
    Callback,
    /// Ask a hospital about a sample of its unpaid records (ORG_001); `subject` is the partner.
    Reconcile,
    /// Have a person reminded of what he owes (REMIND); `subject` is the reminder.
    Reminder,
    /// Tell a partner that a debt it was shown was revoked (CORRECT); `subject` is the correction.
    Correction,
    /// Find out who is to be told that a debt was revoked; `subject` is the revocation.
    Revocation,
    /// Ask a hospital about a record that is appealed against (ORG_001); `subject` is the appeal.
    Appeal,
}

/// A job about to be left.
#[derive(Debug, Clone, Copy)]
pub struct NewJob {
    /// Its id, which stays the same however often it is tried.
    pub id: JobId,
    /// What it is about.
    pub kind: JobKind,
    /// Its lane: the partner it concerns.
    pub lane: i64,
    /// What it is about.
    pub subject: i64,
    /// Not before this moment.
    pub due_ms: i64,
}

/// A job that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Of which of the kinds that its lane carries.
    pub kind: JobKind,
    /// What it is about.
    pub subject: i64,
    /// Since when it is due; of an ordered kind its place in the order.
    pub due_ms: i64,
    /// How often it was tried before.
    pub attempts: u32,
    /// When its tries began: when it was left, when an operator had it done again, or when a partner
    /// that was switched off came back.
    pub since_ms: i64,
}

/// A lane that has something due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueLane {
    /// The lane.
    pub lane: i64,
    /// How often its last jobs failed in a row.
    pub failures: u32,
}

/// A lane that this node holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// How often its last jobs failed in a row.
    pub failures: u32,
    /// What is due in it, in order.
    pub jobs: Vec<Job>,
}

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEnd {
    /// It is done. A notice stays on record, anything else is forgotten.
    Done,
    /// It was not its time: it is looked at again at `due_ms`, and this was no try.
    Later {
        /// Not before this moment.
        due_ms: i64,
    },
    /// It is to be tried again at `due_ms`.
    Again {
        /// Not before this moment.
        due_ms: i64,
        /// Why it failed, for the operator; no personal data.
        fault: String,
    },
    /// It is not tried again unless somebody asks for it.
    GivenUp {
        /// Why, for the operator; no personal data.
        fault: String,
    },
}

/// How a lane is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneState {
    /// How often its last jobs failed in a row.
    pub failures: u32,
    /// Nothing of it is tried before this moment.
    pub paused_until_ms: i64,
}

impl LaneState {
    /// Nothing failed, nothing is paused.
    pub const WELL: Self = Self {
        failures: 0,
        paused_until_ms: 0,
    };
}

/// How much is waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// How many jobs wait.
    pub waiting: i64,
    /// When the oldest of them was left, paused lanes included.
    pub oldest_created_ms: Option<i64>,
    /// How many were given up.
    pub given_up: i64,
}

/// Leaves a job. One of an ordered kind goes behind those that wait in its lane, whatever the
/// clocks of the nodes say.
///
/// # Errors
/// Any [`StoreError`].
pub fn leave(tx: &mut Tx<'_>, job: &NewJob, now_ms: i64) -> Result<(), StoreError> {
    let sql = if job.kind.is_ordered() {
        LEAVE_BEHIND
    } else {
        LEAVE
    };
    tx.execute(
        sql,
        &[
            job.id.into(),
            job.kind.as_number().into(),
            job.lane.into(),
            job.subject.into(),
            job.due_ms.into(),
            now_ms.into(),
        ],
    )?;
    Ok(())
}

const LEAVE: &str = "INSERT INTO job (id, kind, lane, subject, state, due_ms, attempts, created_ms, \
     since_ms, ended_ms, last_fault) VALUES ($1, $2, $3, $4, 0, $5, 0, $6, $6, NULL, NULL)";
/// The same behind those that wait; one statement, for it stands on every report's way.
const LEAVE_BEHIND: &str = "INSERT INTO job (id, kind, lane, subject, state, due_ms, attempts, \
     created_ms, since_ms, ended_ms, last_fault) \
     SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($4 AS BIGINT), 0, \
       CASE WHEN w.last_ms >= CAST($5 AS BIGINT) THEN w.last_ms + 1 ELSE CAST($5 AS BIGINT) END, \
       0, CAST($6 AS BIGINT), CAST($6 AS BIGINT), NULL, NULL \
     FROM (SELECT MAX(due_ms) AS last_ms FROM job \
           WHERE kind = $2 AND lane = $3 AND state = 0) w";

/// Leaves many jobs of a kind whose order does not matter.
///
/// # Errors
/// Any [`StoreError`].
pub fn leave_many(tx: &mut Tx<'_>, jobs: &[NewJob], now_ms: i64) -> Result<(), StoreError> {
    let rows: Vec<Vec<Val<'_>>> = jobs
        .iter()
        .map(|job| {
            let waiting = 0_i64;
            vec![
                job.id.into(),
                job.kind.as_number().into(),
                job.lane.into(),
                job.subject.into(),
                waiting.into(),
                job.due_ms.into(),
                0_i64.into(),
                now_ms.into(),
                now_ms.into(),
            ]
        })
        .collect();
    let columns = &[
        ("id", ColumnType::I64),
        ("kind", ColumnType::I64),
        ("lane", ColumnType::I64),
        ("subject", ColumnType::I64),
        ("state", ColumnType::I64),
        ("due_ms", ColumnType::I64),
        ("attempts", ColumnType::I64),
        ("created_ms", ColumnType::I64),
        ("since_ms", ColumnType::I64),
    ];
    let insert = Insert {
        table: "job",
        columns,
        tail: "",
    };
    tx.insert_rows(&insert, &rows)?;
    Ok(())
}

/// The lanes of a kind that have something due, are not paused and not held by another node (what
/// this node itself still holds, it failed to give back); those that did well come first, and among them the one whose work has waited longest.
///
/// Steps from lane to lane along the index, so that a lane with a million waiting jobs costs no
/// more than one with a single job. What waits is worked out once for each lane, which neither
/// engine would do unasked.
///
/// # Errors
/// Any [`StoreError`].
pub async fn due_lanes(
    db: &Db,
    kind: JobKind,
    node: NodeId,
    now_ms: i64,
    limit: i64,
) -> Result<Vec<DueLane>, StoreError> {
    let [first, second, third] = kind.carried();
    db.query(
        "WITH RECURSIVE lanes (kind, lane) AS ( \
           SELECT k.kind, (SELECT MIN(j.lane) FROM job j WHERE j.kind = k.kind AND j.state = 0) \
           FROM (SELECT CAST($1 AS BIGINT) AS kind UNION ALL SELECT CAST($7 AS BIGINT) \
                 UNION ALL SELECT CAST($8 AS BIGINT)) k \
           UNION ALL \
           SELECT lanes.kind, (SELECT MIN(j.lane) FROM job j \
                   WHERE j.kind = lanes.kind AND j.state = 0 AND j.lane > lanes.lane) \
           FROM lanes WHERE lanes.lane IS NOT NULL) \
         , waiting (lane, failures, due_ms) AS MATERIALIZED ( \
           SELECT lanes.lane, COALESCE(l.failures, 0), \
                  (SELECT MIN(j.due_ms) FROM job j \
                   WHERE j.kind = lanes.kind AND j.state = 0 AND j.lane = lanes.lane) \
           FROM lanes LEFT JOIN lane_lease l ON l.kind = $1 AND l.lane = lanes.lane \
           WHERE lanes.lane IS NOT NULL \
           AND (COALESCE(l.held_until_ms, 0) <= $2 OR l.held_until_ms > $5 OR l.holder = $6) \
           AND (COALESCE(l.paused_until_ms, 0) <= $2 OR l.paused_until_ms > $5)) \
         SELECT lane, MAX(failures) FROM waiting WHERE due_ms <= $4 GROUP BY lane \
         ORDER BY CASE WHEN MAX(failures) = 0 THEN 0 ELSE 1 END, MIN(due_ms), lane LIMIT $3",
        &[
            first.into(),
            now_ms.into(),
            limit.into(),
            kind.horizon_ms(now_ms).into(),
            beyond_belief_ms(now_ms).into(),
            node.into(),
            second.into(),
            third.into(),
        ],
        |row| {
            Ok(DueLane {
                lane: row.get(0)?,
                failures: count(row.get(1)?),
            })
        },
    )
    .await
}

/// Takes a lane until `until_ms` with at most `limit` of its due jobs; `None` where another node
/// holds it or it is paused. A node begins no second task for a lane that it works on.
///
/// # Errors
/// Any [`StoreError`].
pub fn lease(
    tx: &mut Tx<'_>,
    kind: JobKind,
    lane: i64,
    holder: NodeId,
    now_ms: i64,
    until_ms: i64,
    limit: i64,
) -> Result<Option<Lease>, StoreError> {
    let failures = tx.query_opt(
        "INSERT INTO lane_lease (kind, lane, holder, held_until_ms, failures, paused_until_ms) \
         VALUES ($1, $2, $3, $4, 0, 0) \
         ON CONFLICT (kind, lane) DO UPDATE SET holder = $3, held_until_ms = $4 \
         WHERE (lane_lease.held_until_ms <= $5 OR lane_lease.held_until_ms > $6 \
           OR lane_lease.holder = $3) \
         AND (lane_lease.paused_until_ms <= $5 OR lane_lease.paused_until_ms > $6) \
         RETURNING failures",
        &[
            kind.lane_number().into(),
            lane.into(),
            holder.into(),
            until_ms.into(),
            now_ms.into(),
            beyond_belief_ms(now_ms).into(),
        ],
        |row| row.get(0).map(count),
    )?;
    let Some(failures) = failures else {
        return Ok(None);
    };
    let jobs = due_jobs(tx, kind, lane, now_ms, limit)?;
    Ok(Some(Lease { failures, jobs }))
}

/// Holds a lane on until `until_ms`, where its work takes long; `false` where the lease was lost.
///
/// # Errors
/// Any [`StoreError`].
pub fn hold(
    tx: &mut Tx<'_>,
    kind: JobKind,
    lane: i64,
    holder: NodeId,
    until_ms: i64,
) -> Result<bool, StoreError> {
    let held = tx.execute(
        "UPDATE lane_lease SET held_until_ms = $4 WHERE kind = $1 AND lane = $2 AND holder = $3",
        &[
            kind.lane_number().into(),
            lane.into(),
            holder.into(),
            until_ms.into(),
        ],
    )?;
    Ok(held > 0)
}

/// Gives every lane and every scheduled piece of work free, where only one process works on the
/// database: whoever held them is gone.
///
/// # Errors
/// Any [`StoreError`].
pub fn free_all(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE lane_lease SET held_until_ms = 0 WHERE held_until_ms > 0",
        &[],
    )?;
    tx.execute(
        "UPDATE schedule SET held_until_ms = 0 WHERE held_until_ms > 0",
        &[],
    )?;
    Ok(())
}

/// Keeps what became of jobs of a held lane, holds the lane on until `until_ms` and takes its next
/// due jobs; where there are none, gives the lane back at once in the state `idle`. `None` where
/// the lease was lost meanwhile (what became of the jobs is kept all the same).
///
/// # Errors
/// Any [`StoreError`].
#[expect(
    clippy::too_many_arguments,
    reason = "each is a plain fact of the lease"
)]
pub fn carry_on(
    tx: &mut Tx<'_>,
    kind: JobKind,
    lane: i64,
    holder: NodeId,
    ends: &[(JobId, JobEnd)],
    now_ms: i64,
    until_ms: i64,
    limit: i64,
    idle: LaneState,
) -> Result<Option<Vec<Job>>, StoreError> {
    end(tx, kind, ends, now_ms)?;
    if !hold(tx, kind, lane, holder, until_ms)? {
        return Ok(None);
    }
    let jobs = due_jobs(tx, kind, lane, now_ms, limit)?;
    if jobs.is_empty() {
        release(tx, kind, lane, holder, idle)?;
    }
    Ok(Some(jobs))
}

/// Gives a lane back.
///
/// # Errors
/// Any [`StoreError`].
pub fn release(
    tx: &mut Tx<'_>,
    kind: JobKind,
    lane: i64,
    holder: NodeId,
    state: LaneState,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE lane_lease SET held_until_ms = 0, failures = $4, paused_until_ms = $5 \
         WHERE kind = $1 AND lane = $2 AND holder = $3",
        &[
            kind.lane_number().into(),
            lane.into(),
            holder.into(),
            state.failures.into(),
            state.paused_until_ms.into(),
        ],
    )?;
    Ok(())
}

/// Keeps what became of jobs.
///
/// # Errors
/// Any [`StoreError`].
pub fn end(
    tx: &mut Tx<'_>,
    kind: JobKind,
    ends: &[(JobId, JobEnd)],
    now_ms: i64,
) -> Result<(), StoreError> {
    let done: Vec<Vec<Val<'_>>> = ends
        .iter()
        .filter(|(_, end)| *end == JobEnd::Done)
        .map(|(id, _)| vec![(*id).into()])
        .collect();
    if !kind.stays_on_record() {
        tx.execute_each("DELETE FROM job WHERE id = $1", &done)?;
    }
    for (id, end) in ends {
        let (state, due_ms, ended_ms, fault) = match end {
            JobEnd::Done if !kind.stays_on_record() => continue,
            JobEnd::Done => (1, now_ms, Some(now_ms), None),
            JobEnd::Later { due_ms } => {
                tx.execute(
                    "UPDATE job SET due_ms = $2 WHERE id = $1 AND state = 0",
                    &[(*id).into(), (*due_ms).into()],
                )?;
                continue;
            }
            JobEnd::Again { due_ms, fault } => (0, *due_ms, None, Some(fault)),
            JobEnd::GivenUp { fault } => (2, now_ms, Some(now_ms), Some(fault)),
        };
        tx.execute(
            "UPDATE job SET state = $2, due_ms = $3, ended_ms = $4, last_fault = $5, \
             attempts = attempts + 1 WHERE id = $1 AND state = 0",
            &[
                (*id).into(),
                state.into(),
                due_ms.into(),
                ended_ms.into(),
                fault.into(),
            ],
        )?;
    }
    Ok(())
}

/// How much of a kind is waiting.
///
/// # Errors
/// Any [`StoreError`].
pub async fn backlog(db: &Db, kind: JobKind) -> Result<Backlog, StoreError> {
    db.scan(move |tx| {
        let waiting = tx.query_opt(
            "SELECT COUNT(*), MIN(created_ms) FROM job WHERE kind = $1 AND state = 0",
            &[kind.as_number().into()],
            |row| Ok((row.get::<i64>(0)?, row.get::<Option<i64>>(1)?)),
        )?;
        let given_up = tx.query_opt(
            "SELECT COUNT(*) FROM job WHERE kind = $1 AND state = 2",
            &[kind.as_number().into()],
            |row| row.get::<i64>(0),
        )?;
        let (waiting, oldest_created_ms) = waiting.unwrap_or_default();
        Ok(Backlog {
            waiting,
            oldest_created_ms,
            given_up: given_up.unwrap_or_default(),
        })
    })
    .await
}

/// Removes at most `limit` jobs that were done before `before_ms`; never one that waits or was
/// given up.
///
/// # Errors
/// Any [`StoreError`].
pub fn prune(tx: &mut Tx<'_>, before_ms: i64, limit: i64) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM job WHERE id IN \
         (SELECT id FROM job WHERE state = 1 AND ended_ms < $1 LIMIT $2)",
        &[before_ms.into(), limit.into()],
    )
}

fn due_jobs(
    tx: &mut Tx<'_>,
    kind: JobKind,
    lane: i64,
    now_ms: i64,
    limit: i64,
) -> Result<Vec<Job>, StoreError> {
    let [first, second, third] = kind.carried();
    let horizon_ms = kind.horizon_ms(now_ms);
    let read = |row: &Row<'_>| {
        Ok(Job {
            id: JobId(row.get(0)?),
            kind: JobKind::from_number(row.get(1)?)?,
            subject: row.get(2)?,
            attempts: count(row.get(3)?),
            since_ms: row.get(4)?,
            due_ms: row.get(5)?,
        })
    };
    if second == 0 {
        return tx.query(
            "SELECT id, kind, subject, attempts, since_ms, due_ms FROM job \
             WHERE kind = $1 AND lane = $2 AND state = 0 AND due_ms <= $3 \
             ORDER BY due_ms, id LIMIT $4",
            &[first.into(), lane.into(), horizon_ms.into(), limit.into()],
            read,
        );
    }
    // Each part takes its order from the index, whatever waits in the others.
    let due = tx.query(
        "SELECT id, kind, subject, attempts, since_ms, due_ms FROM ( \
           SELECT * FROM (SELECT 1 AS place, id, kind, subject, attempts, since_ms, due_ms \
             FROM job WHERE kind = $1 AND lane = $2 AND state = 0 AND due_ms <= $3 \
             ORDER BY due_ms, id LIMIT $4) a \
           UNION ALL \
           SELECT * FROM (SELECT 2 AS place, id, kind, subject, attempts, since_ms, due_ms \
             FROM job WHERE kind = $5 AND lane = $2 AND state = 0 AND due_ms <= $3 \
             ORDER BY due_ms, id LIMIT $4) b \
           UNION ALL \
           SELECT * FROM (SELECT 3 AS place, id, kind, subject, attempts, since_ms, due_ms \
             FROM job WHERE kind = $6 AND lane = $2 AND state = 0 AND due_ms <= $3 \
             ORDER BY due_ms, id LIMIT $4) c) due \
         ORDER BY place, due_ms, id",
        &[
            first.into(),
            lane.into(),
            horizon_ms.into(),
            limit.into(),
            second.into(),
            third.into(),
        ],
        read,
    )?;
    Ok(kinds::shared_out(
        due,
        usize::try_from(limit).unwrap_or(usize::MAX),
    ))
}

/// Nothing is ever held, paused or put off this far: a moment beyond it was written by a clock
/// that was wrong, and counts as past.
pub(crate) const fn beyond_belief_ms(now_ms: i64) -> i64 {
    now_ms + 2 * 86_400_000
}

fn count(stored: i64) -> u32 {
    u32::try_from(stored).unwrap_or(u32::MAX)
}

impl JobKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Judge,
        Self::Callback,
        Self::Reconcile,
        Self::Reminder,
        Self::Correction,
        Self::Revocation,
        Self::Appeal,
    ];

    /// Its name in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Judge => "judge",
            Self::Callback => "callback",
            Self::Reconcile => "reconcile",
            Self::Reminder => "reminder",
            Self::Correction => "correction",
            Self::Revocation => "revocation",
            Self::Appeal => "appeal",
        }
    }

    /// Whether its jobs are done strictly in the order in which they were left. Such a job is
    /// never put off by itself: where it fails its lane is paused.
    const fn is_ordered(self) -> bool {
        matches!(self, Self::Judge)
    }

    /// Jobs with a due moment up to this are due: for an ordered kind it is only their order.
    const fn horizon_ms(self, now_ms: i64) -> i64 {
        if self.is_ordered() { i64::MAX } else { now_ms }
    }

    pub(crate) const fn as_number(self) -> i64 {
        match self {
            Self::Judge => 1,
            Self::Callback => 2,
            Self::Reconcile => 3,
            Self::Reminder => 7,
            Self::Correction => 8,
            Self::Revocation => 9,
            Self::Appeal => 10,
        }
    }
}

#[cfg(test)]
mod tests;
