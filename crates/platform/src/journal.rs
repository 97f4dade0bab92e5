//! Writing the entries of reads behind: gathered and appended together, at most a fifth of a
//! second late. Entries of writes do not come this way; they commit with their state.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use banyan_store::db::{Db, StoreError};
use banyan_store::journal::{self, Entry};
use banyan_store::spool::Spool;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// Entries that wait; a read waits where there are as many already.
const WAITING: usize = 16_384;
/// Entries that are appended together.
const TOGETHER: usize = 8_192;
/// How long the first of them waits for company. With the append itself it stays below the
/// fifth of a second that is the most a power failure may take.
const GATHER: Duration = Duration::from_millis(100);

/// How often entries are moved from where they wait into the journal.
const MOVE_EVERY: Duration = Duration::from_millis(250);
/// Entries moved at once. Their indexes cost more than the reads themselves, so under full load
/// they are moved at this pace and the rest waits for a quieter hour.
const MOVED_AT_ONCE: usize = 500;
/// How often at the most entries are moved once more when the journal closes.
const CLOSING_MOVES: u32 = 40;
/// How long somebody who wants to know waits for what is gathered just now.
const GATHERED: Duration = Duration::from_secs(2);
/// A read ends as long after its beginning at the most: the time limit of a call, and some more.
const LONGEST_READ_MS: i64 = 20_000;
/// Nothing waits, so nothing needs to be looked after.
const FOR_EVER: Duration = Duration::from_secs(86_400);

/// Takes entries and appends them behind.
#[derive(Debug)]
pub struct JournalBehind {
    sender: Mutex<Option<mpsc::Sender<Entry>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Entries that were left here so far.
    left: AtomicU64,
    /// Entries of them that are durable, or lost.
    kept: Arc<AtomicU64>,
    spool: Option<Spool>,
}

impl JournalBehind {
    /// Starts the writer; what still waits from the last run is moved first.
    #[must_use]
    pub fn start(db: Db, spool: Option<Spool>) -> Self {
        let kept = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            db,
            waiting: spool.is_some(),
            spool: spool.clone(),
            kept: kept.clone(),
        };
        let (sender, receiver) = mpsc::channel(WAITING);
        Self {
            sender: Mutex::new(Some(sender)),
            writer: Mutex::new(Some(tokio::spawn(append_behind(writer, receiver)))),
            left: AtomicU64::new(0),
            kept,
            spool,
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
        self.left.fetch_add(1, Ordering::SeqCst);
        sender.send(entry).await.map_err(|_| StoreError::Closed)
    }

    /// Whether the journal holds every entry of this node's reads that were begun up to this
    /// moment. Waits a moment for those that are gathered just now.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn holds_all_until(&self, moment_ms: i64) -> Result<bool, StoreError> {
        let left = self.left.load(Ordering::SeqCst);
        let asked = Instant::now();
        while self.kept.load(Ordering::SeqCst) < left {
            if asked.elapsed() > GATHERED {
                return Ok(false);
            }
            sleep(GATHER / 4).await;
        }
        let Some(spool) = &self.spool else {
            return Ok(true);
        };
        let waiting = spool.first(1).await?;
        let mut times = waiting
            .iter()
            .flat_map(|waiting| &waiting.entries)
            .map(|entry| entry.at_ms);
        // Entries wait in the order in which their reads ended.
        Ok(times.all(|at_ms| at_ms > moment_ms + LONGEST_READ_MS))
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

/// Where the entries go, and from where into the journal.
struct Writer {
    db: Db,
    /// On SQLite entries wait in a file of their own.
    spool: Option<Spool>,
    /// Whether something may wait there.
    waiting: bool,
    /// How many entries need not be waited for any longer.
    kept: Arc<AtomicU64>,
}

async fn append_behind(mut writer: Writer, mut receiver: mpsc::Receiver<Entry>) {
    let mut entries = Vec::with_capacity(TOGETHER);
    let mut moved_at = Instant::now();
    loop {
        let quiet = if writer.waiting { MOVE_EVERY } else { FOR_EVER };
        let received = timeout(quiet, receiver.recv_many(&mut entries, TOGETHER)).await;
        match received {
            Ok(0) => break,
            Ok(_) => {
                // Asleep, not listening: to be woken by each entry would cost more than the entry.
                if !receiver.is_closed() {
                    sleep(GATHER).await;
                }
                while entries.len() < TOGETHER {
                    let Ok(entry) = receiver.try_recv() else {
                        break;
                    };
                    entries.push(entry);
                }
                let count = entries.len() as u64;
                writer.keep(std::mem::take(&mut entries)).await;
                writer.kept.fetch_add(count, Ordering::SeqCst);
                if moved_at.elapsed() >= MOVE_EVERY {
                    writer.move_some().await;
                    moved_at = Instant::now();
                }
            }
            // Nobody asks anything just now.
            Err(_) => {
                writer.move_some().await;
                moved_at = Instant::now();
            }
        }
    }
    // What is left after this waits durably for the next start.
    for _ in 0..CLOSING_MOVES {
        if !writer.waiting || !writer.move_some().await {
            break;
        }
    }
    if let Some(spool) = &writer.spool {
        spool.close().await;
    }
}

impl Writer {
    /// Makes entries durable, again and again while the database is away; reads meanwhile fill the
    /// queue and then wait, so nothing is forgotten and nothing grows without bound.
    async fn keep(&mut self, entries: Vec<Entry>) {
        let entries = Arc::new(entries);
        let mut pause = Duration::from_millis(50);
        let mut tried = false;
        loop {
            let kept = match &self.spool {
                Some(spool) => spool.put(&entries).await,
                None => {
                    let batch = entries.clone();
                    self.db.write(move |tx| journal::append(tx, &batch)).await
                }
            };
            match kept {
                Ok(()) => {
                    self.waiting = self.spool.is_some();
                    return;
                }
                // A commit whose outcome was unknown had kept them after all.
                Err(error) if error.is_conflict() && tried => return,
                Err(
                    error @ (StoreError::Corrupt(_) | StoreError::Panicked | StoreError::Closed),
                ) => {
                    tracing::error!(%error, count = entries.len(), "journal entries were lost");
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, count = entries.len(), "the journal waits for the database");
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                    tried = true;
                }
            }
        }
    }

    /// Moves the entries that have waited longest into the journal; gives whether it could.
    async fn move_some(&mut self) -> bool {
        let Some(spool) = &self.spool else {
            self.waiting = false;
            return true;
        };
        let moved = async {
            let Some(first) = spool.first(MOVED_AT_ONCE).await? else {
                return Ok(false);
            };
            let entries = first.entries.clone();
            self.db
                .write(move |tx| journal::append_once(tx, &entries))
                .await?;
            spool.forget(&first).await?;
            Ok::<_, StoreError>(true)
        };
        match moved.await {
            Ok(more) => {
                self.waiting = more;
                true
            }
            Err(error) => {
                tracing::warn!(%error, "waiting entries could not be moved into the journal yet");
                false
            }
        }
    }
}
