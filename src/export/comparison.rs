//! When the whole table is compared with the ledger, and how that keeps no new row waiting.
//!
//! What holds: a table that is compared quickly is compared at each change; one that isn't is compared for at most one
//! part in [`SHARE`] of the time, and while it is, its tail is looked at as soon as something changes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::source::Stamp;

/// The part of the time that comparisons may take while the table changes: one in this many.
const SHARE: u32 = 20;

/// The shortest time between two comparisons of a table that keeps changing.
const GAP: Duration = Duration::from_millis(250);

/// A comparison that takes no longer than this needs no look at the tail before.
const QUICK: Duration = Duration::from_millis(50);

/// How often a comparison in progress asks whether the table has changed.
const LOOKOUT: Duration = Duration::from_millis(200);

/// Remembers the last comparison.
#[derive(Debug, Default)]
pub(super) struct Comparisons {
    last: Option<(Instant, Duration)>,
}

impl Comparisons {
    /// A comparison ended at `now` and spent this time in reading and comparing.
    pub(super) fn done(&mut self, now: Instant, spent: Duration) {
        self.last = Some((now, spent));
    }

    /// How long from `now` until the next one may begin; zero if one is due.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.last.map_or(Duration::ZERO, |(at, spent)| {
            gap(spent).saturating_sub(now.saturating_duration_since(at))
        })
    }

    /// Another one is due at the next look. Answers how long that look should wait.
    pub(super) fn owe(&mut self) -> Duration {
        self.last.take().map_or(GAP, |(_, spent)| gap(spent))
    }

    /// Whether the next one can be expected to be over in no time.
    pub(super) fn are_quick(&self) -> bool {
        self.last.is_some_and(|(_, spent)| spent <= QUICK)
    }
}

fn gap(spent: Duration) -> Duration {
    spent.saturating_mul(SHARE).max(GAP)
}

/// Tells a comparison in progress that the table may have changed.
pub(super) struct Lookout {
    path: PathBuf,
    stamp: Option<Stamp>,
    looked: Instant,
}

impl Lookout {
    /// Changes from now on are told.
    pub(super) fn new(path: PathBuf) -> Self {
        let stamp = Stamp::take(&path).ok();
        Self { path, stamp, looked: Instant::now() }
    }

    /// Whether there was a change since the last one that was told. Cheap, so that it may be asked at each page.
    pub(super) fn sees_change(&mut self) -> bool {
        if self.looked.elapsed() < LOOKOUT {
            return false;
        }
        self.looked = Instant::now();
        let stamp = Stamp::take(&self.path).ok();
        let changed = stamp != self.stamp;
        self.stamp = stamp;
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_take_a_twentieth_of_the_time_at_most() {
        let mut comparisons = Comparisons::default();
        let start = Instant::now();
        assert_eq!(comparisons.wait(start), Duration::ZERO);
        assert!(!comparisons.are_quick(), "nobody knows yet");
        comparisons.done(start, Duration::from_secs(3));
        assert!(!comparisons.are_quick());
        assert_eq!(comparisons.wait(start + Duration::from_secs(10)), Duration::from_secs(50));
        assert_eq!(comparisons.wait(start + Duration::from_secs(60)), Duration::ZERO);
        comparisons.done(start, Duration::from_millis(1));
        assert!(comparisons.are_quick());
        assert_eq!(comparisons.wait(start), GAP);
    }

    #[test]
    fn a_change_is_told_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        std::fs::write(&path, "1").unwrap();
        let mut lookout = Lookout::new(path.clone());
        let asked_later = |lookout: &mut Lookout| {
            lookout.looked = Instant::now() - LOOKOUT;
            lookout.sees_change()
        };
        assert!(!asked_later(&mut lookout));
        std::fs::write(&path, "12").unwrap();
        assert!(!lookout.sees_change(), "it is asked too soon");
        assert!(asked_later(&mut lookout));
        assert!(!asked_later(&mut lookout));
    }
}
