//! How far the import of an operator's file has come, so that it goes on where it stopped and nothing
//! of its report is lost or said twice. A file that is imported for more than one purpose has a
//! digest for each.

use crate::db::{Db, StoreError, Tx};

/// How far an import has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Records that are done, from the file's beginning.
    pub records_done: i64,
    /// What they came to, as JSON of the room's own making.
    pub counts: String,
    /// The length of the report before the last batch, in bytes.
    pub report_bytes: i64,
    /// What the last batch adds to it; it may not have reached the file.
    pub last_report: String,
    /// Whether the whole file is done.
    pub done: bool,
}

impl Progress {
    /// How far it is after so many more records; `report` is what they add to it.
    #[must_use]
    pub fn after(&self, records: u64, counts: String, report: String, done: bool) -> Self {
        let more = |length: i64, by: u64| length.saturating_add_unsigned(by);
        Self {
            records_done: more(self.records_done, records),
            counts,
            report_bytes: more(self.report_bytes, self.last_report.len() as u64),
            last_report: report,
            done,
        }
    }
}

/// How far the import of the file with this digest has come; `None` where it never began.
///
/// # Errors
/// Any [`StoreError`].
pub async fn progress(db: &Db, file: &[u8; 32]) -> Result<Option<Progress>, StoreError> {
    db.query_opt(
        "SELECT records_done, counts, report_bytes, last_report, done_ms \
         FROM person_import WHERE file_digest = $1",
        &[file.into()],
        |row| {
            Ok(Progress {
                records_done: row.get(0)?,
                counts: row.get(1)?,
                report_bytes: row.get(2)?,
                last_report: row.get(3)?,
                done: row.get::<Option<i64>>(4)?.is_some(),
            })
        },
    )
    .await
}

/// Moves an import on; `false` where it does not stand at `from` records any more: somebody else
/// imports the same file.
///
/// # Errors
/// Any [`StoreError`].
pub fn advance(
    tx: &mut Tx<'_>,
    file: &[u8; 32],
    from: i64,
    to: &Progress,
    now_ms: i64,
) -> Result<bool, StoreError> {
    if from == 0 {
        tx.execute(
            "INSERT INTO person_import (file_digest, records_done, counts, report_bytes, \
             last_report, started_ms, changed_ms, done_ms) VALUES ($1, 0, '', 0, '', $2, $2, NULL) \
             ON CONFLICT (file_digest) DO NOTHING",
            &[file.into(), now_ms.into()],
        )?;
    }
    let moved = tx.execute(
        "UPDATE person_import SET records_done = $3, counts = $4, report_bytes = $5, \
         last_report = $6, changed_ms = $7, done_ms = $8 \
         WHERE file_digest = $1 AND records_done = $2 AND done_ms IS NULL",
        &[
            file.into(),
            from.into(),
            to.records_done.into(),
            (&to.counts).into(),
            to.report_bytes.into(),
            (&to.last_report).into(),
            now_ms.into(),
            to.done.then_some(now_ms).into(),
        ],
    )?;
    Ok(moved > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::on_both_engines! {
        async fn an_import_moves_on_from_where_it_stands(db: &TestDb) {
            let file = [7; 32];
            assert_eq!(progress(db, &file).await.unwrap(), None);
            let to = |records_done, done| Progress { records_done, counts: "{}".to_owned(), report_bytes: 3, last_report: "x".to_owned(), done };
            let advance = |from, to: Progress| async move {
                db.write(move |tx| advance(tx, &file, from, &to, 1)).await.map_err(|e: StoreError| e).unwrap()
            };
            assert!(advance(0, to(100, false)).await);
            assert!(!advance(0, to(90, false)).await, "somebody else was faster");
            assert!(advance(100, to(200, true)).await);
            assert!(!advance(200, to(300, true)).await, "it is done");
            assert_eq!(progress(db, &file).await.unwrap(), Some(to(200, true)));
        }
    }
}
