//! Writing the entries of reads behind: gathered and appended together, at most a fifth of a
//! second late. Entries of writes do not come this way; they commit with their state.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use banyan_store::db::{Db, StoreError};
use banyan_store::journal::{self, Entry};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Entries that wait; a read waits where there are as many already.
const WAITING: usize = 16_384;
/// Entries that are appended together.
const TOGETHER: usize = 1_024;
/// How long the first of them waits for company. With the append itself it stays below the
/// fifth of a second that is the most a power failure may take.
const GATHER: Duration = Duration::from_millis(100);

/// Takes entries and appends them behind.
#[derive(Debug)]
pub struct JournalBehind {
    sender: Mutex<Option<mpsc::Sender<Entry>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl JournalBehind {
    /// Starts the writer.
    #[must_use]
    pub fn start(db: Db) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self {
            sender: Mutex::new(Some(sender)),
            writer: Mutex::new(Some(tokio::spawn(append_behind(db, receiver)))),
        }
    }

    /// Leaves an entry; waits where the writer is far behind.
    ///
    /// # Errors
    /// [`StoreError::Closed`] where the journal was closed.
    pub async fn leave(&self, entry: Entry) -> Result<(), StoreError> {
        let sender = self
            .sender
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .ok_or(StoreError::Closed)?;
        sender.send(entry).await.map_err(|_| StoreError::Closed)
    }

    /// Appends what waits and stops.
    pub async fn close(&self) {
        self.sender
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = writer
            && let Err(error) = writer.await
        {
            tracing::error!(%error, "the journal's writer ended badly");
        }
    }
}

async fn append_behind(db: Db, mut receiver: mpsc::Receiver<Entry>) {
    let mut entries = Vec::with_capacity(TOGETHER);
    loop {
        if receiver.recv_many(&mut entries, TOGETHER).await == 0 {
            return;
        }
        let deadline = tokio::time::Instant::now() + GATHER;
        while entries.len() < TOGETHER {
            let room = TOGETHER - entries.len();
            match tokio::time::timeout_at(deadline, receiver.recv_many(&mut entries, room)).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        append(&db, std::mem::take(&mut entries)).await;
    }
}

/// Appends, again and again while the database is away; reads meanwhile fill the queue and then
/// wait, so nothing is forgotten and nothing grows without bound.
async fn append(db: &Db, entries: Vec<Entry>) {
    let entries = std::sync::Arc::new(entries);
    let mut pause = Duration::from_millis(50);
    let mut tried = false;
    loop {
        let batch = entries.clone();
        match db.write(move |tx| journal::append(tx, &batch)).await {
            Ok(()) => return,
            // A commit whose outcome was unknown had kept them after all.
            Err(error) if error.is_conflict() && tried => return,
            Err(error @ (StoreError::Corrupt(_) | StoreError::Panicked | StoreError::Closed)) => {
                tracing::error!(%error, count = entries.len(), "journal entries were lost");
                return;
            }
            Err(error) => {
                tracing::warn!(%error, count = entries.len(), "the journal waits for the database");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
                tried = true;
            }
        }
    }
}
