//! Removing records that are older than they may be kept, with all their versions.
//!
//! A ledger has no index by time, which every record would pay for: ids ascend with the moments at
//! which records were first kept, so whoever walks from the lowest id may stop at the first chunk
//! of which everything is young.

use super::ledger::Ledger;
use crate::db::{StoreError, Tx, Val};

/// What became of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// The id to go on after; `None` where nothing old is left.
    pub next: Option<i64>,
    /// Records removed.
    pub records: u64,
}

/// A record that is removed, and whom it is about.
pub(super) struct Gone {
    pub(super) id: i64,
    pub(super) person: [u8; 16],
}

/// Looks at no more than `limit` records after this id, and removes those whose last version came
/// before `before_ms`, with their past versions.
pub(super) fn prune(
    tx: &mut Tx<'_>,
    ledger: &Ledger,
    before_ms: i64,
    after: i64,
    limit: i64,
) -> Result<(Pruned, Vec<Gone>), StoreError> {
    let table = ledger.insert.table;
    let seen = tx.query(
        &format!(
            "SELECT id, created_ms, changed_ms FROM {table} WHERE id > $1 ORDER BY id LIMIT $2"
        ),
        &[after.into(), limit.into()],
        |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?, row.get::<i64>(2)?)),
    )?;
    let any_old = seen
        .iter()
        .any(|(_, created_ms, _)| *created_ms < before_ms);
    let full = i64::try_from(seen.len()).is_ok_and(|count| count >= limit);
    let next = seen.last().map(|(id, ..)| *id);
    let next = next.filter(|_| any_old && full);
    let old: Vec<Vec<Val<'_>>> = seen
        .iter()
        .filter(|(.., changed_ms)| *changed_ms < before_ms)
        .map(|(id, ..)| vec![(*id).into()])
        .collect();
    // Nobody changes it any more from here on; whoever did so meanwhile keeps his record.
    tx.execute_each(&ledger.lock(), &old)?;
    let still = tx.query_each(
        &format!("SELECT id, changed_ms, person FROM {table} WHERE id = $1"),
        &old,
        |row| {
            let gone = Gone {
                id: row.get(0)?,
                person: row.get(2)?,
            };
            Ok((row.get::<i64>(1)?, gone))
        },
    )?;
    let gone: Vec<Gone> = still
        .into_iter()
        .flatten()
        .filter(|(changed_ms, _)| *changed_ms < before_ms)
        .map(|(_, gone)| gone)
        .collect();
    let ids: Vec<Vec<Val<'_>>> = gone.iter().map(|gone| vec![gone.id.into()]).collect();
    tx.execute_each("DELETE FROM supplement_past WHERE record_id = $1", &ids)?;
    let records = tx.execute_each(&format!("DELETE FROM {table} WHERE id = $1"), &ids)?;
    Ok((Pruned { next, records }, gone))
}
