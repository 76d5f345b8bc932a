//! Something that is to be done soon after it was asked for, and no more often than once in a while. Nothing is due while
//! nobody asks.

use std::time::{Duration, Instant};

/// When it is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    every: Duration,
    last: Option<Instant>,
    due: Option<Instant>,
}

impl Pace {
    /// Nothing was asked for yet.
    pub(super) fn new(every: Duration) -> Self {
        Self { every, last: None, due: None }
    }

    /// It is to be done: at once, or as soon as the last time is long enough ago.
    pub(super) fn ask(&mut self, now: Instant) {
        let earliest = self.last.map_or(now, |last| last + self.every).max(now);
        self.due.get_or_insert(earliest);
    }

    /// When it is due, if it was asked for.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// It was done.
    pub(super) fn done(&mut self, now: Instant) {
        self.last = Some(now);
        self.due = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_millis(250);

    #[test]
    fn the_first_time_is_at_once_and_many_requests_are_one() {
        let begin = Instant::now();
        let mut pace = Pace::new(EVERY);
        assert_eq!(pace.due(), None);
        pace.ask(begin);
        assert_eq!(pace.due(), Some(begin));
        pace.done(begin);
        for step in 1..=10 {
            pace.ask(begin + Duration::from_millis(step));
            assert_eq!(pace.due(), Some(begin + EVERY));
        }
        pace.done(begin + EVERY);
        assert_eq!(pace.due(), None, "nothing is due while nobody asks");
        pace.ask(begin + 3 * EVERY);
        assert_eq!(pace.due(), Some(begin + 3 * EVERY), "at once after a quiet time");
    }
}
