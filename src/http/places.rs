//! Places for connections.
//!
//! What holds: there are never more than [`PLACES`] connections. When all are taken, a newcomer gets the place of one
//! that waits for its client: of those that were never let in if there is one, the one that waits longest. So clients
//! that are slow by the hundred, in what they ask as in what they read, keep nobody out. A request at work is never
//! broken off for it, and [`AT_WORK`] bounds those that may take long.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout;

/// Connections at a time. More than these wait in the kernel's queue if all have a request at work.
pub(super) const PLACES: usize = 128;

/// Requests at work at a time that may take long: what is answered at once finds a place beside them.
pub(super) const AT_WORK: usize = 64;

/// How often a newcomer looks for somebody who can leave.
const AGAIN: Duration = Duration::from_millis(50);

/// All places.
#[derive(Debug, Default)]
pub(super) struct Places {
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    places: BTreeMap<u64, Arc<Place>>,
}

/// A connection's place, as its requests know it.
#[derive(Debug)]
pub(super) struct Place {
    state: Mutex<State>,
    leave: Notify,
}

#[derive(Clone, Copy, Debug)]
struct State {
    is_at_work: bool,
    was_let_in: bool,
    is_leaving: bool,
    /// Since when it waits for its client.
    waits_since: Instant,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    id: u64,
    place: Arc<Place>,
    places: Arc<Places>,
}

impl Places {
    /// A place, as soon as there is one.
    pub(super) async fn take(self: &Arc<Self>) -> Seat {
        loop {
            // Before the look: a place that is freed meanwhile isn't missed.
            let freed = self.freed.notified();
            if let Some(seat) = self.try_take() {
                return seat;
            }
            // If all are at work, nobody is asked to leave: perhaps one of them is done by then.
            let _freed_or_not = timeout(AGAIN, freed).await;
        }
    }

    /// A place if one is free; else somebody is asked to leave, if anybody can be.
    fn try_take(self: &Arc<Self>) -> Option<Seat> {
        let mut taken = lock(&self.taken);
        if taken.places.len() >= PLACES {
            make_room(&taken);
            return None;
        }
        let state =
            State { is_at_work: false, was_let_in: false, is_leaving: false, waits_since: Instant::now() };
        let place = Arc::new(Place { state: Mutex::new(state), leave: Notify::new() });
        let id = taken.next;
        taken.next += 1;
        taken.places.insert(id, Arc::clone(&place));
        Some(Seat { id, place, places: Arc::clone(self) })
    }
}

fn make_room(taken: &Taken) {
    let states = taken.places.values().map(|place| (place, *lock(&place.state)));
    let waiting: Vec<_> = states.filter(|(_, state)| !state.is_at_work).collect();
    if waiting.iter().any(|(_, state)| state.is_leaving) {
        return;
    }
    if let Some((place, _)) =
        waiting.into_iter().min_by_key(|(_, state)| (state.was_let_in, state.waits_since))
    {
        let mut state = lock(&place.state);
        // It may have begun to work since the look.
        if !state.is_at_work {
            state.is_leaving = true;
            place.leave.notify_one();
        }
    }
}

impl Seat {
    pub(super) fn place(&self) -> &Arc<Place> {
        &self.place
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.places.taken).places.remove(&self.id);
        self.places.freed.notify_one();
    }
}

impl Place {
    /// Completes when somebody else needs the place.
    pub(super) async fn leaving(&self) {
        self.leave.notified().await;
    }

    /// A request that was let in is at work until the value is dropped. `None`: it came too late, the connection is
    /// about to be closed.
    pub(super) fn work(self: &Arc<Self>) -> Option<Work> {
        let mut state = lock(&self.state);
        if state.is_leaving {
            return None;
        }
        (state.is_at_work, state.was_let_in) = (true, true);
        Some(Work(Arc::clone(self)))
    }
}

/// A request at work.
#[derive(Debug)]
pub(super) struct Work(Arc<Place>);

impl Drop for Work {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        (state.is_at_work, state.waits_since) = (false, Instant::now());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> (Arc<Places>, Vec<Seat>) {
        let places = Arc::new(Places::default());
        let seats = (0..PLACES).map(|_| places.try_take().expect("a free place")).collect();
        (places, seats)
    }

    fn is_leaving(seat: &Seat) -> bool {
        lock(&seat.place.state).is_leaving
    }

    #[tokio::test]
    async fn a_newcomer_gets_the_place_of_one_who_was_at_work_when_it_came() {
        let (places, mut seats) = full();
        let at_work: Vec<_> = seats.iter().map(|seat| seat.place().work()).collect();
        let newcomer = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.take().await }
        });
        // It has looked by now, and found everybody at work.
        tokio::time::sleep(AGAIN / 5).await;
        drop(at_work);
        tokio::select! {
            () = seats[0].place().leaving() => {}
            () = seats[1].place().leaving() => panic!("the first one waits longest"),
            () = tokio::time::sleep(Duration::from_secs(20)) => panic!("nobody is asked to leave"),
        }
        drop(seats.remove(0));
        newcomer.await.expect("it finds a place");
    }

    #[test]
    fn whoever_was_never_let_in_and_waits_longest_leaves_first() {
        let (places, mut seats) = full();
        drop(seats[0].place().work());
        let _at_work = seats[1].place().work().expect("it isn't leaving");
        assert!(places.try_take().is_none());
        assert_eq!((0..PLACES).filter(|seat| is_leaving(&seats[*seat])).collect::<Vec<_>>(), [2]);
        assert!(places.try_take().is_none(), "one at a time");
        assert_eq!(seats.iter().filter(|seat| is_leaving(seat)).count(), 1);
        assert!(seats[2].place().work().is_none(), "what is about to be closed begins nothing");
        drop(seats.remove(2));
        assert!(places.try_take().is_some());
    }

    #[test]
    fn those_that_were_let_in_leave_when_there_are_no_others_and_those_at_work_never() {
        let (places, seats) = full();
        let mut work: Vec<_> = seats.iter().map(|seat| seat.place().work()).collect();
        assert!(places.try_take().is_none());
        assert!(!seats.iter().any(is_leaving), "all are at work");
        work[7] = None;
        assert!(places.try_take().is_none());
        assert_eq!((0..PLACES).filter(|seat| is_leaving(&seats[*seat])).collect::<Vec<_>>(), [7]);
    }
}
