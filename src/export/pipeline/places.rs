//! Places for batches that write.
//!
//! What holds: no more batches write than there are places, and whoever came first gets the next one. How many there are is
//! asked again each time something changes, so that nobody goes on waiting by what was known when he came.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, Notify};

/// Places for batches that write.
#[derive(Debug, Default)]
pub(super) struct Places {
    taken: AtomicUsize,
    /// Who waits for the next place; the others wait for him, in the order in which they came.
    first: Mutex<()>,
    changed: Notify,
}

impl Places {
    /// Waits for a place, of as many as there are at the moment.
    pub(super) async fn take(&self, places: impl Fn() -> usize) -> Place<'_> {
        let _first = self.first.lock().await;
        // Only who is first takes one, and what changes meanwhile is remembered for him.
        while self.taken.load(Ordering::Relaxed) >= places().max(1) {
            self.changed.notified().await;
        }
        self.taken.fetch_add(1, Ordering::Relaxed);
        Place(self)
    }

    /// There may be more of them now.
    pub(super) fn changed(&self) {
        self.changed.notify_one();
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

    #[test]
    fn whoever_came_first_gets_the_next_place() {
        let places = Places::default();
        let held = places.take(|| 1).now_or_never().expect("one is free");
        let (mut first, mut second) = (pin!(places.take(|| 1)), pin!(places.take(|| 1)));
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        drop(held);
        assert!(second.as_mut().now_or_never().is_none());
        let held = first.now_or_never().expect("it is his turn");
        assert!(second.as_mut().now_or_never().is_none());
        drop(held);
        assert!(second.now_or_never().is_some());
    }

    #[test]
    fn places_that_are_added_are_taken_at_once_and_such_as_are_taken_away_when_they_are_free() {
        let (places, number) = (Places::default(), AtomicUsize::new(1));
        let there_are = || number.load(Ordering::Relaxed);
        let first = places.take(there_are).now_or_never();
        let mut waiting = pin!(places.take(there_are));
        assert!(first.is_some() && waiting.as_mut().now_or_never().is_none());
        number.store(3, Ordering::Relaxed);
        places.changed();
        let second = waiting.now_or_never();
        let third = places.take(there_are).now_or_never();
        assert!(second.is_some() && third.is_some());
        number.store(1, Ordering::Relaxed);
        drop((first, second));
        assert!(places.take(there_are).now_or_never().is_none(), "the third one is at it");
        drop(third);
        assert!(places.take(there_are).now_or_never().is_some());
    }

    #[test]
    fn who_gives_up_waiting_keeps_nobody_back() {
        let places = Places::default();
        let held = places.take(|| 1).now_or_never();
        {
            let mut given_up = Box::pin(places.take(|| 1));
            assert!(given_up.as_mut().now_or_never().is_none());
            drop(held);
        }
        assert!(places.take(|| 1).now_or_never().is_some());
    }
}
