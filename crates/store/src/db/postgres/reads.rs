//! Reads: a few connections shared by all, statements pipelined, broken connections replaced.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio_postgres::Row;

use super::arrays::Wanted;
use super::connection::{Connection, Failure, connect};
use crate::db::settings::Server;
use crate::db::{StoreError, Val};

/// What is asked of a connection, as often as it takes.
pub(super) trait Question: Sync {
    type Answer: Send;

    fn put(
        &self,
        connection: &Connection,
    ) -> impl Future<Output = Result<Self::Answer, Failure>> + Send;
}

/// All rows for these parameters.
pub(super) struct Rows<'a>(pub(super) &'a str, pub(super) &'a [Val<'a>]);

/// The rows that are wanted for each set of parameters.
pub(super) struct Each<'a>(
    pub(super) &'a str,
    pub(super) &'a [Vec<Val<'a>>],
    pub(super) Wanted,
);

impl Question for Rows<'_> {
    type Answer = Vec<Row>;

    async fn put(&self, connection: &Connection) -> Result<Vec<Row>, Failure> {
        connection.query(self.0, self.1).await
    }
}

impl Question for Each<'_> {
    type Answer = Vec<Vec<Row>>;

    async fn put(&self, connection: &Connection) -> Result<Vec<Vec<Row>>, Failure> {
        connection.query_each(self.0, self.1, self.2).await
    }
}

/// The pause after a failed connect: doubled each time, within these bounds.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

pub(super) struct Reads {
    server: Server,
    setup: String,
    /// What the server's own limit should have ended: the line is dead.
    patience: Duration,
    slots: Box<[Slot]>,
    next: AtomicUsize,
}

#[derive(Default)]
struct Slot {
    connection: RwLock<Option<Arc<Connection>>>,
    /// Held while connecting, so that one caller connects and the others wait for it.
    mending: tokio::sync::Mutex<Trouble>,
}

/// Failed connects in a row.
#[derive(Default)]
struct Trouble {
    pause: Duration,
    last: Option<(Instant, StoreError)>,
}

impl Reads {
    pub(super) fn new(server: &Server, connections: usize, statement_timeout_ms: u64) -> Self {
        Self {
            server: server.clone(),
            setup: format!(
                "SET default_transaction_read_only = on; SET statement_timeout = {statement_timeout_ms}"
            ),
            patience: Duration::from_millis(statement_timeout_ms) + Duration::from_secs(5),
            slots: (0..connections.max(1)).map(|_| Slot::default()).collect(),
            next: AtomicUsize::new(0),
        }
    }

    /// How many statements may be under way without sharing a connection.
    pub(super) fn connections(&self) -> usize {
        self.slots.len()
    }

    /// Reads change nothing, so a lost connection is replaced and the question asked once more.
    pub(super) async fn read<Q: Question>(&self, question: Q) -> Result<Q::Answer, StoreError> {
        let slot = &self.slots[self.next.fetch_add(1, Ordering::Relaxed) % self.slots.len()];
        let first = match self.ask(slot, &question).await {
            Err(failure) if failure.lost || failure.stale => failure,
            settled => return settled.map_err(|failure| failure.error),
        };
        tracing::debug!(error = %first.error, "a read is asked once more");
        let second = self.ask(slot, &question).await;
        second.map_err(|failure| failure.error)
    }

    async fn ask<Q: Question>(&self, slot: &Slot, question: &Q) -> Result<Q::Answer, Failure> {
        let connection = self.connection(slot).await?;
        let answer = tokio::time::timeout(self.patience, question.put(&connection)).await;
        let failure = match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(failure)) => failure,
            Err(_) => {
                slot.discard(&connection);
                return Err(StoreError::Timeout.into());
            }
        };
        if failure.lost {
            slot.discard(&connection);
        }
        Err(failure)
    }

    async fn connection(&self, slot: &Slot) -> Result<Arc<Connection>, StoreError> {
        match slot.healthy() {
            Some(connection) => Ok(connection),
            // Apart, for it is rare and large, and a part of whoever reads.
            None => Box::pin(self.mend(slot)).await,
        }
    }

    async fn mend(&self, slot: &Slot) -> Result<Arc<Connection>, StoreError> {
        let mut trouble = slot.mending.lock().await;
        if let Some(connection) = slot.healthy() {
            return Ok(connection);
        }
        if let Some((since, error)) = &trouble.last
            && since.elapsed() < trouble.pause
        {
            return Err(error.clone());
        }
        match connect(&self.server, &self.setup).await {
            Ok(connection) => {
                *trouble = Trouble::default();
                let connection = Arc::new(connection);
                slot.set(Some(Arc::clone(&connection)));
                Ok(connection)
            }
            Err(error) => {
                trouble.pause = (trouble.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
                trouble.last = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    pub(super) fn close(&self) {
        for slot in &self.slots {
            slot.set(None);
        }
    }
}

impl Slot {
    fn healthy(&self) -> Option<Arc<Connection>> {
        let held = self
            .connection
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        held.as_ref()
            .filter(|connection| !connection.client.is_closed())
            .map(Arc::clone)
    }

    fn set(&self, connection: Option<Arc<Connection>>) {
        *self
            .connection
            .write()
            .unwrap_or_else(PoisonError::into_inner) = connection;
    }

    /// Forgets this connection, unless it was replaced already.
    fn discard(&self, lost: &Arc<Connection>) {
        let mut held = self
            .connection
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|held| Arc::ptr_eq(held, lost)) {
            *held = None;
        }
    }
}
