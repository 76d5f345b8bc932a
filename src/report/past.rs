//! What is told of the connectivity of the last day.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use super::{LinkState, Reason, Timestamp};

/// How far back it goes.
const REACH: Duration = Duration::from_secs(24 * 60 * 60);

/// Transitions that are kept at most: of a link that flaps all day the oldest are forgotten.
const KEPT: usize = 400;

/// From a moment on, MongoDB could be used or not, until the next such moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Transition {
    /// Since when.
    pub since: Timestamp,
    /// What was so.
    pub state: LinkState,
    /// Why it was offline.
    pub reason: Option<Reason>,
}

/// The transitions of the last day, as far as this process has seen them.
#[derive(Clone, Debug, Default)]
pub struct LinkPast {
    /// Moments of the monotonic clock, the earliest first.
    transitions: VecDeque<(Instant, LinkState, Option<Reason>)>,
}

impl LinkPast {
    /// The link has become this at this moment.
    pub fn became(&mut self, state: LinkState, reason: Option<Reason>, now: Instant) {
        self.transitions.push_back((now, state, reason));
        // The last one from before the day says how it began.
        while self.transitions.len() > KEPT
            || self.transitions.get(1).is_some_and(|(at, ..)| now.saturating_duration_since(*at) > REACH)
        {
            self.transitions.pop_front();
        }
    }

    /// The transitions, the earliest first, with their moments on the wall clock.
    #[must_use]
    pub fn told(&self, now: Instant) -> Vec<Transition> {
        let wall = Timestamp::now();
        let on_the_wall = |at: &Instant| wall.before(now.saturating_duration_since(*at));
        self.transitions
            .iter()
            .map(|(at, state, reason)| Transition { since: on_the_wall(at), state: *state, reason: *reason })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_kept_with_what_was_so_at_its_beginning() {
        let mut past = LinkPast::default();
        let begin = Instant::now();
        let at = |hours: u64| begin + Duration::from_secs(hours * 3600);
        past.became(LinkState::Offline, Some(Reason::Dns), at(0));
        past.became(LinkState::Online, None, at(1));
        past.became(LinkState::Offline, Some(Reason::Tls), at(2));
        past.became(LinkState::Online, None, at(25) + Duration::from_secs(1));
        let told = past.told(at(26));
        assert_eq!(
            told.iter().map(|one| one.state).collect::<Vec<_>>(),
            [LinkState::Online, LinkState::Offline, LinkState::Online]
        );
        assert_eq!(told[1].reason, Some(Reason::Tls));
        assert_eq!(told[1].since.as_millis() - told[0].since.as_millis(), 3_600_000);
    }

    #[test]
    fn a_link_that_flaps_fills_no_memory() {
        let mut past = LinkPast::default();
        let begin = Instant::now();
        for second in 0..10_000 {
            let state = if second % 2 == 0 { LinkState::Online } else { LinkState::Offline };
            past.became(state, None, begin + Duration::from_secs(second));
        }
        assert_eq!(past.told(begin).len(), KEPT);
    }
}
