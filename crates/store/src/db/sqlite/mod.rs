//! SQLite: readers called directly, one writer that commits together, a checkpointer.

mod checkpoint;
mod reader;
pub(in crate::db) mod statement;
mod writer;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use super::{DbSettings, Row, StoreError, Tx, Val, WriteCounts};
use reader::Readers;
use writer::Writer;

/// What a connection keeps at least: SQLite's own habit.
const LEAST_CACHE_KIB: u32 = 2_048;
/// Scans at a time: each holds a thread and a page cache, and keeps the log from being reused.
const SCANS: usize = 4;

pub(super) struct Sqlite {
    file: DataFile,
    queue_timeout: Duration,
    closed: AtomicBool,
    readers: Arc<Readers>,
    scans: Arc<Semaphore>,
    idle_scans: Arc<Mutex<Vec<Connection>>>,
    writer: Writer,
}

impl Sqlite {
    pub(super) async fn open(path: PathBuf, settings: &DbSettings) -> Result<Self, StoreError> {
        let settings = settings.clone();
        // Opening may wait for another process's lock.
        on_blocking_pool(move || Self::open_now(path, &settings)).await?
    }

    fn open_now(path: PathBuf, settings: &DbSettings) -> Result<Self, StoreError> {
        let file = DataFile {
            path,
            busy_timeout: Duration::from_millis(settings.busy_timeout_ms),
            cache_kib: settings.cache_kib,
            reader_cache_kib: (settings.readers_cache_kib / reader::slots()).max(LEAST_CACHE_KIB),
        };
        let counts = Arc::new(Counts::default());
        let readers = Arc::new(Readers::new(file.clone(), Arc::clone(&counts)));
        let writer = Writer::start(&file, settings, counts, &readers)?;
        Ok(Self {
            readers,
            file,
            queue_timeout: settings.queue_timeout(),
            closed: AtomicBool::new(false),
            scans: Arc::new(Semaphore::new(SCANS)),
            idle_scans: Arc::default(),
            writer,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.file.path
    }

    /// A connection that may write, for migrations.
    pub(super) fn connect(&self) -> Result<Connection, StoreError> {
        self.check_open()?;
        self.file.connect(Role::Writer)
    }

    pub(super) fn query_opt<T>(
        &self,
        sql: &str,
        params: &[Val<'_>],
        map: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.check_open()?;
        self.readers
            .with(|connection| statement::query_opt(connection, sql, params, map))
    }

    pub(super) fn query<T>(
        &self,
        sql: &str,
        params: &[Val<'_>],
        map: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.check_open()?;
        self.readers
            .with(|connection| statement::query(connection, sql, params, map))
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
        let permit =
            tokio::time::timeout(self.queue_timeout, Arc::clone(&self.scans).acquire_owned())
                .await
                .map_err(|_| StoreError::Busy)?
                .map_err(|_| StoreError::Closed)?;
        let idle = Arc::clone(&self.idle_scans);
        let file = self.file.clone();
        on_blocking_pool(move || {
            let _permit = permit;
            let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match taken {
                Some(connection) => connection,
                None => file.connect(Role::Scan)?,
            };
            statement::execute(&connection, "BEGIN", &[])?;
            // After a panic the connection is dropped, which ends its transaction.
            let outcome = catch_unwind(AssertUnwindSafe(|| f(&mut Tx::sqlite(&connection))))
                .map_err(|_| StoreError::Panicked)?;
            if statement::execute(&connection, "ROLLBACK", &[]).is_ok() {
                idle.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(connection);
            }
            outcome
        })
        .await?
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
        self.writer.write(f, self.queue_timeout).await
    }

    pub(super) fn ping(&self) -> Result<(), StoreError> {
        self.writer.check_alive()?;
        self.query_opt("SELECT 1", &[], |row| row.get::<i64>(0))?;
        Ok(())
    }

    pub(super) fn write_counts(&self) -> WriteCounts {
        self.writer.counts()
    }

    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        // Scans end first: an open snapshot would keep the log from being emptied.
        let scans = u32::try_from(SCANS).unwrap_or(1);
        let _ended = tokio::time::timeout(self.queue_timeout, self.scans.acquire_many(scans)).await;
        self.scans.close();
        self.idle_scans
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        self.readers.close();
        self.writer.close().await;
    }

    fn check_open(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(StoreError::Closed);
        }
        Ok(())
    }
}

/// What was written since the start.
#[derive(Default)]
struct Counts {
    writes: AtomicU64,
    commits: AtomicU64,
}

impl Counts {
    fn commits(&self) -> u64 {
        self.commits.load(Ordering::Acquire)
    }

    /// Before anybody is told that his write was kept: who reads after that must read it.
    fn note_commit(&self, writes: u64) {
        self.writes.fetch_add(writes, Ordering::Relaxed);
        self.commits.fetch_add(1, Ordering::Release);
    }
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Writer,
    Reader,
    /// Reads much, and little of it twice.
    Scan,
}

/// The file, and how it is opened.
#[derive(Clone)]
struct DataFile {
    path: PathBuf,
    busy_timeout: Duration,
    cache_kib: u32,
    reader_cache_kib: u32,
}

impl DataFile {
    fn connect(&self, role: Role) -> Result<Connection, StoreError> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if role == Role::Writer {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(self.busy_timeout)?;
        connection.set_prepared_statement_cache_capacity(256);
        // Without it, bundled SQLite (STAT4) prepares a statement again for each new value once
        // ANALYZE has run: half the look-ups a second.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // Negative cache sizes are KiB. mmap gains nothing warm and stalls cold.
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA mmap_size = 0;
         PRAGMA temp_store = MEMORY;",
        )?;
        let kib = match role {
            Role::Writer => self.cache_kib,
            Role::Reader => self.reader_cache_kib,
            Role::Scan => LEAST_CACHE_KIB,
        };
        connection.execute_batch(&format!("PRAGMA cache_size = -{kib};"))?;
        if role != Role::Writer {
            connection.execute_batch("PRAGMA query_only = ON;")?;
        }
        Ok(connection)
    }
}

/// Runs what may block where blocking is allowed.
pub(super) async fn on_blocking_pool<T: Send + 'static>(
    f: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(f).await.map_err(|error| {
        if error.is_panic() {
            StoreError::Panicked
        } else {
            StoreError::Closed
        }
    })
}
