//! How many rows wait, and since when.
//!
//! What holds: the table is looked at only after it has changed while no export looked at it (MongoDB is away, exports
//! are paused), one look at a time, and looks take at most one part in [`SHARE`] of the time; an export that went
//! through leaves nothing waiting.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::config::Config;
use crate::ledger::Store;
use crate::report::Backlog;
use crate::source::Reader;

/// The part of the time that looks may take: one in this many.
const SHARE: u32 = 20;

/// The shortest time between two looks.
const GAP: Duration = Duration::from_secs(1);

/// From a change to the look: an export that begins at once makes it needless.
const SETTLE: Duration = Duration::from_millis(200);

/// Marks that are kept: the age of the oldest row is exact to a few hundredths of the outage.
const MARKS: usize = 64;

/// What a look found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Rows that wait.
    rows: u64,
    /// The last row that the ledger knows, where new rows come behind the others.
    known: Option<i64>,
    /// The table's last row, there.
    last: Option<i64>,
}

/// Looks when it is worth it, and remembers when what was first seen.
#[derive(Debug)]
pub(super) struct Counting {
    due: Option<Instant>,
    earliest: Option<Instant>,
    look: Option<JoinHandle<(Option<Found>, Duration)>>,
    marks: Marks,
}

impl Counting {
    pub(super) fn new() -> Self {
        Self { due: None, earliest: None, look: None, marks: Marks::default() }
    }

    /// The table may have changed.
    pub(super) fn ask(&mut self, now: Instant) {
        let due = (now + SETTLE).max(self.earliest.unwrap_or(now));
        self.due.get_or_insert(due);
    }

    /// When a look is due; not while one is under way.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due.filter(|_| self.look.is_none())
    }

    /// Begins a look.
    pub(super) fn begin(&mut self, config: &Arc<Config>, store: &Arc<Store>) {
        self.due = None;
        let (config, store) = (Arc::clone(config), Arc::clone(store));
        self.look = Some(tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            (look(&config, &store), began.elapsed())
        }));
    }

    /// Waits for the look under way; for ever if there is none. `None`: the table or the ledger can't be read now, which
    /// is for exports to tell.
    pub(super) async fn found(&mut self) -> Option<Found> {
        let Some(look) = &mut self.look else { return std::future::pending().await };
        let (found, took) = look.await.unwrap_or((None, Duration::ZERO));
        self.look = None;
        self.earliest = Some(Instant::now() + (took * SHARE).max(GAP));
        found
    }

    /// What is told after a look.
    pub(super) fn saw(&mut self, found: Found, now: Instant) -> Backlog {
        self.marks.saw(found, now)
    }

    /// An export went through: what a look found before it counts no more.
    pub(super) fn cleared(&mut self) -> Backlog {
        (self.due, self.look) = (None, None);
        self.marks = Marks::default();
        Backlog::default()
    }
}

/// Blocks.
fn look(config: &Config, store: &Store) -> Option<Found> {
    let mut reader = Reader::open(&config.sqlite, &config.export.duplicate_key).ok()?;
    if !reader.has_growing_rowids() {
        let known = store.with(|ledger| ledger.entries()).ok()?;
        let rows = reader.count(None).ok()?.saturating_sub(known);
        return Some(Found { rows, known: None, last: None });
    }
    let known = store.with(|ledger| ledger.highest_rowid()).ok()?;
    let rows = reader.count(known).ok()?;
    Some(Found { rows, known, last: reader.highest_rowid().ok()? })
}

/// When which rows were first seen: a mark says that at its moment the table went to its row.
#[derive(Debug, Default)]
struct Marks(VecDeque<(Instant, Option<i64>)>);

impl Marks {
    fn saw(&mut self, found: Found, now: Instant) -> Backlog {
        let Found { rows, known, last } = found;
        // Of rows that are known by now, nothing waits; nor of rows that are gone.
        while self.0.front().is_some_and(|(_, row)| rows == 0 || (row.is_some() && *row <= known)) {
            self.0.pop_front();
        }
        let is_news = self.0.back().is_none_or(|(_, row)| *row < last);
        if rows > 0 && is_news {
            self.0.push_back((now, last));
        }
        if self.0.len() > MARKS {
            self.thin_out();
        }
        Backlog { rows, oldest: self.0.front().map(|(at, _)| *at) }
    }

    /// Makes one of the two marks that are closest: of what both saw, the first one's moment holds. So no age is told
    /// too short.
    fn thin_out(&mut self) {
        let gap = |at: &usize| self.0[at + 1].0 - self.0[*at].0;
        if let Some(closest) = (0..self.0.len() - 1).min_by_key(gap)
            && let Some((_, row)) = self.0.remove(closest + 1)
        {
            self.0[closest].1 = row;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rows: u64, known: i64, last: i64) -> Found {
        Found { rows, known: Some(known), last: Some(last) }
    }

    #[test]
    fn the_age_is_that_of_the_oldest_row_that_still_waits() {
        let mut marks = Marks::default();
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(marks.saw(found(0, 10, 10), at(0)), Backlog::default());
        assert_eq!(marks.saw(found(5, 10, 15), at(1)), Backlog { rows: 5, oldest: Some(at(1)) });
        assert_eq!(marks.saw(found(9, 10, 19), at(2)), Backlog { rows: 9, oldest: Some(at(1)) });
        assert_eq!(marks.saw(found(9, 10, 19), at(3)), Backlog { rows: 9, oldest: Some(at(1)) });
        // An export broke off behind row 16.
        assert_eq!(marks.saw(found(3, 16, 19), at(4)), Backlog { rows: 3, oldest: Some(at(2)) });
        assert_eq!(marks.saw(found(0, 19, 19), at(5)), Backlog::default());
    }

    #[test]
    fn marks_are_bounded_and_never_make_a_row_younger() {
        let mut marks = Marks::default();
        let begin = Instant::now();
        for row in 1..=10_000 {
            let seconds = u64::try_from(row).expect("positive");
            let told = marks.saw(found(seconds, 0, row), begin + Duration::from_secs(seconds));
            assert_eq!(told.oldest, Some(begin + Duration::from_secs(1)));
            assert!(marks.0.len() <= MARKS);
        }
        // Row 5,001 was seen 5,001 s after the beginning.
        let told = marks.saw(found(5_000, 5_000, 10_000), begin + Duration::from_secs(10_001));
        let seen = told.oldest.expect("rows wait") - begin;
        assert!(seen <= Duration::from_secs(5_001), "{seen:?}");
        assert!(seen >= Duration::from_secs(4_500), "{seen:?}");
    }

    #[test]
    fn rows_without_a_place_wait_since_the_first_look() {
        let mut marks = Marks::default();
        let (begin, later) = (Instant::now(), Instant::now() + Duration::from_secs(9));
        let found = |rows| Found { rows, known: None, last: None };
        assert_eq!(marks.saw(found(2), begin).oldest, Some(begin));
        assert_eq!(marks.saw(found(7), later), Backlog { rows: 7, oldest: Some(begin) });
        assert_eq!(marks.saw(found(0), later), Backlog::default());
    }

    #[test]
    fn changes_in_quick_succession_are_one_look() {
        let mut counting = Counting::new();
        let begin = Instant::now();
        assert_eq!(counting.due(), None);
        counting.ask(begin);
        counting.ask(begin + Duration::from_secs(3));
        assert_eq!(counting.due(), Some(begin + SETTLE));
        counting.cleared();
        assert_eq!(counting.due(), None, "an export has looked");
        counting.earliest = Some(begin + Duration::from_secs(60));
        counting.ask(begin);
        assert_eq!(counting.due(), counting.earliest, "looks take little of the time");
    }
}
