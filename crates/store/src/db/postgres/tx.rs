//! A transaction's statements, synchronous: on the blocking pool, waiting for each answer.

use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio_postgres::Row;

use super::arrays;
use super::connection::{Connection, Failure};
use crate::db::{Insert, StoreError, Val};

/// Statements under way at a time, a bound on what is buffered.
const PIPELINE: usize = 256;
/// Rows an array insert takes.
const ROWS_PER_INSERT: usize = 1_000;
/// Sets of parameters that one look-up takes.
const SETS_PER_QUERY: usize = 1_000;

pub(in crate::db) struct PgTx<'a> {
    connection: &'a Connection,
    runtime: &'a Handle,
    retry: bool,
}

impl<'a> PgTx<'a> {
    pub(super) fn new(connection: &'a Connection, runtime: &'a Handle) -> Self {
        Self {
            connection,
            runtime,
            retry: false,
        }
    }

    pub(in crate::db) fn wants_retry(&self) -> bool {
        self.retry
    }

    pub(in crate::db) fn execute(
        &mut self,
        sql: &str,
        params: &[Val<'_>],
    ) -> Result<u64, StoreError> {
        let answer = self.runtime.block_on(self.connection.execute(sql, params));
        self.note(answer)
    }

    pub(in crate::db) fn query(
        &mut self,
        sql: &str,
        params: &[Val<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        let answer = self.runtime.block_on(self.connection.query(sql, params));
        self.note(answer)
    }

    pub(in crate::db) fn execute_each(
        &mut self,
        sql: &str,
        param_sets: &[Vec<Val<'_>>],
    ) -> Result<u64, StoreError> {
        self.prepare(sql)?;
        let mut changed = 0;
        for sets in param_sets.chunks(PIPELINE) {
            // Prepared already, each sends its statement when first polled, which is in order.
            let all = join_all(
                sets.iter()
                    .map(|params| self.connection.execute(sql, params)),
            );
            for answer in self.runtime.block_on(all) {
                changed += self.note(answer)?;
            }
        }
        Ok(changed)
    }

    pub(in crate::db) fn query_each(
        &mut self,
        sql: &str,
        param_sets: &[Vec<Val<'_>>],
    ) -> Result<Vec<Option<Row>>, StoreError> {
        let mut found = Vec::with_capacity(param_sets.len());
        for sets in param_sets.chunks(SETS_PER_QUERY) {
            let answer = self.runtime.block_on(self.connection.query_each(sql, sets));
            found.extend(self.note(answer)?);
        }
        Ok(found)
    }

    pub(in crate::db) fn insert_rows(
        &mut self,
        insert: &Insert<'_>,
        rows: &[Vec<Val<'_>>],
    ) -> Result<u64, StoreError> {
        let sql = insert.array_text();
        let kinds: Vec<_> = insert.columns.iter().map(|(_, kind)| *kind).collect();
        let mut inserted = 0;
        for rows in rows.chunks(ROWS_PER_INSERT) {
            let arrays = arrays::columns(&kinds, rows)?;
            let params: Vec<_> = arrays.iter().map(|array| &**array as _).collect();
            let answer = self
                .runtime
                .block_on(self.connection.execute_raw(&sql, &params));
            inserted += self.note(answer)?;
        }
        Ok(inserted)
    }

    fn prepare(&mut self, sql: &str) -> Result<(), StoreError> {
        let prepared = self.runtime.block_on(self.connection.prepare(sql));
        self.note(prepared).map(drop)
    }

    fn note<T>(&mut self, answer: Result<T, Failure>) -> Result<T, StoreError> {
        answer.map_err(|failure| {
            self.retry |= failure.retry;
            failure.error
        })
    }
}
