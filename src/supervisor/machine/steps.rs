//! The steps that answers to events are made of.

use std::time::Instant;

use super::timing::later;
use super::{Effect, Machine, PassRequest, State};
use crate::report::Failure;

impl Machine {
    /// MongoDB answered well: the only thing that proves the link.
    pub(super) fn answered(&mut self, now: Instant, random: f64, fx: &mut Vec<Effect>) {
        self.probe_retry.reset();
        self.recheck = self.timing.recheck(now, random);
        if let Some(up) = self.link.up(now) {
            self.plan.reconnected(now);
            fx.push(up);
        }
    }

    /// Online with nothing under way: begins what is due.
    pub(super) fn go_on(&mut self, now: Instant, fx: &mut Vec<Effect>) {
        self.state = State::Online;
        if let Some((request, _)) = self.manual.take_if(|(_, at)| *at <= now) {
            self.start_pass(PassRequest::Manual(request), now, now, fx);
        } else if now >= self.recheck {
            self.start_probe(now, fx);
        } else if self.is_automatic()
            && let Some(kind) = self.plan.take(now)
        {
            self.start_pass(PassRequest::Automatic(kind), now, now, fx);
        }
    }

    pub(super) fn go_offline(
        &mut self,
        failure: Failure,
        next_probe: Instant,
        now: Instant,
        fx: &mut Vec<Effect>,
    ) {
        let retry_in = next_probe.saturating_duration_since(now);
        fx.push(self.link.down(failure, retry_in, now));
        self.state = State::Offline { next_probe };
    }

    pub(super) fn start_probe(&mut self, now: Instant, fx: &mut Vec<Effect>) {
        self.last_probe = now;
        self.state = State::Probing { since: now, lost_at: self.timing.probe_lost(now), hinted: false };
        fx.push(Effect::StartProbe);
    }

    pub(super) fn start_pass(
        &mut self,
        request: PassRequest,
        next_probe: Instant,
        now: Instant,
        fx: &mut Vec<Effect>,
    ) {
        self.state = State::Exporting { request, stalls_at: self.timing.stalled(now), next_probe };
        fx.push(Effect::StartPass(request));
    }

    /// The earliest time for a probe that the schedule didn't ask for.
    pub(super) fn after_last_probe(&self, now: Instant) -> Instant {
        later(self.last_probe, self.timing.retry.initial()).max(now)
    }
}
