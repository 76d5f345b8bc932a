//! When the next automatic pass is due, and how deep it looks.
//!
//! What holds: a change of the source is forgotten only by starting a pass after it; a full look that is owed stays
//! owed until one is complete; two looks are never closer than the shortest interval; a source that can't be read
//! is looked at by its own slow schedule, and at most once per its initial interval however often it changes.

use std::time::{Duration, Instant};

use super::PassKind;
use super::timing::{Timing, later};
use crate::backoff::Backoff;

/// The plan of the automatic passes.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// A full look is due at the next occasion, whatever the clock says.
    full_owed: bool,
    /// A full look was asked for since the pass under way began: that one may have been past the rows in question.
    full_wanted_since: bool,
    /// When the whole table is looked at though nothing seems to have changed.
    next_full: Instant,
    /// When to look because something changed, is left to do, or failed.
    next_look: Option<Instant>,
    /// No look before.
    earliest: Instant,
    source: Backoff,
}

impl Plan {
    pub(super) fn new(timing: &Timing, now: Instant) -> Self {
        let source = Backoff::new(timing.source_retry);
        Self {
            full_owed: true,
            full_wanted_since: false,
            next_full: now,
            next_look: None,
            earliest: now,
            source,
        }
    }

    /// Goes on by other times, as if the source had never failed.
    pub(super) fn retime(&mut self, timing: &Timing) {
        self.source = Backoff::new(timing.source_retry);
    }

    /// When the next pass is due.
    pub(super) fn due(&self) -> Instant {
        let due = self.next_look.map_or(self.next_full, |look| look.min(self.next_full));
        due.max(self.earliest)
    }

    /// Takes the due pass off the plan, if one is due.
    pub(super) fn take(&mut self, now: Instant) -> Option<PassKind> {
        if self.due() > now {
            return None;
        }
        let kind = if self.full_owed || self.next_full <= now { PassKind::Full } else { PassKind::Tail };
        self.full_owed |= kind == PassKind::Full;
        self.full_wanted_since = false;
        self.next_look = None;
        Some(kind)
    }

    /// Rows may be there.
    pub(super) fn changed(&mut self, now: Instant) {
        self.look_at(now);
    }

    /// A full look is wanted.
    pub(super) fn full_wanted(&mut self) {
        self.full_owed = true;
        self.full_wanted_since = true;
    }

    /// MongoDB was away: what it holds is no longer known.
    pub(super) fn reconnected(&mut self, now: Instant) {
        self.full_owed = true;
        // Unless the source is what's wrong: its own schedule goes on.
        if self.source.failures() == 0 {
            self.look_at(now);
        }
    }

    /// An automatic pass went through.
    pub(super) fn complete(
        &mut self,
        kind: PassKind,
        more_at: Option<Duration>,
        timing: &Timing,
        now: Instant,
        random: f64,
    ) {
        self.source.reset();
        self.rest(timing, now);
        if kind == PassKind::Full {
            self.full_owed = self.full_wanted_since;
            self.next_full = timing.next_full(now, random);
        }
        if let Some(more_at) = more_at {
            self.look_at(later(now, more_at));
        }
    }

    /// A pass couldn't read the source. Answers when it is tried again.
    pub(super) fn source_failed(
        &mut self,
        by_hand: bool,
        timing: &Timing,
        now: Instant,
        random: f64,
    ) -> Instant {
        let changed_meanwhile = self.next_look.is_some();
        let mut retry = later(now, self.source.next(random));
        if by_hand && self.next_full > now {
            // Requests that fail again and again may not put off what was planned before them.
            retry = retry.min(self.next_full);
        }
        self.rest(timing, now);
        self.next_full = retry;
        self.next_look = changed_meanwhile.then_some(self.earliest);
        retry
    }

    /// An automatic pass was stopped: nobody wants it back at once.
    pub(super) fn aborted(&mut self, timing: &Timing, now: Instant, random: f64) {
        self.rest(timing, now);
        self.next_full = timing.next_full(now, random);
    }

    /// Whoever stops a pass doesn't want the next one for what changed before.
    pub(super) fn let_be(&mut self) {
        self.next_look = None;
    }

    /// A pass of any kind is over: a pause before the next.
    pub(super) fn rest(&mut self, timing: &Timing, now: Instant) {
        let failing = self.source.failures() > 0;
        // A source that fails is being written to as often as one that works.
        let pause = if failing { timing.source_retry.initial() } else { Duration::ZERO };
        self.earliest = later(now, pause.max(timing.min_pass_interval).max(Duration::from_millis(1)));
    }

    fn look_at(&mut self, at: Instant) {
        self.next_look = Some(self.next_look.map_or(at, |look| look.min(at)));
    }
}
