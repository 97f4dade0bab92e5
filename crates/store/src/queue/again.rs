//! Having jobs done again, because an operator says so.

use super::JobKind;
use crate::db::{StoreError, Tx};
use crate::ids::JobId;

/// Which jobs are to be done again.
#[derive(Debug, Clone, Copy)]
pub enum Which {
    /// This one, whatever became of it.
    One(JobId),
    /// Those of a lane that were left in a window of time and were not done: the ones given up,
    /// and the ones that wait for their next try.
    Undone {
        /// The lane.
        lane: i64,
        /// From this moment on.
        from_ms: i64,
        /// Before this moment.
        to_ms: i64,
    },
    /// Those of a lane that were left in a window of time and were done.
    Done {
        /// The lane.
        lane: i64,
        /// From this moment on.
        from_ms: i64,
        /// Before this moment.
        to_ms: i64,
    },
    /// All that were given up, in every lane.
    GivenUp,
}

/// Has jobs done again, from their first attempt; their ids stay. Gives how many.
///
/// Means the jobs of every kind that the lanes of this kind carry; but of those that were done, no
/// reminder: nobody is to be reminded again because a partner lost what it was told. The pause of
/// the lane is lifted where one job is meant or what a partner was not told; otherwise it stands,
/// for nothing says that the partner answers again.
///
/// # Errors
/// Any [`StoreError`].
pub fn redo(tx: &mut Tx<'_>, kind: JobKind, which: Which, now_ms: i64) -> Result<u64, StoreError> {
    let [first, second, third] = kind.carried();
    match which {
        Which::One(id) => {
            let lane = tx.query_opt(
                "SELECT lane FROM job WHERE id = $1 AND kind IN ($2, $3, $4)",
                &[id.into(), first.into(), second.into(), third.into()],
                |row| row.get::<i64>(0),
            )?;
            let Some(lane) = lane else { return Ok(0) };
            lift_pause(tx, lane)?;
            tx.execute(
                "UPDATE job SET state = 0, due_ms = $2, since_ms = $2, attempts = 0, \
                 ended_ms = NULL WHERE id = $1",
                &[id.into(), now_ms.into()],
            )
        }
        Which::Undone {
            lane,
            from_ms,
            to_ms,
        } => {
            lift_pause(tx, lane)?;
            tx.execute(
                "UPDATE job SET state = 0, due_ms = $5, since_ms = $5, attempts = 0, \
                 ended_ms = NULL WHERE kind IN ($1, $6, $7) AND lane = $2 AND created_ms >= $3 \
                 AND created_ms < $4 AND (state = 0 OR state = 2)",
                &[
                    first.into(),
                    lane.into(),
                    from_ms.into(),
                    to_ms.into(),
                    now_ms.into(),
                    second.into(),
                    third.into(),
                ],
            )
        }
        Which::Done {
            lane,
            from_ms,
            to_ms,
        } => tx.execute(
            // What was left in the window ended after its beginning, which the index knows.
            "UPDATE job SET state = 0, due_ms = $5, since_ms = $5, attempts = 0, \
             ended_ms = NULL WHERE state = 1 AND ended_ms >= $3 AND kind IN ($1, $6, $7) \
             AND kind <> $8 AND lane = $2 AND created_ms >= $3 AND created_ms < $4",
            &[
                first.into(),
                lane.into(),
                from_ms.into(),
                to_ms.into(),
                now_ms.into(),
                second.into(),
                third.into(),
                JobKind::Reminder.as_number().into(),
            ],
        ),
        Which::GivenUp => tx.execute(
            "UPDATE job SET state = 0, due_ms = $2, since_ms = $2, attempts = 0, \
             ended_ms = NULL WHERE kind IN ($1, $3, $4) AND state = 2",
            &[first.into(), now_ms.into(), second.into(), third.into()],
        ),
    }
}

/// Has a partner's lanes tried again at once.
///
/// # Errors
/// Any [`StoreError`].
pub fn lift_pause(tx: &mut Tx<'_>, lane: i64) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE lane_lease SET paused_until_ms = 0, failures = 0 WHERE lane = $1",
        &[lane.into()],
    )?;
    Ok(())
}

/// Has the tries of what waits in a lane begin now: what waited because nobody was there to take it
/// is not older for it. Means the jobs of every kind that the lanes of this kind carry.
///
/// # Errors
/// Any [`StoreError`].
pub fn begin_anew(
    tx: &mut Tx<'_>,
    kind: JobKind,
    lane: i64,
    now_ms: i64,
) -> Result<(), StoreError> {
    let [first, second, third] = kind.carried();
    tx.execute(
        "UPDATE job SET since_ms = $5 WHERE kind IN ($1, $2, $3) AND lane = $4 AND state = 0",
        &[
            first.into(),
            second.into(),
            third.into(),
            lane.into(),
            now_ms.into(),
        ],
    )?;
    Ok(())
}
