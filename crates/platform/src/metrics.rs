//! What Prometheus reads.
//!
//! Each platform has a recorder of its own, so that several can live in one process. Handles are
//! made once and kept, so that counting costs an atomic addition.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use banyan_protocol::catalogue::Interface;
use banyan_protocol::result_code::ResultCode;
use banyan_store::overdue::appeals::Waiting;
use banyan_store::queue::{Backlog, JobKind};
use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::inbound::name::Name;

/// The meters of one platform.
#[derive(Clone)]
pub struct Meters(Arc<Inner>);

struct Inner {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    callback_latency: Histogram,
    notices: HashMap<(JobKind, NoticeEnd), Counter>,
}

/// What trying to tell a partner something came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoticeEnd {
    /// It was taken.
    Taken,
    /// It was not, and will be tried again.
    NotTaken,
    /// There was nothing to tell any more.
    NotNeeded,
    /// It will not be tried again unless an operator says so.
    GivenUp,
}

impl NoticeEnd {
    const ALL: [Self; 4] = [Self::Taken, Self::NotTaken, Self::NotNeeded, Self::GivenUp];

    const fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::NotTaken => "not_taken",
            Self::NotNeeded => "not_needed",
            Self::GivenUp => "given_up",
        }
    }
}

/// Counters of one partner by interface and result, and its latencies by interface.
#[derive(Debug, Default)]
pub struct PartnerMeters {
    results: Mutex<HashMap<(Name, ResultCode), Counter>>,
    latencies: Mutex<HashMap<Name, Histogram>>,
}

/// Seconds; from a look-up in memory to a call that ran into its time limit.
const LATENCY_BUCKETS: [f64; 12] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 15.0,
];

const METADATA: Metadata<'static> = Metadata::new("banyan", Level::INFO, None);

impl Meters {
    /// Meters that stand at zero.
    ///
    /// # Errors
    /// Where the recorder refuses its buckets.
    pub fn new() -> Result<Self, String> {
        let recorder = PrometheusBuilder::new()
            .set_buckets(&LATENCY_BUCKETS)
            .map_err(|error| error.to_string())?
            .build_recorder();
        let callback_latency =
            recorder.register_histogram(&Key::from_name("banyan_outbound_seconds"), &METADATA);
        let kinds = JobKind::ALL
            .into_iter()
            .filter(|kind| kind.stays_on_record());
        let notices = kinds
            .flat_map(|kind| NoticeEnd::ALL.map(|end| (kind, end)))
            .map(|(kind, end)| {
                let labels = [("kind", kind.name()), ("outcome", end.name())];
                let key = key("banyan_notices_total", &labels);
                ((kind, end), recorder.register_counter(&key, &METADATA))
            })
            .collect();
        Ok(Self(Arc::new(Inner {
            notices,
            handle: recorder.handle(),
            recorder,
            callback_latency,
        })))
    }

    /// Everything in the text format of Prometheus.
    #[must_use]
    pub fn render(&self) -> String {
        self.upkeep();
        self.0.handle.render()
    }

    /// Counts the samples of the histograms into their buckets. Each stands by itself until then, so
    /// this is done every few seconds, whether or not anybody reads the meters.
    pub fn upkeep(&self) {
        self.0.handle.run_upkeep();
    }

    /// Counts a call that a known partner made.
    pub fn request(
        &self,
        partner: &PartnerMeters,
        app_id: &str,
        name: impl Into<Name>,
        result: ResultCode,
        took: Duration,
    ) {
        let name = name.into();
        locked(&partner.results)
            .entry((name, result))
            .or_insert_with(|| {
                self.counter(
                    "banyan_requests_total",
                    &[
                        ("interface", name.as_str()),
                        ("partner", app_id),
                        ("result", result.code()),
                    ],
                )
            })
            .increment(1);
        locked(&partner.latencies)
            .entry(name)
            .or_insert_with(|| {
                let labels = [("interface", name.as_str()), ("partner", app_id)];
                let key = key("banyan_request_seconds", &labels);
                self.0.recorder.register_histogram(&key, &METADATA)
            })
            .record(took.as_secs_f64());
    }

    /// Counts a call that no known partner made.
    pub fn stranger(&self, result: ResultCode) {
        self.counter("banyan_strangers_total", &[("result", result.code())])
            .increment(1);
    }

    /// Counts a call that we made.
    pub fn outbound(&self, interface: Interface, partner: &str, outcome: &str, took: Duration) {
        self.counter(
            "banyan_outbound_total",
            &[
                ("interface", interface.code()),
                ("partner", partner),
                ("outcome", outcome),
            ],
        )
        .increment(1);
        self.0.callback_latency.record(took.as_secs_f64());
    }

    /// Counts what trying to tell a partner something came to.
    pub fn notice(&self, kind: JobKind, end: NoticeEnd) {
        if let Some(counter) = self.0.notices.get(&(kind, end)) {
            counter.increment(1);
        }
    }

    /// Counts items that were judged.
    pub fn judged(&self, kept: usize, rejected: usize) {
        for (outcome, count) in [("kept", kept), ("rejected", rejected)] {
            self.counter("banyan_items_judged_total", &[("outcome", outcome)])
                .increment(count as u64);
        }
    }

    /// Counts a failure of ours.
    pub fn failure(&self, what: &'static str) {
        self.counter("banyan_failures_total", &[("what", what)])
            .increment(1);
    }

    /// Shows how much waits.
    pub fn backlog(&self, kind: JobKind, backlog: &Backlog, now_ms: i64) {
        let labels = [("kind", kind.name())];
        self.gauge("banyan_jobs_waiting", &labels)
            .set(precise(backlog.waiting));
        self.gauge("banyan_jobs_given_up", &labels)
            .set(precise(backlog.given_up));
        self.gauge("banyan_oldest_job_age_seconds", &labels)
            .set(age_seconds(backlog.oldest_created_ms, now_ms));
    }

    /// Shows for how long the entry of a read has waited to be moved into the journal.
    pub fn reads_waiting(&self, oldest_ms: Option<i64>, now_ms: i64) {
        self.gauge("banyan_oldest_waiting_read_age_seconds", &[])
            .set(age_seconds(oldest_ms, now_ms));
    }

    /// Shows how many appeals are open.
    pub fn appeals(&self, waiting: &Waiting, now_ms: i64) {
        self.gauge("banyan_appeals_open", &[])
            .set(precise(waiting.open));
        self.gauge("banyan_oldest_appeal_age_seconds", &[])
            .set(age_seconds(waiting.oldest_ms, now_ms));
    }

    fn counter(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
        self.0
            .recorder
            .register_counter(&key(name, labels), &METADATA)
    }

    fn gauge(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
        self.0
            .recorder
            .register_gauge(&key(name, labels), &METADATA)
    }
}

/// How long ago something began; 0 where there is nothing.
fn age_seconds(since_ms: Option<i64>, now_ms: i64) -> f64 {
    let age_ms = since_ms.map_or(0, |since_ms| now_ms - since_ms);
    precise(age_ms.max(0)) / 1000.0
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<Label> = labels
        .iter()
        .map(|(name, value)| Label::new(*name, (*value).to_owned()))
        .collect();
    Key::from_parts(name, labels)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge may be off by one beyond nine quadrillion"
)]
const fn precise(number: i64) -> f64 {
    number as f64
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meters")
    }
}
