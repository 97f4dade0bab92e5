//! Look-ups of many callers in one statement.
//!
//! A statement costs PostgreSQL, and this program, far more than the row that it finds. So no more
//! look-ups of one kind are on their way than there are connections for reads; what is asked
//! meanwhile waits for the next to come back, and then goes over together. Where few ask, nobody
//! waits and nothing is put together.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use tokio::sync::oneshot;
use tokio_postgres::Row;

use super::arrays::Wanted;
use super::reads::{Each, Reads, Rows};
use crate::db::{StoreError, Val};

/// Look-ups in one statement at the most: its answer is not to keep the first of them waiting.
const TOGETHER: usize = 256;

type Answer = Result<Vec<Row>, StoreError>;

#[derive(Clone)]
pub(super) struct LookUps(Arc<Shared>);

struct Shared {
    reads: Arc<Reads>,
    /// By statement. One of which nothing is on its way stands here no longer.
    kinds: Mutex<HashMap<&'static str, Kind>>,
}

/// The look-ups by one statement.
struct Kind {
    on_their_way: usize,
    waiting: Vec<Waiting>,
}

struct Waiting {
    params: Vec<Val<'static>>,
    answer: oneshot::Sender<Answer>,
}

impl LookUps {
    pub(super) fn new(reads: Arc<Reads>) -> Self {
        Self(Arc::new(Shared {
            reads,
            kinds: Mutex::default(),
        }))
    }

    /// All rows for these parameters.
    pub(super) async fn rows(&self, sql: &'static str, params: Vec<Val<'static>>) -> Answer {
        let (answer, answered) = oneshot::channel();
        let begins = {
            let mut kinds = self.0.kinds();
            let kind = kinds.entry(sql).or_insert_with(|| Kind {
                on_their_way: 0,
                waiting: Vec::new(),
            });
            kind.waiting.push(Waiting { params, answer });
            let begins = kind.on_their_way < self.0.reads.connections();
            kind.on_their_way += usize::from(begins);
            begins
        };
        if begins {
            // Of its own: a caller who goes away must leave nobody waiting.
            tokio::spawn(Arc::clone(&self.0).ask_all(sql));
        }
        answered.await.unwrap_or(Err(StoreError::Panicked))
    }
}

impl Shared {
    /// Asks for what waits, again and again until nothing does.
    async fn ask_all(self: Arc<Self>, sql: &'static str) {
        loop {
            // Those who are about to ask come first, for company; where nobody is, it takes no time.
            tokio::task::yield_now().await;
            let some = self.take(sql);
            if some.is_empty() {
                return;
            }
            // Whoever asked here is told by the loss of his sender; the others go on to be asked for.
            let asked = AssertUnwindSafe(self.ask(sql, some)).catch_unwind().await;
            if asked.is_err() {
                tracing::error!("a look-up panicked");
            }
        }
    }

    /// Some of what waits for this statement; nothing where there is none, and then whoever asked
    /// for it is no longer on his way.
    fn take(&self, sql: &'static str) -> Vec<Waiting> {
        let mut kinds = self.kinds();
        let Entry::Occupied(mut kind) = kinds.entry(sql) else {
            return Vec::new();
        };
        let waiting = &mut kind.get_mut().waiting;
        waiting.retain(|waiting| !waiting.answer.is_closed());
        let some: Vec<_> = waiting.drain(..waiting.len().min(TOGETHER)).collect();
        if some.is_empty() {
            kind.get_mut().on_their_way -= 1;
            if kind.get().on_their_way == 0 {
                kind.remove();
            }
        }
        some
    }

    async fn ask(&self, sql: &'static str, some: Vec<Waiting>) {
        let (sets, answers): (Vec<_>, Vec<_>) = some
            .into_iter()
            .map(|waiting| (waiting.params, waiting.answer))
            .unzip();
        let found = match sets.as_slice() {
            [alone] => self
                .reads
                .read(Rows(sql, alone))
                .await
                .map(|rows| vec![rows]),
            sets => self.reads.read(Each(sql, sets, Wanted::All)).await,
        };
        // Where somebody no longer listens, nothing is lost.
        match found {
            Ok(found) => {
                for (answer, rows) in answers.into_iter().zip(found) {
                    let _ = answer.send(Ok(rows));
                }
            }
            Err(error) => {
                for answer in answers {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }

    fn kinds(&self) -> MutexGuard<'_, HashMap<&'static str, Kind>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
