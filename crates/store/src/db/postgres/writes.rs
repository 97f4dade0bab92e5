//! Writes and scans: each has a connection to itself, on the blocking pool.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::{Connection, Failure, connect};
use super::tx::PgTx;
use crate::db::settings::Server;
use crate::db::sqlite::on_blocking_pool;
use crate::db::{StoreError, Tx};

/// Re-runs after a deadlock or a serialization failure.
const RERUNS: u32 = 3;
/// The pause before a re-run, times its number, so that two who collided part.
const RERUN_PAUSE: Duration = Duration::from_millis(7);

/// `synchronous_commit` in case the server's default was relaxed; the limits so that a stuck
/// program holds nobody's locks for ever.
const SETUP: &str = "SET synchronous_commit = on; \
    SET statement_timeout = '30s'; \
    SET lock_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = '60s'";
const BEGIN_WRITE: &str = "BEGIN";
/// A report may take its time.
const BEGIN_SCAN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
    SET LOCAL statement_timeout = '10min'";

#[derive(Clone)]
pub(super) struct Writes(Arc<Pool>);

struct Pool {
    server: Server,
    connections: u32,
    queue_timeout: Duration,
    permits: Arc<Semaphore>,
    /// Scans may take at most half of the connections, so that reports never stop the writes.
    scan_permits: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
    writes: AtomicU64,
}

/// The right to one of the connections.
type Permits = (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

impl Writes {
    pub(super) fn new(server: &Server, connections: usize, queue_timeout: Duration) -> Self {
        let connections = connections.clamp(1, 1_000);
        Self(Arc::new(Pool {
            server: server.clone(),
            connections: u32::try_from(connections).unwrap_or(1),
            queue_timeout,
            permits: Arc::new(Semaphore::new(connections)),
            scan_permits: Arc::new(Semaphore::new((connections / 2).max(1))),
            idle: Mutex::default(),
            writes: AtomicU64::new(0),
        }))
    }

    pub(super) async fn write<T, E>(
        &self,
        mut f: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let permits = self.permits(false).await?;
        let (pool, runtime) = (self.clone(), Handle::current());
        on_blocking_pool(move || {
            let _permits: Permits = permits;
            for rerun in 0..=RERUNS {
                if rerun > 0 {
                    std::thread::sleep(RERUN_PAUSE * rerun);
                }
                let last = rerun == RERUNS;
                match pool.attempt_write(&runtime, &mut f) {
                    Attempt::Done(outcome) => return outcome,
                    Attempt::Again(outcome) if last => return outcome,
                    Attempt::Lost(outcome) => return outcome,
                    Attempt::Again(_) => tracing::debug!("a transaction is run again"),
                }
            }
            Err(StoreError::Timeout.into()) // not reached: the last attempt returns
        })
        .await?
    }

    pub(super) async fn scan<T, E>(
        &self,
        f: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let permits = self.permits(true).await?;
        let (pool, runtime) = (self.clone(), Handle::current());
        on_blocking_pool(move || {
            let _permits: Permits = permits;
            let mut f = Some(f);
            // Runs once: reading one snapshot, it can neither deadlock nor fail to serialize.
            let once = |tx: &mut Tx<'_>| match f.take() {
                Some(f) => f(tx),
                None => Err(StoreError::Timeout.into()),
            };
            let connection = pool.begin(&runtime, BEGIN_SCAN)?;
            match pool.attempt(&runtime, connection, None, once) {
                Attempt::Done(outcome) | Attempt::Again(outcome) | Attempt::Lost(outcome) => {
                    outcome
                }
            }
        })
        .await?
    }

    pub(super) fn count(&self) -> u64 {
        self.0.writes.load(Ordering::Relaxed)
    }

    /// Waits for those under way, and for no new ones.
    pub(super) async fn close(&self) {
        let all = self.0.permits.acquire_many(self.0.connections);
        let _ended = tokio::time::timeout(Duration::from_secs(30), all).await;
        self.0.permits.close();
        self.0.scan_permits.close();
        self.0.idle().clear();
    }

    async fn permits(&self, scan: bool) -> Result<Permits, StoreError> {
        let waited = tokio::time::timeout(self.0.queue_timeout, async {
            let scan = match scan {
                true => Some(Arc::clone(&self.0.scan_permits).acquire_owned().await?),
                false => None,
            };
            Ok::<_, tokio::sync::AcquireError>((
                Arc::clone(&self.0.permits).acquire_owned().await?,
                scan,
            ))
        });
        match waited.await {
            Ok(Ok(permits)) => Ok(permits),
            Ok(Err(_)) => Err(StoreError::Closed),
            Err(_) => Err(StoreError::Busy),
        }
    }

    /// One run of a write. An idle connection that turns out to be broken is replaced: nothing was
    /// begun on it yet.
    fn attempt_write<T, E: From<StoreError>>(
        &self,
        runtime: &Handle,
        f: &mut impl FnMut(&mut Tx<'_>) -> Result<T, E>,
    ) -> Attempt<T, E> {
        // Bound to a name, so that the pool is not locked while the server is asked.
        let mut idle = self.0.take_idle();
        while let Some(connection) = idle {
            match self.attempt(runtime, connection, Some(BEGIN_WRITE), &mut *f) {
                Attempt::Lost(_) => idle = self.0.take_idle(),
                ended => return ended,
            }
        }
        match runtime.block_on(connect(&self.0.server, SETUP)) {
            Ok(connection) => self.attempt(runtime, connection, Some(BEGIN_WRITE), f),
            Err(error) => Attempt::Done(Err(error.into())),
        }
    }

    /// One run of the closure in one transaction: one that stands already, or one that begins with
    /// the first statement.
    fn attempt<T, E: From<StoreError>>(
        &self,
        runtime: &Handle,
        connection: Connection,
        begin: Option<&'static str>,
        mut f: impl FnMut(&mut Tx<'_>) -> Result<T, E>,
    ) -> Attempt<T, E> {
        let mut tx = Tx::postgres(PgTx::new(&connection, runtime, begin));
        let outcome = catch_unwind(AssertUnwindSafe(|| f(&mut tx)));
        let (failure, again) = (tx.failure(), tx.wants_retry());
        let (begun, lost) = (tx.has_begun(), tx.was_lost());
        drop(tx);
        let outcome = match (outcome, failure) {
            (Err(_), _) => {
                if begun {
                    self.roll_back(runtime, connection);
                }
                return Attempt::Done(Err(StoreError::Panicked.into()));
            }
            // COMMIT would answer, without an error, that it rolled back.
            (Ok(Ok(_)), Some(failure)) => Err(failure.into()),
            (Ok(outcome), _) => outcome,
        };
        if lost {
            return Attempt::Lost(outcome);
        }
        if !begun {
            // Nothing was asked of the server.
            self.give_back(connection);
            return Attempt::Done(outcome);
        }
        if outcome.is_err() {
            self.roll_back(runtime, connection);
            return if again {
                Attempt::Again(outcome)
            } else {
                Attempt::Done(outcome)
            };
        }
        match runtime.block_on(connection.control("COMMIT")) {
            Ok(()) => {
                self.give_back(connection);
                self.0.writes.fetch_add(1, Ordering::Relaxed);
                Attempt::Done(outcome)
            }
            Err(Failure {
                error, retry, lost, ..
            }) => {
                if lost {
                    let unknown = "the connection was lost during a commit; \
                        whether it was kept is unknown";
                    return Attempt::Done(Err(StoreError::Unavailable(unknown.to_owned()).into()));
                }
                self.roll_back(runtime, connection);
                if retry {
                    Attempt::Again(Err(error.into()))
                } else {
                    Attempt::Done(Err(error.into()))
                }
            }
        }
    }

    /// A connection in a transaction. One that broke while idle is replaced: nothing was begun on
    /// it yet.
    fn begin(&self, runtime: &Handle, begin: &str) -> Result<Connection, StoreError> {
        // Bound to a name, so that the pool is not locked while the server is asked.
        let mut idle = self.0.take_idle();
        while let Some(connection) = idle {
            match runtime.block_on(connection.control(begin)) {
                Ok(()) => return Ok(connection),
                Err(failure) if failure.lost => idle = self.0.take_idle(),
                Err(failure) => return Err(failure.error),
            }
        }
        let connection = runtime.block_on(connect(&self.0.server, SETUP))?;
        match runtime.block_on(connection.control(begin)) {
            Ok(()) => Ok(connection),
            Err(failure) => Err(failure.error),
        }
    }

    fn roll_back(&self, runtime: &Handle, connection: Connection) {
        // If it fails the connection is dropped, and the server rolls back.
        if runtime.block_on(connection.control("ROLLBACK")).is_ok() {
            self.give_back(connection);
        }
    }

    fn give_back(&self, connection: Connection) {
        if !connection.client.is_closed() && !self.0.permits.is_closed() {
            self.0.idle().push(connection);
        }
    }
}

/// What came of one run.
enum Attempt<T, E> {
    Done(Result<T, E>),
    /// PostgreSQL asks for the whole transaction again; this is the error if we do not.
    Again(Result<T, E>),
    /// The connection was broken before anything began.
    Lost(Result<T, E>),
}

impl Pool {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_idle(&self) -> Option<Connection> {
        self.idle().pop()
    }
}
