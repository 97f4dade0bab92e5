//! Jobs: left, looked for, and what became of them.

use super::count;
use super::kinds::{JobKind, shared_out};
use crate::db::{ColumnType, Db, Insert, Row, StoreError, Tx, Val};
use crate::ids::JobId;

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
    /// When its tries began: when it was left, or when an operator had it done again.
    pub since_ms: i64,
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

/// The next due jobs of a lane, in their order.
pub(super) fn due_jobs(
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
    Ok(shared_out(
        due,
        usize::try_from(limit).unwrap_or(usize::MAX),
    ))
}
