//! What is done behind the messages: judging batches, callbacks, and what happens by the clock.
//!
//! Everything here can be stopped at any moment and done again: what it works on is kept in the
//! database, and each piece of work commits as a whole. [`Worker::settle`] does all that is due at
//! the moment that the clock shows, which is how tests move time.

pub mod callbacks;
mod judging;
mod lanes;
mod outbound;
mod reconcile;
mod schedule;

use std::time::Duration;

use banyan_store::db::StoreError;
use banyan_store::queue::{self, JobKind};
use tokio::sync::watch;

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

    /// Works until told to stop, then finishes what is under way.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let lanes = JobKind::ALL.map(|kind| {
            let (app, stop) = (self.app.clone(), stop.clone());
            tokio::spawn(async move { serve_lanes(app, kind, stop).await })
        });
        let clock = tokio::spawn(serve_clock(self.app.clone(), stop.clone()));
        let gauges = tokio::spawn(serve_gauges(self.app.clone(), stop));
        for task in lanes.into_iter().chain([clock, gauges]) {
            if let Err(error) = task.await {
                tracing::error!(%error, "a worker ended badly");
            }
        }
    }

    /// Does everything that is due now, and what follows from it, until nothing is left.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn settle(&self) -> Result<(), StoreError> {
        schedule::run_due(&self.app).await?;
        loop {
            let mut did = 0;
            for kind in JobKind::ALL {
                let mut dispatcher = Dispatcher::new(self.app.clone(), kind);
                did += dispatcher.start_due().await?;
                dispatcher.finish().await;
            }
            if did == 0 {
                return Ok(());
            }
        }
    }
}

async fn serve_lanes(app: App, kind: JobKind, mut stop: watch::Receiver<bool>) {
    let mut dispatcher = Dispatcher::new(app.clone(), kind);
    while !*stop.borrow() {
        if let Err(error) = dispatcher.start_due().await {
            app.meters.failure("worker");
            tracing::warn!(%error, kind = kind.name(), "the worker can't see what is due");
            tokio::time::sleep(LOOK_ROUND).await;
        }
        tokio::select! {
            () = app.woken(kind) => tokio::time::sleep(GATHER).await,
            () = dispatcher.lane_ended() => {}
            () = tokio::time::sleep(LOOK_ROUND) => {}
            _ = stop.changed() => {}
        }
    }
    dispatcher.finish().await;
}

async fn serve_clock(app: App, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(error) = app.directory.renew(app.now_ms()).await {
            tracing::warn!(%error, "partners could not be read anew");
        }
        if let Err(error) = schedule::run_due(&app).await {
            app.meters.failure("schedule");
            tracing::warn!(%error, "scheduled work failed");
        }
        tokio::select! {
            () = tokio::time::sleep(CLOCK_ROUND) => {}
            _ = stop.changed() => {}
        }
    }
}

async fn serve_gauges(app: App, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        for kind in JobKind::ALL {
            match queue::backlog(&app.db, kind).await {
                Ok(backlog) => app.meters.backlog(kind, &backlog, app.now_ms()),
                Err(error) => tracing::warn!(%error, "a backlog could not be counted"),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(GAUGE_ROUND) => {}
            _ = stop.changed() => {}
        }
    }
}
