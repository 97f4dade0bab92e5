//! Moving SQLite's log into its file, beside the writer instead of in its way.
//!
//! FIGURES

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::{Role, connect};
use crate::db::StoreError;
use crate::db::settings::Checkpoints;

/// Pages written between two rounds of the checkpointer (16 MB).
const POKE_EVERY_PAGES: i32 = 4_096;
/// Pages of log at which the writer itself finishes the job (256 MB): while writes never pause,
/// only the writer can catch up with itself and start the log anew.
const BACKSTOP_PAGES: i32 = 65_536;

/// Decides after each commit who moves the log, and when.
pub(super) struct Checkpointer {
    plan: Checkpoints,
    poked_at: i32,
    thread: Option<(SyncSender<()>, JoinHandle<()>)>,
}

impl Checkpointer {
    pub(super) fn start(
        path: &Path,
        busy_timeout: Duration,
        plan: Checkpoints,
    ) -> Result<Self, StoreError> {
        let thread = match plan {
            Checkpoints::Writer { .. } => None,
            Checkpoints::OwnThread => {
                let connection = connect(path, Role::Writer, busy_timeout)?;
                // One poke waiting is as good as many.
                let (poke, pokes) = sync_channel(1);
                let thread = std::thread::Builder::new()
                    .name("banyan-checkpoint".to_owned())
                    .spawn(move || serve(&connection, &pokes))
                    .map_err(|error| StoreError::Unavailable(error.to_string()))?;
                Some((poke, thread))
            }
        };
        Ok(Self {
            plan,
            poked_at: 0,
            thread,
        })
    }

    /// After a commit that left so many pages in the log.
    pub(super) fn after_commit(&mut self, writer: &Connection, pages: i32) {
        if pages < self.poked_at {
            self.poked_at = 0; // the log began anew
        }
        let backstop = match self.plan {
            Checkpoints::OwnThread => BACKSTOP_PAGES,
            Checkpoints::Writer { pages } => pages,
        };
        if pages >= backstop {
            passive(writer);
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

fn serve(connection: &Connection, pokes: &Receiver<()>) {
    while pokes.recv().is_ok() {
        passive(connection);
    }
}

/// Moves what can be moved without making anybody wait. A failure loses nothing, the log grows.
fn passive(connection: &Connection) {
    let moved = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    if let Err(error) = moved {
        tracing::warn!(%error, "SQLite's log could not be moved into its file");
    }
}
