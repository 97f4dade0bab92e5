//! Starting the work that is due, one task for each lane, and never two for the same.
//!
//! Lanes that did well last time and lanes that failed have separate places: however many
//! hospitals are down, trying them never takes a place from those that are up.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use banyan_store::db::StoreError;
use banyan_store::queue::{self, JobKind};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use super::{appeals, callbacks, judging, reconcile, revocations};
use crate::app::App;

/// Starts the lanes of one kind.
pub(super) struct Dispatcher {
    app: App,
    kind: JobKind,
    tasks: JoinSet<()>,
    running: Arc<Mutex<HashSet<i64>>>,
    ended: Arc<Notify>,
    healthy: Arc<Semaphore>,
    failing: Arc<Semaphore>,
}

/// Judging is work for processor and disk, so few lanes at once are as fast as many.
const JUDGED_AT_ONCE: usize = 8;
/// How long a lane rests whose task failed.
const STOPPED_PAUSE: Duration = Duration::from_secs(1);
/// Lanes looked at in one round.
const MOST_LANES: i64 = 2_000;

impl Dispatcher {
    pub(super) fn new(app: App, kind: JobKind) -> Self {
        let (healthy, failing) = match kind {
            JobKind::Judge | JobKind::Revocation => (JUDGED_AT_ONCE, JUDGED_AT_ONCE),
            JobKind::Callback
            | JobKind::Reminder
            | JobKind::Correction
            | JobKind::Reconcile
            | JobKind::Appeal => (
                app.settings.outbound.healthy_hospitals,
                app.settings.outbound.failing_hospitals,
            ),
        };
        Self {
            app,
            kind,
            tasks: JoinSet::new(),
            running: Arc::default(),
            ended: Arc::default(),
            healthy: Arc::new(Semaphore::new(healthy)),
            failing: Arc::new(Semaphore::new(failing)),
        }
    }

    /// Starts a task for each due lane that has none, as far as there are places; gives how many.
    pub(super) async fn start_due(&mut self) -> Result<usize, StoreError> {
        while self.tasks.try_join_next().is_some() {}
        let now_ms = self.app.now_ms();
        let app = &self.app;
        let due = queue::due_lanes(&app.db, self.kind, app.node, now_ms, MOST_LANES).await?;
        let mut started = 0;
        for lane in due {
            if locked(&self.running).contains(&lane.lane) {
                continue;
            }
            let places = if lane.failures == 0 {
                &self.healthy
            } else {
                &self.failing
            };
            let Ok(place) = places.clone().try_acquire_owned() else {
                continue;
            };
            if !locked(&self.running).insert(lane.lane) {
                continue;
            }
            started += 1;
            let (app, kind, lane) = (self.app.clone(), self.kind, lane.lane);
            let running = Running {
                lane,
                all: self.running.clone(),
                ended: self.ended.clone(),
            };
            self.tasks.spawn(async move {
                // Dropped in the opposite order: the place is free before anybody hears of it.
                let _running = running;
                let _place = place;
                let done = match kind.lane_kind() {
                    JobKind::Judge => judging::run_lane(&app, lane).await,
                    JobKind::Revocation => revocations::run_lane(&app, lane).await,
                    JobKind::Callback | JobKind::Reminder | JobKind::Correction => {
                        callbacks::run_lane(&app, lane).await
                    }
                    JobKind::Reconcile => reconcile::run_lane(&app, lane).await,
                    JobKind::Appeal => appeals::run_lane(&app, lane).await,
                };
                if let Err(error) = done {
                    app.meters.failure("lane");
                    tracing::warn!(%error, kind = kind.name(), lane, "a lane stopped");
                    // What failed once will fail again in the next instant.
                    tokio::time::sleep(STOPPED_PAUSE).await;
                }
            });
        }
        Ok(started)
    }

    /// Waits until a lane has ended, and so a place is free.
    pub(super) async fn lane_ended(&self) {
        self.ended.notified().await;
    }

    /// Waits for everything that was started.
    pub(super) async fn finish(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a lane ended badly");
            }
        }
    }
}

/// Takes the lane off the list however its task ends.
struct Running {
    lane: i64,
    all: Arc<Mutex<HashSet<i64>>>,
    ended: Arc<Notify>,
}

impl Drop for Running {
    fn drop(&mut self) {
        locked(&self.all).remove(&self.lane);
        self.ended.notify_one();
    }
}

fn locked(running: &Mutex<HashSet<i64>>) -> std::sync::MutexGuard<'_, HashSet<i64>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}
