//! Where the journal's entries of reads wait on SQLite: a file of their own.
//!
//! A commit to the main file makes every reader forget what it remembers of it, and an entry has
//! indexes to keep; at thousands of look-ups a second both together cost more than the look-ups
//! themselves. So the entries of reads are made durable here, many in one row, and moved into the
//! journal a little later and at a bounded pace. Moving them twice does no harm.

use std::sync::Arc;

use crate::db::{Db, DbSettings, MigrationText, StoreError};
use crate::journal::Entry;

/// Bytes of an entry as it is kept: about as many, so that room is made once.
const PACKED: usize = 160;

/// The file beside the main one.
#[derive(Debug, Clone)]
pub struct Spool {
    db: Db,
}

/// Entries that wait.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Up to which row they stand.
    last_row: i64,
    /// The entries.
    pub entries: Arc<Vec<Entry>>,
}

const MIGRATIONS: &[MigrationText] = &[(
    "V0001__waiting",
    "CREATE TABLE waiting (id BIGINT PRIMARY KEY, entries BLOB NOT NULL);",
)];

impl Spool {
    /// Opens the spool of a database; `None` where it is none of SQLite, which needs none.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn open(url: &str) -> Result<Option<Self>, StoreError> {
        if !url.starts_with("sqlite:") {
            return Ok(None);
        }
        let db = Db::open(&DbSettings::new(format!("{url}.reads"))).await?;
        db.migrate_with(MIGRATIONS).await?;
        Ok(Some(Self { db }))
    }

    /// Keeps entries, durable once this returns.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn put(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let room = Vec::with_capacity(entries.len() * PACKED);
        let packed = postcard::to_extend(entries, room)
            .map_err(|error| StoreError::Corrupt(format!("entries of the journal: {error}")))?;
        self.db
            .write(move |tx| {
                tx.execute(
                    "INSERT INTO waiting (entries) VALUES ($1)",
                    &[(&packed).into()],
                )?;
                Ok(())
            })
            .await
    }

    /// The entries that have waited longest: whole rows until there are `about` of them, at least
    /// one row. `None` where nothing waits.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn first(&self, about: usize) -> Result<Option<Waiting>, StoreError> {
        let mut last_row = i64::MIN;
        let mut entries: Vec<Entry> = Vec::new();
        while entries.is_empty() || entries.len() < about {
            let row = self
                .db
                .query_opt(
                    "SELECT id, entries FROM waiting WHERE id > $1 ORDER BY id LIMIT 1",
                    &[last_row.into()],
                    |row| Ok((row.get::<i64>(0)?, row.get::<Vec<u8>>(1)?)),
                )
                .await?;
            let Some((row, packed)) = row else { break };
            last_row = row;
            let more: Vec<Entry> = postcard::from_bytes(&packed)
                .map_err(|error| StoreError::Corrupt(format!("waiting entries: {error}")))?;
            entries.extend(more);
        }
        Ok((last_row > i64::MIN).then(|| Waiting {
            last_row,
            entries: Arc::new(entries),
        }))
    }

    /// Forgets entries that were moved.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn forget(&self, moved: &Waiting) -> Result<(), StoreError> {
        let last_row = moved.last_row;
        self.db
            .write(move |tx| {
                tx.execute("DELETE FROM waiting WHERE id <= $1", &[last_row.into()])?;
                Ok(())
            })
            .await
    }

    /// Closes the file.
    pub async fn close(&self) {
        self.db.close().await;
    }
}
