//! Connections for reads, called directly on the runtime's threads.
//!
//! Each thread has its own slot by habit, so a lock is never contended in the normal case; but the
//! `Db` owns the connections, so that their number is bounded and closing it closes them.
//!
//! To begin and end a read costs SQLite two system calls and a look at the log's index, as much as
//! a fifth of a point look-up. So a connection stays in its snapshot as long as nothing was
//! committed since: whoever has the answer to a write sees it. What other programs commit is seen
//! at the latest after [`SNAPSHOT_LASTS`].
//!
//! A snapshot of the log keeps it from being begun anew, one of the file alone does not. So the
//! checkpointer ends those that nobody would use any more, and once the whole log is in the file it
//! ends all: whoever reads next reads the file, and the next write begins the log anew.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::{Counts, DataFile, Role, statement};
use crate::db::StoreError;

/// How long a snapshot is used at the most: another program's commit is seen this late.
const SNAPSHOT_LASTS: Duration = Duration::from_millis(50);

pub(super) struct Readers {
    file: DataFile,
    counts: Arc<Counts>,
    /// Raised to end the snapshots of all.
    era: AtomicU64,
    slots: Box<[Mutex<Option<Reader>>]>,
}

struct Reader {
    connection: Connection,
    snapshot: Option<Snapshot>,
}

/// An open read transaction.
#[derive(Clone, Copy)]
struct Snapshot {
    age: Age,
    began: Instant,
}

/// What a snapshot must not be older than.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Age {
    /// Commits of this process before it began.
    commits: u64,
    era: u64,
}

impl Readers {
    pub(super) fn new(file: DataFile, counts: Arc<Counts>) -> Self {
        Self {
            file,
            counts,
            era: AtomicU64::new(0),
            slots: (0..slots()).map(|_| Mutex::default()).collect(),
        }
    }

    pub(super) fn with<T>(
        &self,
        f: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut slot = self.lock();
        let reader = match &mut *slot {
            Some(reader) => reader,
            empty => empty.insert(Reader {
                connection: self.file.connect(Role::Reader)?,
                snapshot: None,
            }),
        };
        let age = self.age();
        if !reader.is_current(age) {
            reader.end_snapshot()?;
            statement::execute(&reader.connection, "BEGIN", &[])?;
            reader.snapshot = Some(Snapshot {
                age,
                began: Instant::now(),
            });
        }
        let outcome = f(&reader.connection);
        if outcome.is_err() {
            // What failed may have to do with the snapshot; the next read begins its own.
            reader.end_snapshot()?;
        }
        outcome
    }

    /// Ends every snapshot; one that is in use at the moment is not used again.
    pub(super) fn end_snapshots(&self) {
        self.era.fetch_add(1, Ordering::AcqRel);
        self.end_stale_snapshots();
    }

    /// Ends the snapshots that no read would use any more.
    pub(super) fn end_stale_snapshots(&self) {
        let age = self.age();
        for slot in &self.slots {
            // One that is locked is in use, and its thread renews it by itself.
            let Ok(mut slot) = slot.try_lock() else {
                continue;
            };
            if let Some(reader) = &mut *slot
                && !reader.is_current(age)
                && let Err(error) = reader.end_snapshot()
            {
                tracing::warn!(%error, "a snapshot of SQLite could not be ended");
            }
        }
    }

    pub(super) fn close(&self) {
        for slot in &self.slots {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    fn age(&self) -> Age {
        Age {
            commits: self.counts.commits(),
            era: self.era.load(Ordering::Acquire),
        }
    }

    /// The thread's own slot, else any free one, else wait for one's own.
    fn lock(&self) -> MutexGuard<'_, Option<Reader>> {
        let own = own_number() % self.slots.len();
        let (before, from) = self.slots.split_at(own);
        for slot in from.iter().chain(before) {
            match slot.try_lock() {
                Ok(guard) => return guard,
                // A closure panicked while reading; the connection itself is sound.
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.slots[own]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    fn is_current(&self, age: Age) -> bool {
        self.snapshot.is_some_and(|snapshot| {
            snapshot.age == age && snapshot.began.elapsed() < SNAPSHOT_LASTS
        })
    }

    fn end_snapshot(&mut self) -> Result<(), StoreError> {
        self.snapshot = None;
        if self.connection.is_autocommit() {
            return Ok(());
        }
        statement::execute(&self.connection, "COMMIT", &[]).map(drop)
    }
}

/// How many connections there may be for reads: the runtime has a thread for each core; the rest is
/// room for tests' and blocking threads.
pub(super) fn slots() -> u32 {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    u32::try_from(cores + 2)
        .unwrap_or(MOST_SLOTS)
        .min(MOST_SLOTS)
}

const MOST_SLOTS: u32 = 64;

/// A small number that differs between threads.
fn own_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: Cell<Option<usize>> = const { Cell::new(None) };
    }
    OWN.get().unwrap_or_else(|| {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        OWN.set(Some(number));
        number
    })
}
