//! Where the journal's entries of reads wait: many in one row, until they are moved.
//!
//! An entry in the journal has indexes to keep, and at thousands of look-ups a second that costs
//! more than the look-ups themselves. So the entries of reads are made durable here, and moved into
//! the journal a little later and at a bounded pace. On SQLite they wait in a file of their own, for
//! a commit to the main file makes every reader forget what it remembers of it; moving them twice
//! does no harm. On PostgreSQL they wait in a table beside the journal, for any node to move.

use std::sync::Arc;

use crate::db::{ColumnType, Db, DbSettings, Engine, Insert, MigrationText, StoreError, Tx, Val};
use crate::journal::{self, Entry};

/// Entries in a row at the most: whole rows are moved, and so no more at once than was asked for,
/// and a row.
const IN_A_ROW: usize = 250;
/// Bytes of an entry as it is kept: about as many, so that room is made once.
const PACKED: usize = 160;
const INSERT: Insert<'static> = Insert {
    table: "journal_waiting",
    columns: &[
        ("id", ColumnType::I64),
        ("earliest_ms", ColumnType::I64),
        ("entries", ColumnType::Blob),
    ],
    tail: "",
};

/// Where entries wait, and the journal that they wait for.
#[derive(Debug, Clone)]
pub struct Spool {
    /// Has the table of those that wait.
    waiting: Db,
    /// Has the journal; the same where they wait beside it.
    journal: Db,
}

/// Entries that wait.
struct Waiting {
    rows: Vec<i64>,
    entries: Vec<Entry>,
}

/// The file beside that of SQLite.
const MIGRATIONS: &[MigrationText] = &[
    (
        "V0001__waiting",
        "CREATE TABLE waiting (id BIGINT PRIMARY KEY, entries BLOB NOT NULL);",
    ),
    (
        "V0002__earliest",
        "CREATE TABLE journal_waiting (
             id BIGINT PRIMARY KEY, earliest_ms BIGINT NOT NULL, entries BLOB NOT NULL);
         CREATE INDEX journal_waiting_earliest ON journal_waiting (earliest_ms, id);
         INSERT INTO journal_waiting (id, earliest_ms, entries) SELECT id, 0, entries FROM waiting;
         DROP TABLE waiting;",
    ),
];

impl Spool {
    /// Opens the spool of a journal that is at this URL.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn open(url: &str, journal: Db) -> Result<Self, StoreError> {
        let waiting = match journal.engine() {
            Engine::Sqlite => {
                let file = Db::open(&DbSettings::new(format!("{url}.reads"))).await?;
                file.migrate_with(MIGRATIONS).await?;
                file
            }
            Engine::Postgres => journal.clone(),
        };
        Ok(Self { waiting, journal })
    }

    /// Keeps entries, durable once this returns.
    ///
    /// # Errors
    /// Any [`StoreError`]; [`StoreError::Conflict`] where they wait already.
    pub async fn put(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let rows = entries.chunks(IN_A_ROW).map(row);
        let rows: Vec<Vec<Val<'static>>> = rows.collect::<Result<_, _>>()?;
        if rows.is_empty() {
            return Ok(());
        }
        self.waiting
            .write(move |tx| tx.insert_rows(&INSERT, &rows).map(drop))
            .await
    }

    /// Moves the entries that have waited longest into the journal: whole rows until there are
    /// `about` of them, at least one row. Gives whether anything waited that nobody else was moving.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn move_some(&self, about: usize) -> Result<bool, StoreError> {
        match self.journal.engine() {
            Engine::Sqlite => {
                let Waiting { rows, entries } =
                    self.waiting.scan(move |tx| first(tx, about)).await?;
                if rows.is_empty() {
                    return Ok(false);
                }
                let entries = Arc::new(entries);
                self.journal
                    .write(move |tx| journal::append_once(tx, &entries))
                    .await?;
                self.waiting.write(move |tx| forget(tx, &rows)).await?;
                Ok(true)
            }
            Engine::Postgres => {
                self.journal
                    .write(move |tx| {
                        let Waiting { rows, entries } = first(tx, about)?;
                        journal::append_once(tx, &entries)?;
                        forget(tx, &rows)?;
                        Ok(!rows.is_empty())
                    })
                    .await
            }
        }
    }

    /// When the read was begun whose entry waits longest; `None` where none waits.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn oldest_ms(&self) -> Result<Option<i64>, StoreError> {
        let found = self
            .waiting
            .query_opt("SELECT MIN(earliest_ms) FROM journal_waiting", &[], |row| {
                row.get::<Option<i64>>(0)
            })
            .await?;
        Ok(found.flatten())
    }

    /// Closes the file, where there is one.
    pub async fn close(&self) {
        if self.journal.engine() == Engine::Sqlite {
            self.waiting.close().await;
        }
    }
}

/// These entries as a row.
fn row(entries: &[Entry]) -> Result<Vec<Val<'static>>, StoreError> {
    let room = Vec::with_capacity(entries.len() * PACKED);
    let packed = postcard::to_extend(entries, room)
        .map_err(|error| StoreError::Corrupt(format!("entries of the journal: {error}")))?;
    // No two rows have an entry in common, so the number of the first will do for the row's.
    let id = entries.first().map(|entry| entry.id);
    let earliest_ms = entries.iter().map(|entry| entry.at_ms).min();
    Ok(vec![
        id.unwrap_or_default().into(),
        earliest_ms.unwrap_or_default().into(),
        Val::Blob(packed.into()),
    ])
}

/// The rows that have waited longest, of those that no other node is moving just now.
fn first(tx: &mut Tx<'_>, about: usize) -> Result<Waiting, StoreError> {
    let next = match tx.engine() {
        Engine::Sqlite => {
            "SELECT earliest_ms, id, entries FROM journal_waiting \
             WHERE (earliest_ms, id) > ($1, $2) ORDER BY earliest_ms, id LIMIT 1"
        }
        Engine::Postgres => {
            "SELECT earliest_ms, id, entries FROM journal_waiting \
             WHERE (earliest_ms, id) > ($1, $2) ORDER BY earliest_ms, id LIMIT 1 \
             FOR UPDATE SKIP LOCKED"
        }
    };
    let mut last = (i64::MIN, i64::MIN);
    let mut waiting = Waiting {
        rows: Vec::new(),
        entries: Vec::new(),
    };
    while waiting.rows.is_empty() || waiting.entries.len() < about {
        let row = tx.query_opt(next, &[last.0.into(), last.1.into()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<Vec<u8>>(2)?))
        })?;
        let Some((earliest_ms, id, packed)) = row else {
            break;
        };
        let more: Vec<Entry> = postcard::from_bytes(&packed)
            .map_err(|error| StoreError::Corrupt(format!("waiting entries: {error}")))?;
        last = (earliest_ms, id);
        waiting.rows.push(id);
        waiting.entries.extend(more);
    }
    Ok(waiting)
}

fn forget(tx: &mut Tx<'_>, rows: &[i64]) -> Result<(), StoreError> {
    let rows: Vec<_> = rows.iter().map(|id| vec![(*id).into()]).collect();
    tx.execute_each("DELETE FROM journal_waiting WHERE id = $1", &rows)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PartnerId;
    use crate::journal::Direction;
    use crate::on_both_engines;
    use crate::testing::{TestDb, number, tell};

    fn entries(ids: std::ops::Range<i64>) -> Vec<Entry> {
        ids.map(|id| Entry {
            id,
            at_ms: 1_000 + id,
            partner: PartnerId(5),
            interface: "ORG_MDL_002".into(),
            direction: Direction::Received,
            result: "000000".into(),
            person: Some(crate::vault::PersonCode([7; 32])),
            purpose: None,
            subject: Some("subject".to_owned()),
            digest: Some([9; 32]),
        })
        .collect()
    }

    async fn spool(db: &TestDb) -> Spool {
        Spool::open(&db.url, db.db.clone()).await.unwrap()
    }

    async fn journalled(db: &TestDb) -> i64 {
        number(db, "SELECT COUNT(*) FROM journal").await
    }

    on_both_engines! {
        async fn what_waited_longest_is_moved_first_and_once(db: &TestDb) {
            let spool = spool(db).await;
            assert_eq!(spool.move_some(10).await, Ok(false));
            spool.put(&entries(30..40)).await.unwrap();
            spool.put(&entries(20..30)).await.unwrap();
            spool.put(&entries(10..20)).await.unwrap();
            spool.put(&[]).await.unwrap();
            assert!(spool.put(&entries(10..20)).await.unwrap_err().is_conflict());
            assert_eq!(spool.oldest_ms().await, Ok(Some(1_010)));
            assert_eq!(spool.move_some(15).await, Ok(true));
            assert_eq!(journalled(db).await, 20);
            assert_eq!(number(db, "SELECT MAX(id) FROM journal").await, 29);
            assert_eq!(spool.oldest_ms().await, Ok(Some(1_030)));
            assert_eq!(spool.move_some(1).await, Ok(true));
            assert_eq!(spool.move_some(1).await, Ok(false));
            assert_eq!(spool.oldest_ms().await, Ok(None));
            assert_eq!(journalled(db).await, 30);
            spool.close().await;
        }

        async fn of_many_that_came_together_not_all_are_moved_at_once(db: &TestDb) {
            let spool = spool(db).await;
            spool.put(&entries(0..8_192)).await.unwrap();
            assert_eq!(spool.move_some(500).await, Ok(true));
            assert_eq!(journalled(db).await, 500);
            while spool.move_some(500).await.unwrap() {}
            assert_eq!(journalled(db).await, 8_192);
            spool.close().await;
        }

        /// The file of SQLite forgets them only after the journal has them: a crash may lie between.
        async fn what_was_moved_before_is_not_doubled(db: &TestDb) {
            let spool = spool(db).await;
            spool.put(&entries(0..10)).await.unwrap();
            db.write(|tx| journal::append(tx, &entries(0..10))).await.unwrap();
            assert_eq!(spool.move_some(10).await, Ok(true));
            assert_eq!(journalled(db).await, 10);
            spool.close().await;
        }

        async fn several_who_move_at_once_move_all_of_it_once(db: &TestDb) {
            let spool = spool(db).await;
            for row in 0..40 {
                spool.put(&entries(row * 10..row * 10 + 10)).await.unwrap();
            }
            let moves = async || while spool.move_some(25).await.unwrap() {};
            tokio::join!(moves(), moves(), moves());
            // Who found nothing left may have been done before the others.
            assert_eq!(spool.move_some(25).await, Ok(false));
            assert_eq!(journalled(db).await, 400);
            assert_eq!(number(db, "SELECT COUNT(DISTINCT id) FROM journal").await, 400);
            spool.close().await;
        }
    }

    #[test]
    fn what_waits_in_a_file_of_before_is_kept() {
        tell(Engine::Sqlite, async |db| {
            let file = Db::open(&DbSettings::new(format!("{}.reads", db.url)))
                .await
                .unwrap();
            file.migrate_with(&MIGRATIONS[..1]).await.unwrap();
            let packed = postcard::to_stdvec(&entries(0..10)).unwrap();
            file.write(move |tx| {
                let insert = "INSERT INTO waiting (entries) VALUES ($1)";
                tx.execute(insert, &[(&packed).into()]).map(drop)
            })
            .await
            .unwrap();
            file.close().await;
            let spool = spool(db).await;
            // When they were begun isn't known, so they count as earlier than anything.
            assert_eq!(spool.oldest_ms().await, Ok(Some(0)));
            assert_eq!(spool.move_some(10).await, Ok(true));
            assert_eq!(journalled(db).await, 10);
            spool.close().await;
        });
    }
}
