//! The loop as a pure state machine: an event, the time and a random number go in, effects come out.
//!
//! What holds:
//! - Each state but [`State::Stopping`] has a deadline: nothing has to happen outside for the loop to go on.
//! - One pass at a time, one probe at a time, and never both.
//! - The backoff is reset only by MongoDB's own answer. A hint brings the next probe forward and proves nothing;
//!   two hinted probes are at least the initial interval apart.
//! - A change of the source, or a wish for a full look, that comes while something else is going on is kept and looked
//!   at afterwards.
//! - A manual request that fails for lack of connectivity is kept, the last one only, and runs again first thing
//!   after the next probe that succeeds; one that fails because the source can't be read is kept likewise, and runs again
//!   by the source's own schedule.
//! - Probes that succeed before passes that fail don't add up to a loop at the initial interval: passes have a backoff
//!   of their own, which a probe doesn't reset.
//! - While it is paused, no pass starts by itself; probes and manual passes go on, and what changes is kept.
//!
//! It reads no clock and draws no number; the driver beside it does.

mod brakes;
mod event;
mod link;
mod plan;
mod state;
mod steps;
mod timing;

use std::time::Instant;

pub use event::{AbortCause, Effect, Event, HintKind, PassEnd, PassKind, PassRequest};
pub use link::LinkRecord;
pub use state::State;
pub use timing::Timing;

use crate::backoff::Backoff;
use crate::report::{Failure, Reason, RunRequest};
use plan::Plan;
use timing::later;

/// The loop.
#[derive(Clone, Debug)]
pub struct Machine {
    timing: Timing,
    state: State,
    link: LinkRecord,
    plan: Plan,
    probe_retry: Backoff,
    pass_retry: Backoff,
    /// The manual request to run again, and when at the earliest.
    manual: Option<(RunRequest, Instant)>,
    /// Whether passes start by themselves only after [`Event::Resume`].
    paused: bool,
    /// When an online link is probed again; moved on by MongoDB's answers only, so that passes which had nothing to
    /// send can't put it off.
    recheck: Instant,
    last_probe: Instant,
}

impl Machine {
    /// A machine whose first probe begins now.
    #[must_use]
    pub fn start(timing: Timing, now: Instant) -> (Self, Vec<Effect>) {
        let mut machine = Self {
            state: State::Offline { next_probe: now },
            link: LinkRecord::new(now),
            plan: Plan::new(&timing, now),
            probe_retry: Backoff::new(timing.retry),
            pass_retry: Backoff::new(timing.retry),
            manual: None,
            paused: false,
            recheck: now,
            last_probe: now,
            timing,
        };
        let mut effects = Vec::new();
        machine.start_probe(now, &mut effects);
        (machine, effects)
    }

    /// Takes in an event. `random` is uniform in `0.0..1.0`. Events that don't fit the state are ignored. At most
    /// three effects come out, to be performed in their order.
    #[must_use]
    pub fn on(&mut self, event: Event, now: Instant, random: f64) -> Vec<Effect> {
        let mut effects = Vec::new();
        let fx = &mut effects;
        match event {
            Event::Timer => self.timer(now, random, fx),
            Event::Hint(kind) => self.hint(kind, now, fx),
            Event::ProbeSucceeded => self.probe_succeeded(now, random, fx),
            Event::ProbeFailed(failure) => self.probe_failed(failure, now, random, fx),
            Event::SourceChanged => self.source_changed(now, fx),
            Event::CompareWanted => {
                self.plan.full_wanted();
                self.source_changed(now, fx);
            }
            Event::StartRequested(request) => self.start_requested(request, now, fx),
            Event::Progress => self.progress(now),
            Event::Acknowledged => self.acknowledged(now, random, fx),
            Event::Recorded => self.recorded(now),
            Event::PassEnded(end) => self.pass_ended(end, now, random, fx),
            Event::StopRequested => self.stop_requested(fx),
            Event::Pause => self.pause(fx),
            Event::Resume => self.resume(now, fx),
            Event::Stop => self.stop(fx),
        }
        effects
    }

    /// Goes on by other times. Schedules begin anew, and nothing waits for as long as the old ones said: the next probe
    /// is due as after a hint.
    #[must_use]
    pub fn retime(&mut self, timing: Timing, now: Instant, random: f64) -> Vec<Effect> {
        let was_automatic = self.is_automatic();
        (self.probe_retry, self.pass_retry) = (Backoff::new(timing.retry), Backoff::new(timing.retry));
        self.plan.retime(&timing);
        self.timing = timing;
        self.recheck = self.recheck.min(self.timing.recheck(now, random));
        let mut effects = Vec::new();
        match (was_automatic, self.is_automatic()) {
            (true, false) => self.end_automatic(&mut effects),
            (false, true) => self.source_changed(now, &mut effects),
            _ => {}
        }
        self.hint(HintKind::Network, now, &mut effects);
        effects
    }

    /// When [`Event::Timer`] is due; `None` only when stopping.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Probing { lost_at, .. } => Some(lost_at),
            State::Offline { next_probe } => Some(next_probe),
            State::Online => {
                let manual = self.manual.map(|(_, at)| at);
                let automatic = self.is_automatic().then(|| self.plan.due());
                [manual, automatic].into_iter().flatten().chain([self.recheck]).min()
            }
            State::Exporting { stalls_at, .. } => Some(stalls_at),
            State::Stopping => None,
        }
    }

    /// Where the loop stands.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What is known of the link.
    #[must_use]
    pub fn link(&self) -> &LinkRecord {
        &self.link
    }

    /// When the next probe begins, if that is known.
    #[must_use]
    pub fn next_probe(&self) -> Option<Instant> {
        match self.state {
            State::Offline { next_probe } => Some(next_probe),
            State::Online => Some(self.recheck),
            _ => None,
        }
    }

    /// Whether a manual request waits for MongoDB to be reached, or for the source to be readable.
    #[must_use]
    pub fn keeps_manual(&self) -> bool {
        self.manual.is_some()
    }

    fn is_automatic(&self) -> bool {
        self.timing.automatic && !self.paused
    }

    fn timer(&mut self, now: Instant, random: f64, fx: &mut Vec<Effect>) {
        match self.state {
            State::Probing { lost_at, .. } if now >= lost_at => {
                fx.push(Effect::CancelProbe);
                let failure = Failure::new(Reason::Timeout, "the probe did not end within its timeout");
                self.probe_failed(failure, now, random, fx);
            }
            State::Offline { next_probe } if now >= next_probe => self.start_probe(now, fx),
            State::Online => self.go_on(now, fx),
            State::Exporting { stalls_at, .. } if now >= stalls_at => {
                fx.push(Effect::AbortPass(AbortCause::Stalled));
                let failure = Failure::new(Reason::Timeout, "the export made no progress within its limit");
                self.pass_ended(PassEnd::ConnectivityFailed(failure), now, random, fx);
            }
            _ => {}
        }
    }

    fn hint(&mut self, kind: HintKind, now: Instant, fx: &mut Vec<Effect>) {
        let earliest = self.after_last_probe(now);
        match &mut self.state {
            State::Probing { hinted, .. } => *hinted = true,
            State::Offline { next_probe } => {
                *next_probe = earliest.min(*next_probe);
                if *next_probe <= now {
                    self.start_probe(now, fx);
                }
            }
            // Somebody wants to know: a collection that was dropped is noticed by a probe.
            State::Online if matches!(kind, HintKind::ConnectionTest | HintKind::Signal) => {
                self.recheck = self.recheck.min(earliest);
                self.go_on(now, fx);
            }
            State::Online | State::Exporting { .. } | State::Stopping => {}
        }
    }

    fn probe_succeeded(&mut self, now: Instant, random: f64, fx: &mut Vec<Effect>) {
        if !matches!(self.state, State::Probing { .. }) {
            return;
        }
        self.answered(now, random, fx);
        self.go_on(now, fx);
    }

    fn probe_failed(&mut self, failure: Failure, now: Instant, random: f64, fx: &mut Vec<Effect>) {
        let State::Probing { hinted, .. } = self.state else { return };
        let retry = later(now, self.probe_retry.next(random));
        let next_probe = if hinted { retry.min(self.after_last_probe(now)) } else { retry };
        self.go_offline(failure, next_probe, now, fx);
    }

    fn source_changed(&mut self, now: Instant, fx: &mut Vec<Effect>) {
        self.plan.changed(now);
        if self.state == State::Online {
            self.go_on(now, fx);
        }
    }

    fn start_requested(&mut self, request: RunRequest, now: Instant, fx: &mut Vec<Effect>) {
        let next_probe = match self.state {
            State::Probing { .. } => {
                fx.push(Effect::CancelProbe);
                self.after_last_probe(now)
            }
            State::Offline { next_probe } => next_probe,
            State::Online => now,
            State::Exporting { .. } | State::Stopping => return,
        };
        // It takes the place of one that waits: both consider every row.
        self.manual = None;
        self.start_pass(PassRequest::Manual(request), next_probe, now, fx);
    }

    fn progress(&mut self, now: Instant) {
        if let State::Exporting { stalls_at, .. } = &mut self.state {
            *stalls_at = self.timing.stalled(now);
        }
    }

    fn acknowledged(&mut self, now: Instant, random: f64, fx: &mut Vec<Effect>) {
        if !matches!(self.state, State::Exporting { .. }) {
            return;
        }
        self.progress(now);
        self.answered(now, random, fx);
    }

    fn recorded(&mut self, now: Instant) {
        if matches!(self.state, State::Exporting { .. }) {
            self.progress(now);
            self.pass_retry.reset();
        }
    }

    fn pass_ended(&mut self, end: PassEnd, now: Instant, random: f64, fx: &mut Vec<Effect>) {
        let State::Exporting { request, next_probe, .. } = self.state else { return };
        let automatic = match request {
            PassRequest::Automatic(kind) => Some(kind),
            PassRequest::Manual(_) => None,
        };
        match (end, automatic) {
            (PassEnd::ConnectivityFailed(failure), _) => {
                if let PassRequest::Manual(request) = request {
                    self.manual = Some((request, now));
                }
                self.plan.rest(&self.timing, now);
                let retry = later(now, self.pass_retry.next(random));
                // Requests that fail again and again may not put off the probe that was planned before them.
                let next_probe = if next_probe > now { retry.min(next_probe) } else { retry };
                return self.go_offline(failure, next_probe, now, fx);
            }
            (PassEnd::Complete { more_at }, kind) => {
                self.pass_retry.reset();
                self.link.proven();
                // A manual pass leaves the full look owed: it has other settings.
                self.plan.complete(kind.unwrap_or(PassKind::Tail), more_at, &self.timing, now, random);
            }
            (PassEnd::SourceFailed, _) => {
                let by_hand = automatic.is_none();
                let retry = self.plan.source_failed(by_hand, &self.timing, now, random);
                if let PassRequest::Manual(request) = request {
                    self.manual = Some((request, retry));
                }
            }
            (PassEnd::Aborted, Some(_)) => self.plan.aborted(&self.timing, now, random),
            (PassEnd::Aborted, None) => self.plan.rest(&self.timing, now),
        }
        if self.link.is_online() {
            self.go_on(now, fx);
        } else {
            // It ended without a word of MongoDB's.
            self.state = State::Offline { next_probe };
        }
    }
}

#[cfg(test)]
mod tests;
