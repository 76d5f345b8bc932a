//! Places for commands that write.
//!
//! What holds: no more commands write than there are places. Batches take places by turns, in the order in which they came, each
//! as many as it wants before the next one gets any: what has begun ends soon, and isn't kept in memory for long. How many
//! there are is asked again each time something changes, so that nobody goes on waiting by what was known when he came.
//! Whether there are too few is told by who waits at the moment: replies come in bursts, before anybody has moved up.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, MutexGuard, Notify};

/// Places for commands that write.
#[derive(Debug, Default)]
pub(super) struct Places {
    taken: AtomicUsize,
    /// Who waits for his turn, or has it and wants more.
    waiting: AtomicUsize,
    /// Whose turn it is; the others wait for him, in the order in which they came.
    turn: Mutex<()>,
    changed: Notify,
}

impl Places {
    /// Waits until it is the caller's turn.
    pub(super) async fn turn(&self) -> Turn<'_> {
        let waiting = Waiting::new(&self.waiting);
        Turn { places: self, _alone: self.turn.lock().await, _waiting: waiting }
    }

    /// Whether more wait than could be given a place at once, of so many that there are.
    pub(super) fn are_few(&self, there_are: usize) -> bool {
        self.waiting.load(Ordering::Relaxed) > there_are.saturating_sub(self.taken.load(Ordering::Relaxed))
    }

    /// There may be more of them now.
    pub(super) fn changed(&self) {
        self.changed.notify_one();
    }
}

/// The turn to take places, until it is let go.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    places: &'a Places,
    _alone: MutexGuard<'a, ()>,
    _waiting: Waiting<'a>,
}

/// One who waits, until it is let go.
#[derive(Debug)]
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<'a> Turn<'a> {
    /// Waits for a place, of as many as there are at the moment.
    pub(super) async fn take(&self, there_are: impl Fn() -> usize) -> Place<'a> {
        let places = self.places;
        // Only whose turn it is takes one, and what changes meanwhile is remembered for him.
        while places.taken.load(Ordering::Relaxed) >= there_are().max(1) {
            places.changed.notified().await;
        }
        places.taken.fetch_add(1, Ordering::Relaxed);
        Place(places)
    }
}

/// A place, until it is let go.
#[derive(Debug)]
pub(in crate::export) struct Place<'a>(&'a Places);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
        self.0.changed();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;

    use super::*;

    fn there_are(number: usize) -> impl Fn() -> usize {
        move || number
    }

    #[test]
    fn whose_turn_it_is_takes_all_places_that_he_wants_before_the_next_one_gets_any() {
        let places = Places::default();
        let turn = places.turn().now_or_never().expect("nobody was here before");
        let mut next = pin!(places.turn());
        let (held, another) =
            (turn.take(there_are(2)).now_or_never(), turn.take(there_are(2)).now_or_never());
        assert!(held.is_some() && another.is_some());
        {
            let mut third = pin!(turn.take(there_are(2)));
            assert!(third.as_mut().now_or_never().is_none() && next.as_mut().now_or_never().is_none());
            drop(held);
            assert!(next.as_mut().now_or_never().is_none());
            assert!(third.now_or_never().is_some(), "its place was let go at once");
        }
        drop(turn);
        let turn = next.now_or_never().expect("it is his turn");
        assert!(turn.take(there_are(2)).now_or_never().is_some());
    }

    #[test]
    fn places_that_are_added_are_taken_at_once_and_such_as_are_taken_away_when_they_are_free() {
        let (places, number) = (Places::default(), AtomicUsize::new(1));
        let there_are = || number.load(Ordering::Relaxed);
        let turn = places.turn().now_or_never().expect("nobody was here before");
        let first = turn.take(there_are).now_or_never();
        let mut waiting = pin!(turn.take(there_are));
        assert!(first.is_some() && waiting.as_mut().now_or_never().is_none());
        number.store(3, Ordering::Relaxed);
        places.changed();
        let second = waiting.now_or_never();
        let third = turn.take(there_are).now_or_never();
        assert!(second.is_some() && third.is_some());
        number.store(1, Ordering::Relaxed);
        drop((first, second));
        assert!(turn.take(there_are).now_or_never().is_none(), "the third one is at it");
        drop(third);
        assert!(turn.take(there_are).now_or_never().is_some());
    }

    #[test]
    fn who_gives_up_waiting_keeps_nobody_back() {
        let places = Places::default();
        let held = {
            let turn = places.turn().now_or_never().expect("nobody was here before");
            let held = turn.take(there_are(1)).now_or_never();
            let mut given_up = Box::pin(turn.take(there_are(1)));
            assert!(held.is_some() && given_up.as_mut().now_or_never().is_none());
            held
        };
        let turn = places.turn().now_or_never().expect("the turn was let go");
        {
            let mut given_up = Box::pin(turn.take(there_are(1)));
            assert!(given_up.as_mut().now_or_never().is_none());
            drop(held);
        }
        assert!(turn.take(there_are(1)).now_or_never().is_some());
    }
}
