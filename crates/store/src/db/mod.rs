//! One thin `Db` over rusqlite and tokio-postgres.
//!
//! *One SQL text for both engines.* It is written with `$1`, uses BIGINT, TEXT and BLOB, epoch
//! milliseconds, `ON CONFLICT` and `CAST(SUM(..) AS BIGINT)`. Reads stand outside transactions; a
//! write is a synchronous closure over a [`Tx`], so that what belongs together commits together:
//!
//! - SQLite: readers are called directly on the runtime's threads (measured: a quarter faster than
//!   `spawn_blocking`), one writer thread commits concurrent closures together.
//! - PostgreSQL: reads are pipelined over a few shared connections, each write has a connection of
//!   a pool to itself, on the blocking pool.
//!
//! PostgreSQL deduces a parameter's type from where it stands, so where that says little, write
//! `CAST($1 AS BIGINT)`: `$1 * 10` alone would be a 32-bit number.
//!
//! A transaction in which a statement failed can only be rolled back, on both engines, even if its
//! closure swallowed the error: where a conflict is expected, write `ON CONFLICT .. DO NOTHING`
//! and look at the count.

mod error;
mod migrate;
mod postgres;
mod row;
mod settings;
mod sqlite;
#[cfg(test)]
mod tests;
mod tx;
mod value;

use std::sync::Arc;

pub use error::StoreError;
pub use row::{Cell, Column, Row};
pub use settings::DbSettings;
pub use tx::{ColumnType, Insert, Tx};
pub use value::Val;

pub use migrate::MigrationText;
use postgres::Postgres;
use settings::Place;
use sqlite::Sqlite;

/// The database; clones share it.
#[derive(Clone)]
pub struct Db(Arc<Kind>);

/// Which database engine is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// SQLite, a file beside the program.
    Sqlite,
    /// PostgreSQL, possibly shared by several nodes.
    Postgres,
}

/// How much was written since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteCounts {
    /// Closures that were kept.
    pub writes: u64,
    /// Commits that kept them; fewer than `writes` where SQLite committed several together.
    pub commits: u64,
}

enum Kind {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Db {
    /// Opens the database, without migrating it. A missing SQLite file is made, a missing folder
    /// or PostgreSQL database is not.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database cannot be reached, [`StoreError::Sql`] if its
    /// URL is malformed.
    pub async fn open(settings: &DbSettings) -> Result<Self, StoreError> {
        let kind = match settings.place()? {
            Place::Sqlite(path) => Kind::Sqlite(Sqlite::open(path, settings).await?),
            Place::Postgres(server) => Kind::Postgres(Postgres::open(*server, settings).await?),
        };
        Ok(Self(Arc::new(kind)))
    }

    /// Brings the schema up to date and names what was applied. Processes that start together wait
    /// for one another; a schema newer than this program is left alone.
    ///
    /// # Errors
    /// [`StoreError::Sql`] if a migration fails, or an applied one differs from ours.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        self.migrate_with(migrate::MIGRATIONS).await
    }

    /// The same with the schema of another program that keeps its records by this layer (the edge).
    ///
    /// # Errors
    /// [`StoreError::Sql`] if a migration fails, or an applied one differs from those given.
    pub async fn migrate_with(&self, list: &[MigrationText]) -> Result<Vec<String>, StoreError> {
        match &*self.0 {
            Kind::Sqlite(sqlite) => migrate::on_sqlite(sqlite, list).await,
            Kind::Postgres(postgres) => migrate::on_postgres(postgres, list).await,
        }
    }

    /// The engine behind.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match &*self.0 {
            Kind::Sqlite(_) => Engine::Sqlite,
            Kind::Postgres(_) => Engine::Postgres,
        }
    }

    /// The first row of an answer, for point look-ups. On SQLite it runs on the calling thread.
    ///
    /// # Errors
    /// Any [`StoreError`], also the one `map` returns.
    pub async fn query_opt<T>(
        &self,
        sql: &'static str,
        params: &[Val<'_>],
        map: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match &*self.0 {
            Kind::Sqlite(sqlite) => sqlite.query_opt(sql, params, map),
            Kind::Postgres(postgres) => {
                let rows = postgres.read(sql, params).await?;
                rows.first().map(|row| map(&row.into())).transpose()
            }
        }
    }

    /// All rows of a short answer. On SQLite it runs on the calling thread: give it a `LIMIT`, and
    /// use [`Db::scan`] for what may be long.
    ///
    /// # Errors
    /// Any [`StoreError`], also the one `map` returns.
    pub async fn query<T>(
        &self,
        sql: &'static str,
        params: &[Val<'_>],
        mut map: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        match &*self.0 {
            Kind::Sqlite(sqlite) => sqlite.query(sql, params, map),
            Kind::Postgres(postgres) => {
                let rows = postgres.read(sql, params).await?;
                rows.iter().map(|row| map(&row.into())).collect()
            }
        }
    }

    /// All rows of a short answer that many want at the same time, each for parameters of his own.
    /// On SQLite it is [`Db::query`]; on PostgreSQL those who ask while others wait for theirs share
    /// a statement. Parameters may not be null.
    ///
    /// # Errors
    /// Any [`StoreError`], also the one `map` returns.
    pub async fn look_up<T>(
        &self,
        sql: &'static str,
        params: &[Val<'_>],
        mut map: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        check_look_up(params)?;
        match &*self.0 {
            Kind::Sqlite(sqlite) => sqlite.query(sql, params, map),
            Kind::Postgres(postgres) => {
                let params = params.iter().cloned().map(Val::into_owned).collect();
                let rows = postgres.look_up(sql, params).await?;
                rows.iter().map(|row| map(&row.into())).collect()
            }
        }
    }

    /// The same where there is one row at the most.
    ///
    /// # Errors
    /// Any [`StoreError`], also the one `map` returns.
    pub async fn look_up_opt<T>(
        &self,
        sql: &'static str,
        params: &[Val<'_>],
        map: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut found = self.look_up(sql, params, map).await?;
        Ok(found.pop())
    }

    /// One optional row for each set of parameters, in their order: many point look-ups at once.
    /// On SQLite they run on the calling thread, so there should be no more than a message has
    /// items; on PostgreSQL they are one statement over arrays.
    ///
    /// # Errors
    /// Any [`StoreError`], also the one `map` returns.
    pub async fn query_each<T>(
        &self,
        sql: &'static str,
        param_sets: &[Vec<Val<'_>>],
        mut map: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<Option<T>>, StoreError> {
        match &*self.0 {
            Kind::Sqlite(sqlite) => param_sets
                .iter()
                .map(|params| sqlite.query_opt(sql, params, &mut map))
                .collect(),
            Kind::Postgres(postgres) => {
                let answers = postgres.read_each(sql, param_sets).await?;
                answers
                    .iter()
                    .map(|row| row.as_ref().map(|row| map(&row.into())).transpose())
                    .collect()
            }
        }
    }

    /// Reports and scans: read-only, on the blocking pool, all statements see one snapshot.
    ///
    /// # Errors
    /// What the closure returns, or any [`StoreError`].
    pub async fn scan<T, E>(
        &self,
        f: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &*self.0 {
            Kind::Sqlite(sqlite) => sqlite.scan(f).await,
            Kind::Postgres(postgres) => postgres.scan(f).await,
        }
    }

    /// One transaction, durable once this returns `Ok`. An error of the closure rolls back; so
    /// does a panic, as [`StoreError::Panicked`].
    ///
    /// It is `FnMut` because PostgreSQL asks for a re-run after a deadlock or a serialization
    /// failure, at most 3 times: no effects outside of the transaction. If the caller goes away
    /// before its turn the closure is not run; once begun, it is finished.
    ///
    /// # Errors
    /// What the closure returns, or any [`StoreError`].
    pub async fn write<T, E>(
        &self,
        f: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &*self.0 {
            Kind::Sqlite(sqlite) => sqlite.write(f).await,
            Kind::Postgres(postgres) => postgres.write(f).await,
        }
    }

    /// Whether reads are answered and writes could be, for `/readyz`.
    ///
    /// # Errors
    /// [`StoreError`] says what is amiss.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match &*self.0 {
            Kind::Sqlite(sqlite) => sqlite.ping(),
            Kind::Postgres(postgres) => postgres.ping().await,
        }
    }

    /// How much was written since the start, for metrics.
    #[must_use]
    pub fn write_counts(&self) -> WriteCounts {
        match &*self.0 {
            Kind::Sqlite(sqlite) => sqlite.write_counts(),
            Kind::Postgres(postgres) => postgres.write_counts(),
        }
    }

    /// Finishes the writes already queued, moves SQLite's log into its file, and closes. Later
    /// calls, also of clones, get [`StoreError::Closed`].
    pub async fn close(&self) {
        match &*self.0 {
            Kind::Sqlite(sqlite) => sqlite.close().await,
            Kind::Postgres(postgres) => postgres.close().await,
        }
    }
}

/// What one asks for may not fail what others ask for with him.
fn check_look_up(params: &[Val<'_>]) -> Result<(), StoreError> {
    if params.contains(&Val::Null) {
        return Err(StoreError::Sql("a look-up takes no null".to_owned()));
    }
    if params.iter().any(Val::holds_nul) {
        return Err(StoreError::nul());
    }
    Ok(())
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Db({:?})", self.engine())
    }
}
