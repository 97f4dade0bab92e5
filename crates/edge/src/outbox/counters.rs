//! What is counted.

use banyan_store::db::{StoreError, Tx};

/// The next number of a sequence, which begins at 1.
pub(super) fn next(tx: &mut Tx<'_>, name: &'static str) -> Result<i64, StoreError> {
    let number = tx.query_opt(
        "INSERT INTO counter (name, value) VALUES ($1, 1)
         ON CONFLICT (name) DO UPDATE SET value = counter.value + 1 RETURNING value",
        &[name.into()],
        |row| row.get::<i64>(0),
    )?;
    number.ok_or_else(|| StoreError::Corrupt(format!("the counter {name} gives no number")))
}
