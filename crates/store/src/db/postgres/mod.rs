//! PostgreSQL: pipelined reads, and a pool for writes.

mod arrays;
mod connection;
mod look_ups;
mod reads;
mod tx;
mod writes;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_postgres::{Client, Row};

use super::settings::Server;
use super::{DbSettings, StoreError, Tx, Val, WriteCounts};
use arrays::Wanted;
use look_ups::LookUps;
use reads::{Each, Reads, Rows};
pub(super) use tx::PgTx;
use writes::Writes;

pub(super) struct Postgres {
    server: Server,
    closed: AtomicBool,
    reads: Arc<Reads>,
    look_ups: LookUps,
    writes: Writes,
}

impl Postgres {
    pub(super) async fn open(server: Server, settings: &DbSettings) -> Result<Self, StoreError> {
        let reads = Arc::new(Reads::new(
            &server,
            settings.pg_read_connections,
            settings.read_timeout_ms,
        ));
        let writes = Writes::new(
            &server,
            settings.pg_write_connections,
            settings.queue_timeout(),
        );
        let postgres = Self {
            server,
            closed: AtomicBool::new(false),
            look_ups: LookUps::new(Arc::clone(&reads)),
            reads,
            writes,
        };
        postgres.read("SELECT 1", &[]).await?;
        Ok(postgres)
    }

    /// A connection outside of the pools, for migrations.
    pub(super) async fn connect(&self) -> Result<Client, StoreError> {
        self.check_open()?;
        connection::open_client(&self.server).await
    }

    pub(super) async fn read(&self, sql: &str, params: &[Val<'_>]) -> Result<Vec<Row>, StoreError> {
        self.check_open()?;
        self.reads.read(Rows(sql, params)).await
    }

    pub(super) async fn read_each(
        &self,
        sql: &str,
        sets: &[Vec<Val<'_>>],
    ) -> Result<Vec<Option<Row>>, StoreError> {
        self.check_open()?;
        let found = self.reads.read(Each(sql, sets, Wanted::First)).await?;
        Ok(first_of_each(found))
    }

    pub(super) async fn look_up(
        &self,
        sql: &'static str,
        params: Vec<Val<'static>>,
    ) -> Result<Vec<Row>, StoreError> {
        self.check_open()?;
        self.look_ups.rows(sql, params).await
    }

    pub(super) async fn scan<T, E>(
        &self,
        f: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.check_open()?;
        self.writes.scan(f).await
    }

    pub(super) async fn write<T, E>(
        &self,
        f: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.check_open()?;
        self.writes.write(f).await
    }

    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        let rows = self.read("SELECT pg_is_in_recovery()", &[]).await?;
        match rows.first().map(|row| row.try_get::<_, bool>(0)) {
            Some(Ok(false)) => Ok(()),
            _ => Err(StoreError::Unavailable(
                "this PostgreSQL is a standby and takes no writes".to_owned(),
            )),
        }
    }

    pub(super) fn write_counts(&self) -> WriteCounts {
        let writes = self.writes.count();
        WriteCounts {
            writes,
            commits: writes,
        }
    }

    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.writes.close().await;
        self.reads.close();
    }

    fn check_open(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(StoreError::Closed);
        }
        Ok(())
    }
}

/// The first row, if any, of each answer.
fn first_of_each(found: Vec<Vec<Row>>) -> Vec<Option<Row>> {
    found
        .into_iter()
        .map(|rows| rows.into_iter().next())
        .collect()
}
