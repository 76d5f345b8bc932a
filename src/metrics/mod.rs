//! What is counted, for `GET /metrics`.
//!
//! What holds:
//! - whoever does the work counts it, in the moment it is written down; counters are those of this process, from 0;
//! - what is a state and no event (the link, the running export, what waits) isn't kept here: it is read from the
//!   snapshots of [`report`](crate::report) when somebody asks, so that nothing runs for a metric that nobody reads;
//! - each series there can be is there from the start, so that a first failure is an increase;
//! - no label holds anything but words of this program.

mod gauges;

use std::fmt;
use std::time::{Duration, Instant};

use prometheus::{
    GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
};

pub use prometheus::Error as EncodeError;

use crate::report::{ExportStatus, Link, LinkState, Progress, Reason, RunState, Timestamp};
use gauges::Gauges;

/// From a batch of ten rows on the same host to one that takes as long as an operation may.
const BATCH_SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// From a single row to the backlog of a week.
const RUN_SECONDS: [f64; 10] = [0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0, 28_800.0];

/// What became of a row; the labels of `mongo_uplink_rows_total`.
const OUTCOMES: [&str; 6] = ["exported", "updated", "duplicate", "kept", "unchanged", "rejected"];

/// The counters.
pub struct Metrics {
    registry: Registry,
    rows: IntCounterVec,
    bytes: IntCounter,
    batches: Histogram,
    runs: HistogramVec,
    stalls: IntCounter,
    probes: IntCounter,
    probe_failures: IntCounterVec,
    transitions: IntCounterVec,
    /// When something last succeeded. A moment that isn't known has no series: 1970 would be a lie.
    successes: GaugeVec,
    gauges: Gauges,
    started: Instant,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// The snapshots that gauges are read from.
#[derive(Clone, Copy, Debug)]
pub struct Snapshots<'a> {
    /// The running or the last export.
    pub status: &'a ExportStatus,
    /// The connectivity.
    pub link: &'a Link,
    /// When the oldest of the rows that wait was first seen.
    pub oldest: Option<Instant>,
    /// Clients that listen to events.
    pub listeners: usize,
}

impl Metrics {
    /// All counters at 0.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let rows = counters(
            &registry,
            "rows_total",
            "Rows that exports dealt with, by what became of them. Each row that is written counts once.",
            "outcome",
            &OUTCOMES,
        );
        let bytes = counter(
            &registry,
            "exported_bytes_total",
            "Size of the documents that were inserted, as BSON without compression.",
        );
        let batches = HistogramOpts::new(
            name("batch_duration_seconds"),
            "Time from sending a batch of rows until its outcome is written down.",
        );
        let batches = registered(&registry, Histogram::with_opts(batches.buckets(BATCH_SECONDS.to_vec())));
        let runs = HistogramOpts::new(
            name("export_duration_seconds"),
            "Time that exports took, by how they ended. Looks that found nothing to send aren't exports.",
        );
        let runs = HistogramVec::new(runs.buckets(RUN_SECONDS.to_vec()), &["result"]);
        let runs = registered(&registry, runs);
        for result in ["completed", "failed"] {
            let _from_the_start = runs.with_label_values(&[result]);
        }
        let stalls = counter(
            &registry,
            "stalls_total",
            "Exports that made no progress and were broken off by the daemon.",
        );
        let probes = counter(&registry, "probe_attempts_total", "Probes of MongoDB that have ended.");
        let probe_failures = counters(
            &registry,
            "probe_failures_total",
            "Probes of MongoDB that failed, by the reason.",
            "reason",
            &Reason::ALL.map(Reason::as_str),
        );
        let transitions = counters(
            &registry,
            "connectivity_transitions_total",
            "Times that MongoDB became usable or unusable.",
            "to",
            &["online", "offline"],
        );
        let successes = Opts::new(
            name("last_success_timestamp_seconds"),
            "When something last succeeded since the daemon's start: an answer of MongoDB (link), an export (export).",
        );
        let successes = registered(&registry, GaugeVec::new(successes, &["of"]));
        let gauges = Gauges::new(&registry);
        let started = Instant::now();
        Self {
            registry,
            rows,
            bytes,
            batches,
            runs,
            stalls,
            probes,
            probe_failures,
            transitions,
            successes,
            gauges,
            started,
        }
    }

    /// A batch's outcome was written down. `bytes` is the size of what was inserted.
    pub fn rows_recorded(&self, counted: &Progress, bytes: u64) {
        let unchanged = counted.skipped.saturating_sub(counted.duplicates + counted.kept);
        let exported = counted.successful.saturating_sub(counted.updated);
        let (updated, duplicates) = (counted.updated, counted.duplicates);
        let numbers = [exported, updated, duplicates, counted.kept, unchanged, counted.failed];
        for (outcome, number) in OUTCOMES.into_iter().zip(numbers) {
            self.rows.with_label_values(&[outcome]).inc_by(number);
        }
        self.bytes.inc_by(bytes);
    }

    /// A batch took so long, from sending it until it was written down.
    pub fn batch_took(&self, time: Duration) {
        self.batches.observe(time.as_secs_f64());
    }

    /// An export ended.
    pub fn run_ended(&self, state: RunState, time: Duration) {
        let result = if state == RunState::Completed { "completed" } else { "failed" };
        self.runs.with_label_values(&[result]).observe(time.as_secs_f64());
        if state == RunState::Completed {
            self.succeeded("export", Timestamp::now());
        }
    }

    fn succeeded(&self, of: &str, at: Timestamp) {
        let since_1970 = Duration::from_millis(u64::try_from(at.as_millis()).unwrap_or(0));
        self.successes.with_label_values(&[of]).set(since_1970.as_secs_f64());
    }

    /// An export made no progress and was broken off.
    pub fn stalled(&self) {
        self.stalls.inc();
    }

    /// A probe ended.
    pub fn probed(&self, failure: Option<Reason>) {
        self.probes.inc();
        if let Some(reason) = failure {
            self.probe_failures.with_label_values(&[reason.as_str()]).inc();
        }
    }

    /// MongoDB became usable or unusable.
    pub fn link_became(&self, state: LinkState) {
        let to = if state == LinkState::Online { "online" } else { "offline" };
        self.transitions.with_label_values(&[to]).inc();
    }

    /// All of it in Prometheus's text format, and the format's content type.
    ///
    /// # Errors
    /// A mistake of our own.
    pub fn encode(&self, snapshots: Snapshots<'_>) -> Result<(String, &'static str), EncodeError> {
        if let Some(at) = snapshots.link.last_success {
            self.succeeded("link", at);
        }
        self.gauges.set(snapshots, self.started.elapsed());
        let mut text = String::new();
        TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text)?;
        Ok((text, prometheus::TEXT_FORMAT))
    }
}

/// A metric's whole name.
fn name(of: &str) -> String {
    format!("mongo_uplink_{of}")
}

/// The metric, registered. Names and labels are constants of this module, and a test makes all of them.
fn registered<M: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    metric: prometheus::Result<M>,
) -> M {
    let metric = metric.expect("names and labels are constants that are well-formed");
    registry.register(Box::new(metric.clone())).expect("no name is given twice");
    metric
}

fn counter(registry: &Registry, of: &str, help: &str) -> IntCounter {
    registered(registry, IntCounter::new(name(of), help))
}

fn counters(registry: &Registry, of: &str, help: &str, label: &str, values: &[&str]) -> IntCounterVec {
    let counters = registered(registry, IntCounterVec::new(Opts::new(name(of), help), &[label]));
    for value in values {
        let _from_the_start = counters.with_label_values(&[value]);
    }
    counters
}

#[cfg(test)]
mod tests;
