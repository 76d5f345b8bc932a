//! What is told of the link's past, and of what waits.

use std::time::Instant;

use super::Supervisor;
use crate::report::LinkState;
use crate::supervisor::machine::{Effect, PassEnd};

impl Supervisor {
    /// Keeps what is told of the link's past.
    pub(super) fn note(&self, effect: &Effect) {
        let (state, reason) = match effect {
            Effect::LinkUp { .. } => (LinkState::Online, None),
            Effect::LinkDown { failure, .. } => (LinkState::Offline, Some(failure.reason)),
            _ => return,
        };
        self.metrics.link_became(state);
        self.past.send_modify(|past| past.became(state, reason, Instant::now()));
    }

    /// What waits after a pass: nothing, if it went through; else what it had left.
    pub(super) fn count_after(&mut self, end: &PassEnd) {
        if matches!(end, PassEnd::Complete { .. }) {
            self.backlog.send_replace(self.counting.cleared());
        } else {
            self.counting.ask(Instant::now());
        }
    }
}
