//! Writing the entries of reads behind: gathered and appended together, at most a fifth of a
//! second late. Entries of writes do not come this way; they commit with their state.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use banyan_store::db::StoreError;
use banyan_store::journal::Entry;
use banyan_store::spool::Spool;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

/// Entries that wait; a read waits where there are as many already.
const WAITING: usize = 16_384;
/// Entries that are appended together.
const TOGETHER: usize = 8_192;
/// How long the first of them waits for company. With the append itself it stays below the
/// fifth of a second that is the most a power failure may take.
const GATHER: Duration = Duration::from_millis(100);

/// How often entries are moved from where they wait into the journal, at the most. On SQLite each
/// commit to the main file makes every reader forget what it remembers of it, so many are moved in
/// one go.
const MOVE_EVERY: Duration = Duration::from_secs(2);
/// Entries moved in one transaction, so that others who write need not wait for long.
const MOVED_AT_ONCE: usize = 500;
/// Transactions in one go. Their indexes cost more than the reads themselves, so under full load
/// entries are moved at this pace, 2,000 a second, and the rest waits for a quieter hour.
const MOVES_IN_A_GO: u32 = 8;
/// How often at the most entries are moved once more when the journal closes.
const CLOSING_MOVES: u32 = 40;
/// How long somebody who wants to know waits for what is gathered just now.
const GATHERED: Duration = Duration::from_secs(2);
/// How long the mover rests where the database is away.
const MOVE_AGAIN: Duration = Duration::from_secs(1);

/// Takes entries and appends them behind.
#[derive(Debug)]
pub struct JournalBehind {
    sender: Mutex<Option<mpsc::Sender<Entry>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    /// Entries that were left here so far.
    left: AtomicU64,
    /// Entries of them that are durable, or lost.
    kept: Arc<AtomicU64>,
    spool: Spool,
}

impl JournalBehind {
    /// Starts the writer, and the mover; what still waits from the last run is moved first.
    #[must_use]
    pub fn start(spool: Spool) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let kept = Arc::new(AtomicU64::new(0));
        let keeper = Keeper {
            spool: spool.clone(),
            kept: kept.clone(),
        };
        let (told, news) = watch::channel(());
        let tasks = vec![
            tokio::spawn(append_behind(keeper, receiver, told)),
            tokio::spawn(move_behind(spool.clone(), news)),
        ];
        Self {
            sender: Mutex::new(Some(sender)),
            tasks: Mutex::new(tasks),
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
        let awaited = Awaited { kept: &self.kept };
        let place = sender.reserve().await.map_err(|_| StoreError::Closed)?;
        place.send(entry);
        std::mem::forget(awaited);
        Ok(())
    }

    /// Whether the journal holds every entry of reads that were begun up to this moment: of this
    /// node, and of the others as far as they have made them durable. Waits a moment for those that
    /// are gathered here just now.
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
        let oldest_ms = self.oldest_ms().await?;
        Ok(oldest_ms.is_none_or(|oldest_ms| oldest_ms > moment_ms))
    }

    /// When the read was begun whose entry has waited longest, of all nodes, to be moved into the
    /// journal; `None` where none waits.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn oldest_ms(&self) -> Result<Option<i64>, StoreError> {
        self.spool.oldest_ms().await
    }

    /// Appends what waits and stops.
    pub async fn close(&self) {
        self.sender
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the journal ended badly");
            }
        }
    }
}

/// An entry that was announced and is not on its way yet. Whoever waits for a place may give up, and
/// then nobody need wait for his entry.
struct Awaited<'a> {
    kept: &'a AtomicU64,
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.kept.fetch_add(1, Ordering::SeqCst);
    }
}

/// Gathers entries and makes them durable; says so to the mover.
async fn append_behind(
    keeper: Keeper,
    mut receiver: mpsc::Receiver<Entry>,
    mover: watch::Sender<()>,
) {
    let mut entries = Vec::with_capacity(TOGETHER);
    while receiver.recv_many(&mut entries, TOGETHER).await > 0 {
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
        keeper.keep(&mut entries).await;
        keeper.kept.fetch_add(count, Ordering::SeqCst);
        mover.send_replace(());
    }
}

/// Moves entries from where they wait into the journal, until nobody keeps any more.
async fn move_behind(spool: Spool, mut news: watch::Receiver<()>) {
    // Something may wait from the last run.
    let mut waiting = true;
    loop {
        let went_at = Instant::now();
        if waiting {
            news.mark_unchanged();
            waiting = match move_some(&spool, MOVES_IN_A_GO).await {
                Ok(more) => more,
                Err(error) => {
                    tracing::warn!(%error, "waiting entries could not be moved into the journal yet");
                    sleep(MOVE_AGAIN).await;
                    true
                }
            };
        }
        let closed = if waiting {
            // What is left is moved at its pace, unless the end comes first.
            tokio::select! {
                () = sleep_until(went_at + MOVE_EVERY) => false,
                closed = closed(&mut news) => closed,
            }
        } else {
            let closed = news.changed().await.is_err();
            waiting = true;
            if !closed {
                sleep_until(went_at + MOVE_EVERY).await;
            }
            closed
        };
        if closed {
            break;
        }
    }
    // What is left after this waits durably for the next start.
    if let Err(error) = move_some(&spool, CLOSING_MOVES).await {
        tracing::warn!(%error, "waiting entries stay where they are until the next start");
    }
    spool.close().await;
}

/// Waits until nobody keeps entries any more; gives `true`.
async fn closed(news: &mut watch::Receiver<()>) -> bool {
    while news.changed().await.is_ok() {}
    true
}

/// Makes entries durable.
struct Keeper {
    spool: Spool,
    /// How many entries need not be waited for any longer.
    kept: Arc<AtomicU64>,
}

impl Keeper {
    /// Makes entries durable, again and again while the database is away; reads meanwhile fill the
    /// queue and then wait, so nothing is forgotten and nothing grows without bound.
    async fn keep(&self, entries: &mut Vec<Entry>) {
        let entries = std::mem::replace(entries, Vec::with_capacity(entries.len()));
        let mut pause = Duration::from_millis(50);
        let mut tried = false;
        loop {
            match self.spool.put(&entries).await {
                Ok(()) => return,
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
}

/// Moves the entries that have waited longest into the journal, in so many transactions at the
/// most; gives whether some may be left.
async fn move_some(spool: &Spool, transactions: u32) -> Result<bool, StoreError> {
    for _ in 0..transactions {
        if !spool.move_some(MOVED_AT_ONCE).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use banyan_store::db::Engine;
    use banyan_store::ids::PartnerId;
    use banyan_store::journal::Direction;
    use banyan_store::testing::open;

    use super::*;

    fn entry(id: i64) -> Entry {
        Entry {
            id,
            at_ms: 1_000,
            partner: PartnerId(1),
            interface: "ORG_MDL_002".into(),
            direction: Direction::Received,
            result: "000000".into(),
            person: None,
            purpose: None,
            subject: None,
            digest: None,
        }
    }

    #[tokio::test]
    async fn nobody_waits_for_an_entry_whose_caller_went_away() {
        let db = open(Engine::Sqlite).await;
        let spool = Spool::open(&db.url, db.db.clone()).await.unwrap();
        // There is room for one, and nobody who takes it out.
        let (sender, _receiver) = mpsc::channel(1);
        let journal = JournalBehind {
            sender: Mutex::new(Some(sender)),
            tasks: Mutex::default(),
            left: AtomicU64::new(0),
            kept: Arc::default(),
            spool,
        };
        journal.leave(entry(1)).await.unwrap();
        let late = tokio::time::timeout(Duration::from_millis(1), journal.leave(entry(2)));
        assert!(late.await.is_err(), "it waits for a place");
        // The first became durable meanwhile.
        journal.kept.fetch_add(1, Ordering::SeqCst);
        assert!(journal.holds_all_until(2_000).await.unwrap());
    }
}
