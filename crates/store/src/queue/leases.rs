//! Lanes: which have something due, and which node holds them.

use super::jobs::{Job, JobEnd, due_jobs, end};
use super::kinds::JobKind;
use super::{beyond_belief_ms, count};
use crate::db::{Db, StoreError, Tx};
use crate::ids::{JobId, NodeId};

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

/// Gives every lane free, where only one process works on the database: whoever held them is gone.
///
/// # Errors
/// Any [`StoreError`].
pub fn free_all(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE lane_lease SET held_until_ms = 0 WHERE held_until_ms > 0",
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
