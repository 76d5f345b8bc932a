//! What is known of the link to MongoDB, and how much of it is worth a line in the log.
//!
//! What holds: up and down are told on transitions only; of an outage the first failure is logged at once, then those
//! at powers of two, one each hour, and each change of the cause; of a link that flaps, one flap at powers of two and
//! one each hour.

use std::time::{Duration, Instant};

use super::Effect;
use crate::report::{Failure, LinkState, Reason};

/// A long outage still says each hour that it goes on: a day of it is at most 50 lines.
const LOG_AT_LEAST: Duration = Duration::from_secs(60 * 60);

/// A cause that alternates may not fill the log either.
const LOG_AT_MOST: Duration = Duration::from_secs(60);

/// What is known of the link, as moments of the monotonic clock.
#[derive(Clone, Debug)]
pub struct LinkRecord {
    /// Whether MongoDB can be used.
    pub state: LinkState,
    /// Since when it is so.
    pub since: Instant,
    /// The last failure, while the link is down.
    pub failure: Option<Failure>,
    /// Failures in a row, of probes and passes.
    pub attempts: u32,
    /// When MongoDB last answered well.
    pub last_success: Option<Instant>,
    /// When the last probe or pass told something of the link.
    pub checked_at: Option<Instant>,
    /// Times it went down since a pass was last complete.
    flaps: u32,
    logged: Option<(Instant, Reason)>,
    down_was_logged: bool,
}

impl LinkRecord {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            state: LinkState::Unknown,
            since: now,
            failure: None,
            attempts: 0,
            last_success: None,
            checked_at: None,
            flaps: 0,
            logged: None,
            down_was_logged: true,
        }
    }

    pub(super) fn is_online(&self) -> bool {
        self.state == LinkState::Online
    }

    /// MongoDB answered well.
    pub(super) fn up(&mut self, now: Instant) -> Option<Effect> {
        self.checked_at = Some(now);
        self.last_success = Some(now);
        if self.is_online() {
            return None;
        }
        let was_down_since = (self.state == LinkState::Offline).then_some(self.since);
        let after_failures = std::mem::take(&mut self.attempts);
        self.failure = None;
        self.enter(LinkState::Online, now);
        Some(Effect::LinkUp { after_failures, was_down_since, log: self.down_was_logged })
    }

    /// MongoDB couldn't be used; the next probe is in `retry_in`.
    pub(super) fn down(&mut self, failure: Failure, retry_in: Duration, now: Instant) -> Effect {
        self.checked_at = Some(now);
        self.attempts = self.attempts.saturating_add(1);
        self.failure = Some(failure.clone());
        if self.state == LinkState::Offline {
            // Of a flap that wasn't worth a line, neither are its first attempts.
            let milestone = self.down_was_logged && self.attempts.is_power_of_two();
            let log = self.worth_a_line(milestone, failure.reason, now);
            // Then its recovery is worth one, too.
            self.down_was_logged |= log;
            return Effect::StillDown { attempts: self.attempts, failure, retry_in, log };
        }
        self.flaps = self.flaps.saturating_add(1);
        self.enter(LinkState::Offline, now);
        self.down_was_logged = self.worth_a_line(self.flaps.is_power_of_two(), failure.reason, now);
        Effect::LinkDown { failure, log: self.down_was_logged }
    }

    /// A pass went through: the link is as good as it gets.
    pub(super) fn proven(&mut self) {
        self.flaps = 0;
    }

    fn enter(&mut self, state: LinkState, now: Instant) {
        self.state = state;
        self.since = now;
    }

    fn worth_a_line(&mut self, milestone: bool, reason: Reason, now: Instant) -> bool {
        let worth = milestone
            || self.logged.is_none_or(|(at, logged)| {
                let quiet = now.saturating_duration_since(at);
                quiet >= LOG_AT_LEAST || (logged != reason && quiet >= LOG_AT_MOST)
            });
        if worth {
            self.logged = Some((now, reason));
        }
        worth
    }
}
