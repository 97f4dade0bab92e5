//! Work that happens by the clock, once for the province however many nodes share the database.

use crate::db::{Db, StoreError, Tx};
use crate::ids::NodeId;
use crate::queue::beyond_belief_ms;

/// Whether a piece of work that happens by the clock may be due: it is, or nobody knows it yet.
///
/// # Errors
/// Any [`StoreError`].
pub async fn may_be_due(db: &Db, name: &str, now_ms: i64) -> Result<bool, StoreError> {
    let due = db
        .query_opt(
            "SELECT next_ms, held_until_ms FROM schedule WHERE name = $1",
            &[name.into()],
            |row| {
                let is_past = |at_ms: i64| at_ms <= now_ms || at_ms > beyond_belief_ms(now_ms);
                Ok(is_past(row.get(0)?) && is_past(row.get(1)?))
            },
        )
        .await?;
    Ok(due.unwrap_or(true))
}

/// Takes a piece of work that happens by the clock, if it is due and no other node has it.
/// A name seen for the first time is due at `first_ms`.
///
/// # Errors
/// Any [`StoreError`].
pub fn take(
    tx: &mut Tx<'_>,
    name: &str,
    holder: NodeId,
    now_ms: i64,
    until_ms: i64,
    first_ms: i64,
) -> Result<bool, StoreError> {
    tx.execute(
        "INSERT INTO schedule (name, next_ms, holder, held_until_ms) VALUES ($1, $2, 0, 0) \
         ON CONFLICT (name) DO NOTHING",
        &[name.into(), first_ms.into()],
    )?;
    let taken = tx.execute(
        "UPDATE schedule SET holder = $2, held_until_ms = $4 \
         WHERE name = $1 AND (next_ms <= $3 OR next_ms > $5) \
         AND (held_until_ms <= $3 OR held_until_ms > $5)",
        &[
            name.into(),
            holder.into(),
            now_ms.into(),
            until_ms.into(),
            beyond_belief_ms(now_ms).into(),
        ],
    )?;
    Ok(taken > 0)
}

/// Gives a piece of scheduled work back until `next_ms`.
///
/// # Errors
/// Any [`StoreError`].
pub fn put_back(
    tx: &mut Tx<'_>,
    name: &str,
    holder: NodeId,
    next_ms: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE schedule SET next_ms = $3, held_until_ms = 0 WHERE name = $1 AND holder = $2",
        &[name.into(), holder.into(), next_ms.into()],
    )?;
    Ok(())
}

/// Gives every piece of work free, where only one process works on the database: whoever held it is
/// gone.
///
/// # Errors
/// Any [`StoreError`].
pub fn free_all(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE schedule SET held_until_ms = 0 WHERE held_until_ms > 0",
        &[],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE_A: NodeId = NodeId(1);
    const NODE_B: NodeId = NodeId(2);

    crate::on_both_engines! {
        async fn scheduled_work_is_done_by_one_node(db: &TestDb) {
            let take = |node, now_ms| async move {
                db.write(move |tx| {
                    take(tx, "retention", node, now_ms, now_ms + 100, 1_000)
                })
                .await
                .map_err(|error: StoreError| error)
                .unwrap()
            };
            assert!(!take(NODE_A, 999).await);
            assert!(take(NODE_A, 1_000).await);
            assert!(!take(NODE_B, 1_050).await);
            assert!(take(NODE_B, 1_100).await, "the first node died");
            db.write(|tx| put_back(tx, "retention", NODE_B, 5_000))
                .await
                .map_err(|error: StoreError| error)
                .unwrap();
            assert!(!take(NODE_A, 4_999).await);
            assert!(take(NODE_A, 5_000).await);
        }
    }
}
