//! What is a state: set from snapshots when somebody asks.

use std::time::{Duration, Instant};

use prometheus::{Gauge, IntGauge, IntGaugeVec, Opts, Registry};

use super::{Snapshots, name, registered};
use crate::report::{LedgerState, LinkState, Reason, RunState};

/// The gauges.
pub(super) struct Gauges {
    pending: IntGauge,
    oldest: Gauge,
    running: IntGauge,
    processed: IntGauge,
    total: IntGauge,
    paused: IntGauge,
    waiting: IntGauge,
    ledger: IntGaugeVec,
    state: IntGaugeVec,
    reason: IntGaugeVec,
    failures: IntGauge,
    listeners: IntGauge,
    uptime: Gauge,
}

impl Gauges {
    pub(super) fn new(registry: &Registry) -> Self {
        let whole = |of, help| registered(registry, IntGauge::new(name(of), help));
        let real = |of, help| registered(registry, Gauge::new(name(of), help));
        let labelled =
            |of, help, label| registered(registry, IntGaugeVec::new(Opts::new(name(of), help), &[label]));
        let build = labelled("build_info", "1, with the program's version.", "version");
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Self {
            pending: whole("pending_rows", "Rows that wait to be exported, as far as the daemon knows."),
            oldest: real(
                "oldest_pending_age_seconds",
                "How long ago the daemon first saw the oldest of the waiting rows; 0 if none waits.",
            ),
            running: whole("export_running", "1 while an export is in progress."),
            processed: whole("export_processed_rows", "Rows that the running or last export has dealt with."),
            total: whole("export_total_rows", "Rows that the running or last export has to look at."),
            paused: whole("export_paused", "1 if exports don't start by themselves."),
            waiting: whole("export_blocked", "1 while SQLite or the ledger keeps rows from being sent."),
            ledger: labelled("ledger_state", "1 for the state of the daemon's own memory.", "state"),
            state: labelled("connectivity_state", "1 for the state of the link to MongoDB.", "state"),
            reason: labelled(
                "connectivity_failure_reason",
                "1 for the reason why MongoDB can't be used; 0 for all others.",
                "reason",
            ),
            failures: whole("connectivity_failed_attempts", "Failed attempts in a row to use MongoDB."),
            listeners: whole("event_listeners", "Clients that listen to /api/export/events."),
            uptime: real("uptime_seconds", "Time since the daemon's start."),
        }
    }

    pub(super) fn set(&self, snapshots: Snapshots<'_>, uptime: Duration) {
        let Snapshots { status, link, oldest, listeners } = snapshots;
        self.pending.set(whole(status.pending_records));
        let age = oldest.filter(|_| status.pending_records > 0);
        self.oldest.set(age.map_or(0.0, |seen| Instant::now().saturating_duration_since(seen).as_secs_f64()));
        self.running.set(i64::from(status.status == RunState::Running));
        self.processed.set(whole(status.processed_records));
        self.total.set(whole(status.total_records));
        self.paused.set(i64::from(status.paused));
        self.waiting.set(i64::from(status.waiting_for.is_some()));
        for state in [LedgerState::Kept, LedgerState::Rebuilt, LedgerState::Temporary] {
            self.ledger.with_label_values(&[state.as_str()]).set(i64::from(status.ledger == state));
        }
        for state in [LinkState::Unknown, LinkState::Online, LinkState::Offline] {
            self.state.with_label_values(&[state.as_str()]).set(i64::from(link.state == state));
        }
        for reason in Reason::ALL {
            self.reason.with_label_values(&[reason.as_str()]).set(i64::from(link.reason == Some(reason)));
        }
        self.failures.set(i64::from(link.attempts));
        self.listeners.set(i64::try_from(listeners).unwrap_or(i64::MAX));
        self.uptime.set(uptime.as_secs_f64());
    }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
