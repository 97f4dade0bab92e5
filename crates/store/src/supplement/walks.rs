//! Walks over a ledger in the order of ids, a chunk at a time: how far each has come is kept with
//! what the chunk did, so that a walk that was broken off goes on where it stopped.

use crate::db::{Db, StoreError, Tx};

/// How far a walk has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walk {
    /// What it is walked for; another goal begins it anew.
    pub goal: String,
    /// The id to go on after.
    pub after: i64,
    /// Records that it came by.
    pub walked: i64,
    /// What it added.
    pub added: i64,
    /// What it ended.
    pub ended: i64,
    /// Whether it came to the end.
    pub done: bool,
}

/// How far the walk of this name has come; `None` where it never began.
///
/// # Errors
/// Any [`StoreError`].
pub async fn read(db: &Db, name: &str) -> Result<Option<Walk>, StoreError> {
    db.query_opt(
        "SELECT goal, after_id, walked, added, ended, done FROM supplement_walk WHERE name = $1",
        &[name.into()],
        |row| {
            Ok(Walk {
                goal: row.get(0)?,
                after: row.get(1)?,
                walked: row.get(2)?,
                added: row.get(3)?,
                ended: row.get(4)?,
                done: row.get::<i64>(5)? != 0,
            })
        },
    )
    .await
}

/// Puts a walk where it now stands; wherever it stood before.
///
/// # Errors
/// Any [`StoreError`].
pub fn put(tx: &mut Tx<'_>, name: &str, walk: &Walk, now_ms: i64) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO supplement_walk (name, goal, after_id, walked, added, ended, done, changed_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO UPDATE SET \
         goal = excluded.goal, after_id = excluded.after_id, walked = excluded.walked, \
         added = excluded.added, ended = excluded.ended, done = excluded.done, \
         changed_ms = excluded.changed_ms",
        &[
            name.into(),
            (&walk.goal).into(),
            walk.after.into(),
            walk.walked.into(),
            walk.added.into(),
            walk.ended.into(),
            i64::from(walk.done).into(),
            now_ms.into(),
        ],
    )?;
    Ok(())
}

/// Moves a walk on; `false` where it does not stand at `from` any more, because somebody else walks
/// it or it has another goal by now.
///
/// # Errors
/// Any [`StoreError`].
pub fn advance(
    tx: &mut Tx<'_>,
    name: &str,
    from: &Walk,
    to: &Walk,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let moved = tx.execute(
        "UPDATE supplement_walk SET after_id = $4, walked = $5, added = $6, ended = $7, done = $8, \
         changed_ms = $9 WHERE name = $1 AND goal = $2 AND after_id = $3 AND done = 0",
        &[
            name.into(),
            (&from.goal).into(),
            from.after.into(),
            to.after.into(),
            to.walked.into(),
            to.added.into(),
            to.ended.into(),
            i64::from(to.done).into(),
            now_ms.into(),
        ],
    )?;
    Ok(moved > 0)
}
