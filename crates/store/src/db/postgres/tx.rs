//! A transaction's statements, synchronous: on the blocking pool, waiting for each answer.

use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio_postgres::Row;

use super::arrays::{self, Wanted};
use super::connection::{Connection, Failure};
use super::first_of_each;
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
    begin: Begin,
}

/// BEGIN goes out together with the first statement: by itself it is a round trip for nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// It has not been sent.
    With(&'static str),
    /// It was sent, and the transaction stands.
    Done,
    /// The connection had broken while it was idle: nothing was begun on it.
    Lost,
}

impl<'a> PgTx<'a> {
    /// In a transaction that stands already, or that begins with its first statement.
    pub(super) fn new(
        connection: &'a Connection,
        runtime: &'a Handle,
        begin: Option<&'static str>,
    ) -> Self {
        Self {
            connection,
            runtime,
            retry: false,
            begin: begin.map_or(Begin::Done, Begin::With),
        }
    }

    /// Whether a transaction stands, to be committed or rolled back.
    pub(in crate::db) fn has_begun(&self) -> bool {
        self.begin == Begin::Done
    }

    /// Whether the connection turned out to be broken before anything was begun on it.
    pub(in crate::db) fn was_lost(&self) -> bool {
        self.begin == Begin::Lost
    }

    /// Waits for an answer; the first one brings BEGIN's along.
    fn wait<T>(
        &mut self,
        asking: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, StoreError> {
        let answer = match self.begin {
            Begin::With(begin) => {
                // Each goes out when it is first polled, which is in this order.
                let both = async { tokio::join!(biased; self.connection.control(begin), asking) };
                let (begun, answer) = self.runtime.block_on(both);
                match begun {
                    Ok(()) => {
                        self.begin = Begin::Done;
                        answer
                    }
                    Err(failure) => {
                        if failure.lost {
                            self.begin = Begin::Lost;
                        }
                        Err(failure)
                    }
                }
            }
            Begin::Done | Begin::Lost => self.runtime.block_on(asking),
        };
        self.note(answer)
    }

    pub(in crate::db) fn wants_retry(&self) -> bool {
        self.retry
    }

    pub(in crate::db) fn execute(
        &mut self,
        sql: &str,
        params: &[Val<'_>],
    ) -> Result<u64, StoreError> {
        let connection = self.connection;
        self.wait(connection.execute(sql, params))
    }

    pub(in crate::db) fn query(
        &mut self,
        sql: &str,
        params: &[Val<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        let connection = self.connection;
        self.wait(connection.query(sql, params))
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
            let connection = self.connection;
            let each = connection.query_each(sql, sets, Wanted::First);
            found.extend(first_of_each(self.wait(each)?));
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
            let connection = self.connection;
            inserted += self.wait(connection.execute_raw(&sql, &params))?;
        }
        Ok(inserted)
    }

    fn prepare(&mut self, sql: &str) -> Result<(), StoreError> {
        let connection = self.connection;
        self.wait(connection.prepare(sql)).map(drop)
    }

    fn note<T>(&mut self, answer: Result<T, Failure>) -> Result<T, StoreError> {
        answer.map_err(|failure| {
            self.retry |= failure.retry;
            failure.error
        })
    }
}
