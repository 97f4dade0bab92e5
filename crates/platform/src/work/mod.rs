//! What is done behind the messages: judging batches, callbacks, and what happens by the clock.
//!
//! Everything here can be stopped at any moment and done again: what it works on is kept in the
//! database, and each piece of work commits as a whole. [`Worker::settle`] does all that is due at
//! the moment that the clock shows, which is how tests move time.

mod appeals;
pub mod callbacks;
mod judging;
mod lanes;
mod lease;
pub(crate) mod ledgers;
mod outbound;
pub mod reconcile;
mod reminding;
mod revocations;
mod schedule;

use std::time::Duration;

use banyan_store::db::{Engine, StoreError, Tx};
use banyan_store::queue::{self, JobKind};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::App;
use lanes::Dispatcher;

/// How often somebody looks whether another node or the clock has made work due.
const LOOK_ROUND: Duration = Duration::from_millis(250);
/// How long new work gathers before somebody looks: under load one look serves many messages.
const GATHER: Duration = Duration::from_millis(2);
/// How often the clock's own work is looked after.
const CLOCK_ROUND: Duration = Duration::from_secs(1);
/// How often the gauges are set: a backlog is counted, which costs time when it is large.
const GAUGE_ROUND: Duration = Duration::from_secs(15);

/// The worker of a platform.
#[derive(Debug, Clone)]
pub struct Worker {
    app: App,
}

impl Worker {
    /// Works for this platform.
    #[must_use]
    pub const fn new(app: App) -> Self {
        Self { app }
    }

    /// Works until told to stop, then finishes what is under way. A part that ends before, however
    /// it ends, is begun again.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        if self.app.db.engine() == Engine::Sqlite
            && let Err(error) = self.app.db.write(free_all).await
        {
            // Then they run out by themselves.
            tracing::warn!(%error, "the leases of the last run could not be ended");
        }
        let mut parts = JoinSet::new();
        for part in Part::all() {
            parts.spawn(supervise(self.app.clone(), part, stop.clone()));
        }
        let mut stopped = stop;
        // An error means that whoever could say so is gone, which says it too.
        drop(stopped.wait_for(|stop| *stop).await);
        self.app.stop_soon();
        while parts.join_next().await.is_some() {}
    }

    /// Does everything that is due now, and what follows from it, until nothing is left or the
    /// platform stops.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn settle(&self) -> Result<(), StoreError> {
        schedule::run_due(&self.app).await?;
        loop {
            let mut did = 0;
            for kind in lane_kinds() {
                let mut dispatcher = Dispatcher::new(self.app.clone(), kind);
                did += dispatcher.start_due().await?;
                dispatcher.finish().await;
            }
            if did == 0 || self.app.is_stopping() {
                return Ok(());
            }
        }
    }
}

/// Gives free what the last run held.
fn free_all(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    queue::free_all(tx)?;
    banyan_store::schedule::free_all(tx)
}

/// A part of the worker that runs by itself.
#[derive(Debug, Clone, Copy)]
enum Part {
    Lanes(JobKind),
    Partners,
    Clock,
    Gauges,
}

impl Part {
    /// Every part: the lanes of each kind that has any, and the rest.
    fn all() -> impl Iterator<Item = Self> {
        let rest = [Self::Partners, Self::Clock, Self::Gauges];
        lane_kinds().map(Self::Lanes).chain(rest)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Lanes(kind) => kind.name(),
            Self::Partners => "partners",
            Self::Clock => "clock",
            Self::Gauges => "gauges",
        }
    }

    /// How long it may be out of sight before somebody should worry.
    const fn patience(self) -> Duration {
        match self {
            Self::Lanes(_) | Self::Partners => Duration::from_secs(30),
            // Retention and a large backlog take their time.
            Self::Clock | Self::Gauges => Duration::from_secs(900),
        }
    }
}

/// The kinds of jobs that are looked for: what runs by itself and what tests settle are the same
/// ones, so that no kind can pass every test and lie undone in a province.
fn lane_kinds() -> impl Iterator<Item = JobKind> {
    JobKind::ALL.into_iter().filter(|kind| kind.has_lanes())
}

async fn supervise(app: App, part: Part, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let (its_app, its_stop) = (app.clone(), stop.clone());
        let ended = tokio::spawn(async move {
            match part {
                Part::Lanes(kind) => serve_lanes(its_app, kind, its_stop).await,
                Part::Partners => serve_partners(its_app, its_stop).await,
                Part::Clock => serve_clock(its_app, its_stop).await,
                Part::Gauges => serve_gauges(its_app, its_stop).await,
            }
        })
        .await;
        if let Err(error) = ended {
            app.meters.failure("worker");
            tracing::error!(%error, part = part.name(), "a part of the worker ended badly");
            pause(CLOCK_ROUND, &mut stop).await;
        }
    }
}

async fn pause(time: Duration, stop: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        _ = stop.changed() => {}
    }
}

async fn serve_lanes(app: App, kind: JobKind, mut stop: watch::Receiver<bool>) {
    let mut dispatcher = Dispatcher::new(app.clone(), kind);
    let part = Part::Lanes(kind);
    while !*stop.borrow() {
        match dispatcher.start_due().await {
            Ok(_) => app.beat(part.name(), part.patience()),
            Err(error) => {
                app.meters.failure("worker");
                tracing::warn!(%error, kind = kind.name(), "the worker can't see what is due");
                pause(LOOK_ROUND, &mut stop).await;
            }
        }
        tokio::select! {
            () = app.woken(kind) => tokio::time::sleep(GATHER).await,
            () = dispatcher.lane_ended() => tokio::time::sleep(GATHER).await,
            () = tokio::time::sleep(LOOK_ROUND) => {}
            _ = stop.changed() => {}
        }
    }
    dispatcher.finish().await;
}

/// Partners are looked after apart from everything that may take long: a secret that was revoked
/// must not open anything a second later.
async fn serve_partners(app: App, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        match app.directory.renew(app.now_ms()).await {
            Ok(()) => app.beat(Part::Partners.name(), Part::Partners.patience()),
            Err(error) => tracing::warn!(%error, "partners could not be read anew"),
        }
        pause(CLOCK_ROUND, &mut stop).await;
    }
}

async fn serve_clock(app: App, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        app.beat(Part::Clock.name(), Part::Clock.patience());
        if schedule::run_due(&app).await.is_err() {
            app.meters.failure("schedule");
        }
        pause(CLOCK_ROUND, &mut stop).await;
    }
}

async fn serve_gauges(app: App, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        app.beat(Part::Gauges.name(), Part::Gauges.patience());
        app.meters.upkeep();
        for kind in JobKind::ALL {
            match queue::backlog(&app.db, kind).await {
                Ok(backlog) => app.meters.backlog(kind, &backlog, app.now_ms()),
                Err(error) => tracing::warn!(%error, "a backlog could not be counted"),
            }
        }
        match banyan_store::overdue::appeals::waiting(&app.db).await {
            Ok(waiting) => app.meters.appeals(&waiting, app.now_ms()),
            Err(error) => tracing::warn!(%error, "appeals could not be counted"),
        }
        match app.journal.oldest_ms().await {
            Ok(oldest_ms) => app.meters.reads_waiting(oldest_ms, app.now_ms()),
            Err(error) => tracing::warn!(%error, "entries of reads could not be looked for"),
        }
        pause(GAUGE_ROUND, &mut stop).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_job_is_carried_by_lanes_that_run() {
        let parts: Vec<&str> = Part::all().map(Part::name).collect();
        for kind in JobKind::ALL {
            assert!(parts.contains(&kind.lane_kind().name()), "{kind:?}");
        }
    }
}
