//! What is counted.

use banyan_store::db::{StoreError, Tx};

/// The next number of a sequence, which begins at 1.
pub(super) fn next(tx: &mut Tx<'_>, name: &'static str) -> Result<i64, StoreError> {
    take(tx, name, 1)
}

/// The first of the next `count` numbers.
pub(super) fn take(tx: &mut Tx<'_>, name: &'static str, count: i64) -> Result<i64, StoreError> {
    let last = tx.query_opt(
        "INSERT INTO counter (name, value) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET value = counter.value + $2 RETURNING value",
        &[name.into(), count.into()],
        |row| row.get::<i64>(0),
    )?;
    last.map(|last| last - count + 1)
        .ok_or_else(|| StoreError::Corrupt(format!("the counter {name} gives no number")))
}
