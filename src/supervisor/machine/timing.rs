//! The machine's times.

use std::time::{Duration, Instant};

use crate::backoff::Schedule;

/// No timer reaches farther: a host that sleeps or a time set by mistake can't silence the loop for longer.
const FARTHEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What the probe's own timeout is given before the machine takes the probe for lost.
const PROBE_MARGIN: Duration = Duration::from_secs(1);

/// When the machine does what.
#[derive(Clone, Debug)]
pub struct Timing {
    /// The delays after failed probes and passes.
    pub retry: Schedule,
    /// The deadline that the driver sets each probe.
    pub probe_timeout: Duration,
    /// How often an online connection is checked again, before jitter; at least `retry`'s initial interval.
    pub online_interval: Duration,
    /// How often the whole table is looked at though nothing seems to have changed, before jitter; as above.
    pub full_interval: Duration,
    /// The delays after passes that couldn't read SQLite.
    pub source_retry: Schedule,
    /// The shortest time from the end of a pass to the next automatic one.
    pub min_pass_interval: Duration,
    /// How long a pass may be without progress.
    pub stall: Duration,
    /// Whether passes start by themselves.
    pub automatic: bool,
}

impl Timing {
    /// When a probe that began `now` is taken for lost.
    pub(super) fn probe_lost(&self, now: Instant) -> Instant {
        later(now, self.probe_timeout.saturating_add(PROBE_MARGIN))
    }

    /// When a pass that got on `now` is taken for stalled.
    pub(super) fn stalled(&self, now: Instant) -> Instant {
        later(now, self.stall.max(Duration::from_secs(1)))
    }

    pub(super) fn recheck(&self, now: Instant, random: f64) -> Instant {
        // A zero here would probe without a pause.
        later(now, self.retry.jittered(self.online_interval.max(self.retry.initial()), random))
    }

    pub(super) fn next_full(&self, now: Instant, random: f64) -> Instant {
        later(now, self.retry.jittered(self.full_interval.max(self.retry.initial()), random))
    }
}

/// `now + by`, where no `by` is too long to be added.
pub(super) fn later(now: Instant, by: Duration) -> Instant {
    now + by.min(FARTHEST)
}
