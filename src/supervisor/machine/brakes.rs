//! What ends passes, or keeps them from starting, because somebody says so.

use std::time::Instant;

use super::{AbortCause, Effect, Machine, PassRequest, State};

impl Machine {
    pub(super) fn stop_requested(&mut self, fx: &mut Vec<Effect>) {
        self.manual = None;
        if let State::Exporting { .. } = self.state {
            self.plan.let_be();
            fx.push(Effect::AbortPass(AbortCause::Requested));
        }
    }

    pub(super) fn pause(&mut self, fx: &mut Vec<Effect>) {
        self.paused = true;
        self.end_automatic(fx);
    }

    pub(super) fn end_automatic(&self, fx: &mut Vec<Effect>) {
        if let State::Exporting { request: PassRequest::Automatic(_), .. } = self.state {
            fx.push(Effect::AbortPass(AbortCause::Requested));
        }
    }

    pub(super) fn resume(&mut self, now: Instant, fx: &mut Vec<Effect>) {
        if std::mem::take(&mut self.paused) {
            self.source_changed(now, fx);
        }
    }

    pub(super) fn stop(&mut self, fx: &mut Vec<Effect>) {
        match self.state {
            State::Probing { .. } => fx.push(Effect::CancelProbe),
            State::Exporting { .. } => fx.push(Effect::AbortPass(AbortCause::Stopping)),
            State::Offline { .. } | State::Online | State::Stopping => {}
        }
        self.state = State::Stopping;
    }
}
