//! The one thread that writes to SQLite.
//!
//! It takes what is queued, runs each closure, commits once, and only then gives the answers: one
//! sync of the disk for many callers. A closure that fails or panics takes nobody along, since
//! every closure but the first of a group stands in a savepoint of its own; the first needs none,
//! for when it fails there is nothing else to lose yet.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::checkpoint::Checkpointer;
use super::reader::Readers;
use super::{Counts, DataFile, Role, statement};
use crate::db::{DbSettings, StoreError, Tx, WriteCounts};

/// Closures in a commit: a bound on what one failing commit takes along.
const GROUP_CLOSURES: usize = 256;
/// Work in a commit, so that the first of a group does not wait long for the last.
const GROUP_WORK: Duration = Duration::from_millis(10);

/// The writer, as its callers see it.
pub(super) struct Writer {
    queue: mpsc::Sender<Message>,
    counts: Arc<Counts>,
}

enum Message {
    Write(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

impl Writer {
    pub(super) fn start(
        file: &DataFile,
        settings: &DbSettings,
        counts: Arc<Counts>,
        readers: &Arc<Readers>,
    ) -> Result<Self, StoreError> {
        let mut connection = file.connect(Role::Writer)?;
        // This hook also takes the place of SQLite's own automatic checkpoint.
        let log_pages = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&log_pages);
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: i32| {
            seen.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        let checkpointer = Checkpointer::start(file, settings.checkpoints, readers)?;
        let (queue, waiting) = mpsc::channel(settings.write_queue.max(1));
        let desk = Desk {
            connection,
            waiting,
            checkpointer,
            log_pages,
            counts: Arc::clone(&counts),
        };
        std::thread::Builder::new()
            .name("banyan-writer".to_owned())
            .spawn(move || desk.serve())
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self { queue, counts })
    }

    pub(super) async fn write<T, E>(
        &self,
        f: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        queue_timeout: Duration,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let message = Message::Write(Box::new(Write { f, answer }));
        self.queue
            .send_timeout(message, queue_timeout)
            .await
            .map_err(|error| match error {
                mpsc::error::SendTimeoutError::Timeout(_) => StoreError::Busy,
                mpsc::error::SendTimeoutError::Closed(_) => StoreError::Closed,
            })?;
        // The writer drops a question unanswered only when it has ended.
        answered
            .await
            .unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    pub(super) fn check_alive(&self) -> Result<(), StoreError> {
        if self.queue.is_closed() {
            return Err(StoreError::Closed);
        }
        Ok(())
    }

    pub(super) fn counts(&self) -> WriteCounts {
        WriteCounts {
            writes: self.counts.writes.load(Ordering::Relaxed),
            commits: self.counts.commits(),
        }
    }

    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Message::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }
}

/// A queued closure, its types forgotten.
trait Job: Send {
    /// Runs the closure, unless nobody waits for it any more.
    fn run(self: Box<Self>, tx: &mut Tx<'_>) -> Option<Ran>;
    /// Answers without having run.
    fn refuse(self: Box<Self>, why: StoreError);
}

/// A closure that was run and waits for the commit.
struct Ran {
    keep: bool,
    /// Gives the answer; with an error where the commit failed.
    answer: Box<dyn FnOnce(Option<StoreError>)>,
}

struct Write<T, E, F> {
    f: F,
    answer: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Job for Write<T, E, F>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send,
{
    fn run(self: Box<Self>, tx: &mut Tx<'_>) -> Option<Ran> {
        let Self { mut f, answer } = *self;
        if answer.is_closed() {
            return None;
        }
        let outcome = match catch_unwind(AssertUnwindSafe(|| f(tx))) {
            Err(_) => Err(StoreError::Panicked.into()),
            // A statement failed and the closure went on: PostgreSQL could not commit this either.
            Ok(Ok(_)) if let Some(failed) = tx.failure() => Err(failed.into()),
            Ok(outcome) => outcome,
        };
        Some(Ran {
            keep: outcome.is_ok(),
            answer: Box::new(move |lost| {
                let _ = answer.send(match (outcome, lost) {
                    (Ok(_), Some(lost)) => Err(lost.into()),
                    (outcome, _) => outcome,
                });
            }),
        })
    }

    fn refuse(self: Box<Self>, why: StoreError) {
        let _ = self.answer.send(Err(why.into()));
    }
}

/// The writer's own side: the connection and the queue.
struct Desk {
    connection: Connection,
    waiting: mpsc::Receiver<Message>,
    checkpointer: Checkpointer,
    log_pages: Arc<AtomicI32>,
    counts: Arc<Counts>,
}

impl Desk {
    fn serve(mut self) {
        let mut closed = Vec::new();
        while let Some(message) = self.waiting.blocking_recv() {
            match message {
                Message::Write(first) => closed.extend(self.serve_group(first)),
                Message::Close(done) => closed.push(done),
            }
            if !closed.is_empty() {
                // What is queued already is still served; then `blocking_recv` says the end.
                self.waiting.close();
            }
        }
        self.checkpointer.stop();
        let emptied = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = emptied {
            tracing::warn!(%error, "SQLite's log could not be emptied at the end");
        }
        drop(self.connection);
        for done in closed {
            let _ = done.send(());
        }
    }

    /// Commits the first closure together with what is queued behind it. Returns the wish to
    /// close, if it met one.
    fn serve_group(&mut self, first: Box<dyn Job>) -> Option<oneshot::Sender<()>> {
        if let Err(error) = self.control("BEGIN IMMEDIATE") {
            return self.refuse_all(first, &error);
        }
        let began = Instant::now();
        let mut group = Vec::new();
        let mut kept = 0_u64;
        let mut lost = None;
        let mut close = None;
        let mut next = Some(first);
        while let Some(job) = next.take() {
            let outcome = if kept == 0 {
                self.run_first(job)
            } else {
                self.run_in_savepoint(job)
            };
            match outcome {
                Ok(None) => {}
                Ok(Some(ran)) => {
                    kept += u64::from(ran.keep);
                    let undone = !ran.keep && kept == 0;
                    group.push(ran);
                    if undone {
                        break;
                    }
                }
                Err(failed) => {
                    group.extend(failed.ran);
                    lost = Some(failed.error);
                    break;
                }
            }
            if group.len() >= GROUP_CLOSURES || began.elapsed() >= GROUP_WORK {
                break;
            }
            match self.waiting.try_recv() {
                Ok(Message::Write(job)) => next = Some(job),
                Ok(Message::Close(done)) => close = Some(done),
                Err(_) => {}
            }
        }
        let lost = lost.or_else(|| self.commit(kept).err());
        for ran in group {
            (ran.answer)(lost.clone());
        }
        // After the answers: nobody but the next group waits for this.
        self.checkpointer
            .after_commit(&self.connection, self.log_pages.load(Ordering::Relaxed));
        close
    }

    /// Another process holds the file, or the disk is gone: those who queue would each wait as
    /// long as the first did, for the same answer. They are taken from the queue before anybody is
    /// answered: whoever writes again after an answer is not of those who waited.
    fn refuse_all(&mut self, first: Box<dyn Job>, why: &StoreError) -> Option<oneshot::Sender<()>> {
        tracing::warn!(error = %why, "a write could not begin");
        let mut refused = vec![first];
        let mut close = None;
        while close.is_none() && refused.len() <= self.waiting.max_capacity() {
            match self.waiting.try_recv() {
                Ok(Message::Write(job)) => refused.push(job),
                Ok(Message::Close(done)) => close = Some(done),
                Err(_) => break,
            }
        }
        for job in refused {
            job.refuse(why.clone());
        }
        close
    }

    /// Runs a closure with nothing to protect before it: if it fails, all is rolled back.
    fn run_first(&self, job: Box<dyn Job>) -> Result<Option<Ran>, Lost> {
        let ran = job.run(&mut Tx::sqlite(&self.connection));
        match ran {
            Some(ran) if ran.keep => self.still_open(Some(ran)),
            Some(ran) => {
                self.roll_back();
                Ok(Some(ran))
            }
            None => Ok(None),
        }
    }

    fn run_in_savepoint(&self, job: Box<dyn Job>) -> Result<Option<Ran>, Lost> {
        if let Err(error) = self.control("SAVEPOINT closure") {
            job.refuse(error.clone());
            return Err(Lost { error, ran: None });
        }
        let ran = job.run(&mut Tx::sqlite(&self.connection));
        let keep = ran.as_ref().is_none_or(|ran| ran.keep);
        // On a full disk, and the like, SQLite has rolled back the whole transaction by itself.
        let ran = self.still_open(ran)?;
        let ended = if keep {
            self.control("RELEASE closure")
        } else {
            self.control("ROLLBACK TO closure")
                .and_then(|()| self.control("RELEASE closure"))
        };
        match ended {
            Ok(()) => Ok(ran),
            Err(error) => {
                self.roll_back();
                Err(Lost { error, ran })
            }
        }
    }

    fn still_open(&self, ran: Option<Ran>) -> Result<Option<Ran>, Lost> {
        if self.connection.is_autocommit() {
            let error = StoreError::Unavailable("SQLite rolled the transaction back".to_owned());
            return Err(Lost { error, ran });
        }
        Ok(ran)
    }

    fn commit(&mut self, kept: u64) -> Result<(), StoreError> {
        if kept == 0 {
            self.roll_back();
            return Ok(());
        }
        if let Err(error) = self.control("COMMIT") {
            tracing::error!(%error, writes = kept, "a commit failed, nothing of it was kept");
            self.roll_back();
            return Err(error);
        }
        self.counts.note_commit(kept);
        Ok(())
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.control("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }

    fn control(&self, sql: &str) -> Result<(), StoreError> {
        statement::execute(&self.connection, sql, &[]).map(drop)
    }
}

/// The whole group's transaction is gone.
struct Lost {
    error: StoreError,
    /// The closure that ran last.
    ran: Option<Ran>,
}
