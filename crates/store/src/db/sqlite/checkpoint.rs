//! Moving SQLite's log into its file, beside the writer instead of in its way.
//!
//! Measured with `db/tests/bench.rs`: batches of 100 rows of 300 bytes, four indexes with scattered
//! keys, 16 callers who never pause, 10 s, two cores shared with other work, medians of three:
//!
//! | who moves the log | items/s | write p50, p99, max | log on disk |
//! |---|---|---|---|
//! | own thread, writer at 65,536 pages | **24,400** | 61, **134**, 141 ms | 279 MB |
//! | own thread, writer at 16,384 pages | 22,000 | 66, 144, 169 ms | 86 MB |
//! | writer alone, at 16,384 pages | 22,800 | 57, 156, 185 ms | 75 MB |
//!
//! (The writer alone at SQLite's own 1,000 pages: 11,500 and 15,700 items/s, on a busier machine
//! where 16,384 gave 22,100 and 16,700.) So the thread gains about 7% and a seventh of the p99, for
//! a log that may reach 280 MB under a flood. The latencies are those of a full queue.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::reader::Readers;
use super::{DataFile, Role};
use crate::db::StoreError;
use crate::db::settings::Checkpoints;

/// Pages written between two rounds of the checkpointer (16 MB).
const POKE_EVERY_PAGES: i32 = 4_096;
/// How often snapshots are ended that nobody uses any more: each keeps the log, also what other
/// programs write into it, from being begun anew.
const SNAPSHOT_ROUND: Duration = Duration::from_secs(1);

/// Decides after each commit who moves the log, and when.
pub(super) struct Checkpointer {
    plan: Checkpoints,
    poked_at: i32,
    readers: Arc<Readers>,
    thread: Option<(SyncSender<()>, JoinHandle<()>)>,
}

impl Checkpointer {
    pub(super) fn start(
        file: &DataFile,
        plan: Checkpoints,
        readers: &Arc<Readers>,
    ) -> Result<Self, StoreError> {
        let thread = match plan {
            Checkpoints::Writer { .. } => None,
            Checkpoints::OwnThread { .. } => {
                let connection = file.connect(Role::Writer)?;
                let readers = Arc::clone(readers);
                // One poke waiting is as good as many.
                let (poke, pokes) = sync_channel(1);
                let thread = std::thread::Builder::new()
                    .name("banyan-checkpoint".to_owned())
                    .spawn(move || serve(&connection, &readers, &pokes))
                    .map_err(|error| StoreError::Unavailable(error.to_string()))?;
                Some((poke, thread))
            }
        };
        Ok(Self {
            plan,
            poked_at: 0,
            readers: Arc::clone(readers),
            thread,
        })
    }

    /// After a commit that left so many pages in the log.
    pub(super) fn after_commit(&mut self, writer: &Connection, pages: i32) {
        if pages < self.poked_at {
            self.poked_at = 0; // the log began anew
        }
        let backstop = match self.plan {
            Checkpoints::OwnThread { backstop_pages } => backstop_pages,
            Checkpoints::Writer { pages } => pages,
        };
        if pages >= backstop {
            passive(writer, &self.readers);
        } else if let Some((poke, _)) = &self.thread
            && pages - self.poked_at >= POKE_EVERY_PAGES
        {
            self.poked_at = pages;
            // Full means that a round is due anyway.
            let _ = poke.try_send(());
        }
    }

    pub(super) fn stop(self) {
        if let Some((poke, thread)) = self.thread {
            drop(poke);
            let _ = thread.join();
        }
    }
}

fn serve(connection: &Connection, readers: &Readers, pokes: &Receiver<()>) {
    loop {
        let poked = pokes.recv_timeout(SNAPSHOT_ROUND);
        if poked == Err(RecvTimeoutError::Disconnected) {
            return;
        }
        match poked {
            Ok(()) => passive(connection, readers),
            Err(_) => readers.end_stale_snapshots(),
        }
    }
}

/// Moves what can be moved without making anybody wait. A failure loses nothing, the log grows.
fn passive(connection: &Connection, readers: &Readers) {
    readers.end_stale_snapshots();
    let moved = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        // How many pages the log has, and how many of them the file has too.
        Ok(row.get::<_, i64>(1)? == row.get::<_, i64>(2)?)
    });
    match moved {
        Ok(true) => readers.end_snapshots(),
        Ok(false) => {}
        Err(error) => tracing::warn!(%error, "SQLite's log could not be moved into its file"),
    }
}
