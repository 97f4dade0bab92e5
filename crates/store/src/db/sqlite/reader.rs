//! Connections for reads, called directly on the runtime's threads.
//!
//! Each thread has its own slot by habit, so a lock is never contended in the normal case; but the
//! `Db` owns the connections, so that their number is bounded and closing it closes them.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rusqlite::Connection;

use super::{Role, connect};
use crate::db::StoreError;

pub(super) struct Readers {
    path: PathBuf,
    busy_timeout: Duration,
    slots: Box<[Mutex<Option<Connection>>]>,
}

impl Readers {
    pub(super) fn new(path: &Path, busy_timeout: Duration) -> Self {
        // The runtime has a thread for each core; the rest is room for tests' and blocking threads.
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            path: path.to_owned(),
            busy_timeout,
            slots: (0..(cores + 2).min(64)).map(|_| Mutex::default()).collect(),
        }
    }

    pub(super) fn with<T>(
        &self,
        f: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut slot = self.lock();
        if slot.is_none() {
            *slot = Some(connect(&self.path, Role::Reader, self.busy_timeout)?);
        }
        slot.as_ref().map_or(Err(StoreError::Closed), f)
    }

    pub(super) fn close(&self) {
        for slot in &self.slots {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// The thread's own slot, else any free one, else wait for one's own.
    fn lock(&self) -> MutexGuard<'_, Option<Connection>> {
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
