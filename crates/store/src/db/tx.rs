//! A transaction, synchronous on both engines.

use super::postgres::PgTx;
use super::sqlite::statement;
use super::{Engine, Row, StoreError, Val};

/// A transaction. Once a statement has failed, later ones fail alike and it is rolled back.
pub struct Tx<'a> {
    inner: Inner<'a>,
    failed: Option<StoreError>,
}

/// Rows for one table: `Insert { table, columns, tail }`.
#[derive(Debug, Clone, Copy)]
pub struct Insert<'a> {
    /// The table's name.
    pub table: &'a str,
    /// The columns in the order of each row's values.
    pub columns: &'a [(&'a str, ColumnType)],
    /// What follows the rows, such as `ON CONFLICT (a, b) DO NOTHING`, or nothing.
    pub tail: &'a str,
}

/// A column's type, which PostgreSQL wants to know for an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// BIGINT.
    I64,
    /// TEXT.
    Text,
    /// BLOB, on PostgreSQL BYTEA.
    Blob,
}

enum Inner<'a> {
    Sqlite(&'a rusqlite::Connection),
    Postgres(PgTx<'a>),
}

impl<'a> Tx<'a> {
    pub(super) fn sqlite(connection: &'a rusqlite::Connection) -> Self {
        Self {
            inner: Inner::Sqlite(connection),
            failed: None,
        }
    }

    pub(super) fn postgres(inner: PgTx<'a>) -> Self {
        Self {
            inner: Inner::Postgres(inner),
            failed: None,
        }
    }

    /// The engine behind.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self.inner {
            Inner::Sqlite(_) => Engine::Sqlite,
            Inner::Postgres(_) => Engine::Postgres,
        }
    }

    /// Runs a statement and counts the rows it changed.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub fn execute(&mut self, sql: &str, params: &[Val<'_>]) -> Result<u64, StoreError> {
        self.attempt(|inner| match inner {
            Inner::Sqlite(connection) => statement::execute(connection, sql, params),
            Inner::Postgres(tx) => tx.execute(sql, params),
        })
    }

    /// The first row of an answer.
    ///
    /// # Errors
    /// Any [`StoreError`], also the one `map` returns.
    pub fn query_opt<T>(
        &mut self,
        sql: &str,
        params: &[Val<'_>],
        map: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.attempt(|inner| match inner {
            Inner::Sqlite(connection) => statement::query_opt(connection, sql, params, map),
            Inner::Postgres(tx) => {
                let rows = tx.query(sql, params)?;
                rows.first().map(|row| map(&row.into())).transpose()
            }
        })
    }

    /// All rows of an answer.
    ///
    /// # Errors
    /// Any [`StoreError`], also the one `map` returns.
    pub fn query<T>(
        &mut self,
        sql: &str,
        params: &[Val<'_>],
        mut map: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.attempt(|inner| match inner {
            Inner::Sqlite(connection) => statement::query(connection, sql, params, map),
            Inner::Postgres(tx) => {
                let rows = tx.query(sql, params)?;
                rows.iter().map(|row| map(&row.into())).collect()
            }
        })
    }

    /// Runs a statement once for each set of parameters, in order, and counts the rows changed:
    /// a prepared loop on SQLite, pipelined on PostgreSQL.
    ///
    /// # Errors
    /// Any [`StoreError`], the first that occurs.
    pub fn execute_each(
        &mut self,
        sql: &str,
        param_sets: &[Vec<Val<'_>>],
    ) -> Result<u64, StoreError> {
        self.attempt(|inner| match inner {
            Inner::Sqlite(connection) => statement::execute_each(connection, sql, param_sets),
            Inner::Postgres(tx) => tx.execute_each(sql, param_sets),
        })
    }

    /// The first row, if any, for each set of parameters, in order: a prepared loop on SQLite, one
    /// statement over arrays on PostgreSQL.
    ///
    /// # Errors
    /// Any [`StoreError`], also the one `map` returns.
    pub fn query_each<T>(
        &mut self,
        sql: &str,
        param_sets: &[Vec<Val<'_>>],
        mut map: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<Option<T>>, StoreError> {
        self.attempt(|inner| match inner {
            Inner::Sqlite(connection) => statement::query_each(connection, sql, param_sets, map),
            Inner::Postgres(tx) => {
                let rows = tx.query_each(sql, param_sets)?;
                rows.iter()
                    .map(|row| row.as_ref().map(|row| map(&row.into())).transpose())
                    .collect()
            }
        })
    }

    /// Inserts many rows and counts those inserted: a prepared loop on SQLite, arrays on
    /// PostgreSQL, a thousand rows a statement. On PostgreSQL an `ON CONFLICT .. DO UPDATE` tail
    /// cannot meet the same key twice within one call.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub fn insert_rows(
        &mut self,
        insert: &Insert<'_>,
        rows: &[Vec<Val<'_>>],
    ) -> Result<u64, StoreError> {
        if let Some(row) = rows.iter().find(|row| row.len() != insert.columns.len()) {
            return Err(StoreError::Sql(format!(
                "a row for {} has {} values, its insert {} columns",
                insert.table,
                row.len(),
                insert.columns.len()
            )));
        }
        if rows.is_empty() {
            return Ok(0);
        }
        self.attempt(|inner| match inner {
            Inner::Sqlite(connection) => {
                statement::execute_each(connection, &insert.row_text(), rows)
            }
            Inner::Postgres(tx) => tx.insert_rows(insert, rows),
        })
    }

    /// The first failure of a statement: with one, there is nothing to commit.
    pub(super) fn failure(&self) -> Option<StoreError> {
        self.failed.clone()
    }

    /// Whether PostgreSQL asks for the whole transaction again.
    pub(super) fn wants_retry(&self) -> bool {
        matches!(&self.inner, Inner::Postgres(tx) if tx.wants_retry())
    }

    /// Whether there is anything to commit or to roll back.
    pub(super) fn has_begun(&self) -> bool {
        match &self.inner {
            Inner::Sqlite(_) => true,
            Inner::Postgres(tx) => tx.has_begun(),
        }
    }

    /// Whether its connection was broken before it began.
    pub(super) fn was_lost(&self) -> bool {
        matches!(&self.inner, Inner::Postgres(tx) if tx.was_lost())
    }

    fn attempt<T>(
        &mut self,
        f: impl FnOnce(&mut Inner<'a>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let outcome = f(&mut self.inner);
        if let Err(error) = &outcome {
            self.failed = Some(error.clone());
        }
        outcome
    }
}

impl ColumnType {
    /// PostgreSQL's name for it.
    pub(super) const fn on_postgres(self) -> &'static str {
        match self {
            Self::I64 => "BIGINT",
            Self::Text => "TEXT",
            Self::Blob => "BYTEA",
        }
    }
}

impl Insert<'_> {
    fn row_text(&self) -> String {
        let places = (1..=self.columns.len()).map(|n| format!("${n}"));
        format!(
            "INSERT INTO {} ({}) VALUES ({}) {}",
            self.table,
            self.column_names(),
            places.collect::<Vec<_>>().join(", "),
            self.tail
        )
    }

    /// The same rows as arrays, one for each column.
    pub(super) fn array_text(&self) -> String {
        let arrays = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, (_, kind))| format!("${}::{}[]", index + 1, kind.on_postgres()));
        format!(
            "INSERT INTO {} ({}) SELECT * FROM UNNEST({}) {}",
            self.table,
            self.column_names(),
            arrays.collect::<Vec<_>>().join(", "),
            self.tail
        )
    }

    fn column_names(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }
}
