//! What the outside is shown.

use std::time::Instant;

use super::Supervisor;
use crate::report::LinkState;
use crate::supervisor::machine::{Effect, PassEnd};
use crate::supervisor::tell;

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

    pub(super) fn tell(&mut self) {
        let now = Instant::now();
        self.telling.done(now);
        let link = tell::link(&self.machine, self.ways.last(), now);
        let line = tell::line(&link, &self.status.borrow());
        self.link.send_if_modified(|shown| {
            let changed = !link.is_same_as(shown);
            if changed {
                *shown = link;
            }
            changed
        });
        if line != self.told {
            self.notifier.status(&line);
            self.told = line;
        }
    }
}
