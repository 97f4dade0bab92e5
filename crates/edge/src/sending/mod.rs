//! What the edge does by itself: make messages of what changed, send them, ask what became of
//! them, and look around.
//!
//! Nothing here holds anything that the outbox does not: whoever stops the edge at any point finds
//! the same work due when it starts again.

mod files;
pub(crate) mod presence;
mod transmit;

use std::time::Duration;

use banyan_protocol::ambient::DAY_MS;
use banyan_store::db::StoreError;
use tokio::sync::watch;

use crate::edge::Edge;

pub(crate) use transmit::{LONGEST_FOLLOW_UP_MS, said};

/// No retry waits longer.
pub(crate) const LONGEST_WAIT_MS: i64 = 5 * 60_000;
/// How often to look when nobody rings.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often to forget what is over.
const PRUNE_EVERY_MS: i64 = 3_600_000;
/// A clock that moved back by more was set.
const SET_BACK_MS: i64 = 60_000;

/// Whoever does the work.
pub(crate) struct Worker {
    edge: Edge,
    files: files::Drop,
    rounds: Rounds,
}

/// What is remembered from round to round.
struct Rounds {
    last_ms: i64,
    pruned_ms: i64,
    probed_ms: i64,
}

impl Worker {
    pub(crate) fn new(edge: Edge) -> Self {
        Self {
            files: files::Drop::new(&edge),
            rounds: Rounds {
                last_ms: edge.now_ms(),
                pruned_ms: 0,
                probed_ms: 0,
            },
            edge,
        }
    }

    /// Works until it is stopped. A large file keeps no message waiting.
    pub(crate) async fn run(&mut self, stopped: watch::Receiver<bool>) {
        let Self {
            edge,
            files,
            rounds,
        } = self;
        tokio::join!(
            files.run(edge, stopped.clone()),
            rounds.run(edge, stopped.clone())
        );
    }

    /// Works until nothing is due.
    pub(crate) async fn settle(&mut self) -> Result<(), StoreError> {
        self.files.look(&self.edge, self.edge.now_ms()).await;
        while self.rounds.round(&self.edge).await? {}
        Ok(())
    }
}

impl Rounds {
    async fn run(&mut self, edge: &Edge, mut stopped: watch::Receiver<bool>) {
        while !*stopped.borrow() {
            let progress = match self.round(edge).await {
                Ok(progress) => progress,
                Err(error) => {
                    tracing::error!(%error, "the outbox failed; what is due stays due");
                    false
                }
            };
            if progress {
                continue;
            }
            tokio::select! {
                () = edge.bell.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
                _ = stopped.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// One round; `true` where there may be more to do at once.
    async fn round(&mut self, edge: &Edge) -> Result<bool, StoreError> {
        let now_ms = edge.now_ms();
        if now_ms < self.last_ms - SET_BACK_MS {
            tracing::warn!(by_ms = self.last_ms - now_ms, "the clock was set back");
            edge.mind_the_clock().await?;
            (self.pruned_ms, self.probed_ms) = (0, 0);
        }
        self.last_ms = now_ms;
        let mut progress = transmit::send(edge).await?;
        progress |= transmit::follow_up(edge).await?;
        presence::tell(edge, now_ms).await?;
        self.probe(edge, now_ms).await;
        self.prune(edge, now_ms).await?;
        Ok(progress)
    }

    /// Forgets what is over, by the platform's clock: ours alone is not trusted with that.
    async fn prune(&mut self, edge: &Edge, now_ms: i64) -> Result<(), StoreError> {
        let Some(skew_ms) = edge.line.record().skew_ms else {
            return Ok(());
        };
        if (now_ms - self.pruned_ms).abs() < PRUNE_EVERY_MS {
            return Ok(());
        }
        let keep = &edge.settings.retention;
        let before_ms = |days: i64| (now_ms + skew_ms).saturating_sub(days.saturating_mul(DAY_MS));
        let more = edge
            .outbox
            .prune(before_ms(keep.item_days), before_ms(keep.message_days))
            .await?;
        if !more {
            self.pruned_ms = now_ms;
        }
        Ok(())
    }

    /// While nobody calls, a question without effect says whether clock, network, key and platform
    /// are well.
    async fn probe(&mut self, edge: &Edge, now_ms: i64) {
        let every_ms = edge.settings.sending.probe_every_ms;
        let record = edge.line.record();
        let last_ms = record.answered_ms.unwrap_or(0).max(self.probed_ms);
        if every_ms <= 0 || (now_ms - last_ms).abs() < every_ms || edge.line.is_away() {
            return;
        }
        self.probed_ms = now_ms;
        transmit::probe(edge).await;
    }
}
