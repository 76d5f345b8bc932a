//! Which rows and which persons the batches in flight may be writing at the moment.
//!
//! What holds: of a person, and of a document, one batch at a time decides. A row whose `_id` or duplicate key a batch
//! before it may be writing waits until every such batch has decided about its rows of that document and that person; then
//! it is judged by what is in the collection, or by what that batch is known to have inserted. Batches wait for earlier
//! ones only, so that nobody waits for himself.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mongodb::bson::Bson;
use mongodb::bson::oid::ObjectId;
use tokio::sync::watch;

use super::sieve::Sieve;
use crate::export::candidate::Candidate;
use crate::hashed::{HashedMap, HashedSet};

/// What one batch may write, and what of it is decided, at one moment.
#[derive(Clone, Debug, Default)]
pub(in crate::export) struct Marks {
    number: u64,
    /// Of all its rows.
    all: Arc<HashedSet<ObjectId>>,
    /// Of the rows about which nothing is decided.
    ids: Arc<HashedSet<ObjectId>>,
    keys: HashedSet<[u8; 16]>,
    /// The same, for a quick answer.
    sieve: Sieve,
    /// Whom it has inserted, by duplicate key.
    inserted: HashedMap<[u8; 16], ObjectId>,
    /// Once all of its rows are decided: the first batch that took off afterwards.
    settled: Option<u64>,
}

impl Marks {
    fn new(number: u64, candidates: &[Candidate]) -> Self {
        let marks = Self { number, ..Self::default() }.about(candidates.iter());
        Self { all: Arc::clone(&marks.ids), ..marks }
    }

    /// The same, where nothing is decided about these rows, but about all others.
    fn about<'c>(self, undecided: impl Iterator<Item = &'c Candidate>) -> Self {
        let (mut ids, mut keys, mut sieve) = (HashedSet::default(), HashedSet::default(), Sieve::default());
        ids.reserve(undecided.size_hint().0);
        keys.reserve(undecided.size_hint().0);
        for candidate in undecided {
            ids.insert(candidate.id);
            sieve.add(&candidate.id.bytes());
            if let Some(key) = candidate.duplicate_key {
                keys.insert(key);
                sieve.add(&key);
            }
        }
        Self { ids: Arc::new(ids), keys, sieve, ..self }
    }

    /// The batch's place in the order.
    pub(in crate::export) fn number(&self) -> u64 {
        self.number
    }

    /// Whether all of its rows are decided.
    pub(in crate::export) fn is_settled(&self) -> bool {
        self.settled.is_some()
    }

    /// Whether it may write this document.
    pub(in crate::export) fn has_id(&self, id: &ObjectId) -> bool {
        self.sieve.may_have(&id.bytes()) && self.ids.contains(id)
    }

    /// Whether it may write the row's document, or another of the same person.
    pub(in crate::export) fn concerns(&self, candidate: &Candidate) -> bool {
        let is_his = |key: [u8; 16]| self.sieve.may_have(&key) && self.keys.contains(&key);
        self.has_id(&candidate.id) || candidate.duplicate_key.is_some_and(is_his)
    }
}

/// The last of these batches that may be changing the document of this `_id`.
pub(in crate::export) fn may_be_changing(batches: &[Arc<Marks>], id: &Bson) -> Option<u64> {
    let id = id.as_object_id()?;
    batches.iter().rev().find(|marks| marks.has_id(&id)).map(|marks| marks.number)
}

/// The document that one of these batches has inserted with this duplicate key, unless a later one has to do with it.
pub(in crate::export) fn inserted(batches: &[Arc<Marks>], key: [u8; 16]) -> Option<ObjectId> {
    let at = batches.iter().rposition(|marks| marks.inserted.contains_key(&key))?;
    let id = *batches[at].inserted.get(&key)?;
    batches[at + 1..].iter().all(|later| !later.all.contains(&id)).then_some(id)
}

/// The batches in flight.
#[derive(Debug, Default)]
pub(in crate::export) struct Flights {
    inner: Mutex<Inner>,
    /// Changes with each thing that is decided.
    news: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    /// Those that aren't settled, and those that were when one of these took off; in their order.
    open: VecDeque<Arc<Marks>>,
}

impl Flights {
    /// A batch takes off, behind all that did before. Answers its number.
    pub(in crate::export) fn enter(&self, candidates: &[Candidate]) -> u64 {
        let mut inner = self.lock();
        let number = inner.next;
        inner.open.push_back(Arc::new(Marks::new(number, candidates)));
        inner.next += 1;
        number
    }

    /// The batches before this one, as they are now: all that aren't settled, and those that were settled only lately.
    pub(in crate::export) fn ahead_of(&self, number: u64) -> Vec<Arc<Marks>> {
        self.lock().open.iter().take_while(|marks| marks.number < number).cloned().collect()
    }

    /// Nothing is decided about these rows of a batch yet, but about all its others; these keys of others were inserted.
    pub(in crate::export) fn decided<'c>(
        &self,
        number: u64,
        undecided: impl Iterator<Item = &'c Candidate>,
        inserted: HashedMap<[u8; 16], ObjectId>,
    ) {
        // Made before others are kept waiting for it.
        let about = Marks { number, inserted, ..Marks::default() }.about(undecided);
        self.change(number, |marks| Marks { all: Arc::clone(&marks.all), settled: marks.settled, ..about });
    }

    /// It is known of each row of this batch what became of it; these keys were inserted.
    pub(in crate::export) fn settle(&self, number: u64, inserted: HashedMap<[u8; 16], ObjectId>) {
        let next = self.lock().next;
        self.change(number, |marks| Marks {
            number,
            all: Arc::clone(&marks.all),
            inserted,
            settled: Some(next),
            ..Marks::default()
        });
        let mut inner = self.lock();
        // What the first one knows is of use to those that took off before it was settled.
        while let Some(until) = inner.open.front().and_then(|marks| marks.settled)
            && inner.open.iter().all(|marks| marks.number >= until || marks.is_settled())
        {
            inner.open.pop_front();
        }
    }

    fn change(&self, number: u64, change: impl FnOnce(&Marks) -> Marks) {
        if let Some(marks) = self.lock().open.iter_mut().find(|marks| marks.number == number) {
            *marks = Arc::new(change(marks));
        }
        self.news.send_modify(|news| *news += 1);
    }

    /// Tells of what is decided from now on.
    pub(in crate::export) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Refusal, Value};

    fn row(id: u8, person: Option<u8>) -> Candidate {
        Candidate {
            position: Value::Integer(id.into()),
            key: id.to_string(),
            id: ObjectId::from_bytes([id; 12]),
            content: [id; 16],
            duplicate_key: person.map(|person| [person; 16]),
            row: Err(Refusal::TooLarge),
            bytes: 0,
            grown: 0,
            known: false,
            unchanged: false,
        }
    }

    #[test]
    fn a_settled_batch_is_remembered_by_those_that_took_off_before() {
        let flights = Flights::default();
        let rows = [row(1, Some(1))];
        let batches =
            [flights.enter(&rows), flights.enter(&[row(2, None)]), flights.enter(&[row(3, Some(1))])];
        assert_eq!(batches, [0, 1, 2]);
        flights.settle(0, HashedMap::from_iter([([1; 16], rows[0].id)]));
        let ahead = flights.ahead_of(2);
        assert!(ahead[0].is_settled() && !ahead[1].is_settled());
        assert!(!ahead[0].concerns(&row(3, Some(1))));
        assert_eq!(inserted(&ahead, [1; 16]), Some(rows[0].id));
        let later = flights.enter(&[]);
        flights.settle(1, HashedMap::default());
        assert_eq!(flights.ahead_of(later).len(), 3, "the third one may still ask");
        flights.settle(2, HashedMap::default());
        assert!(
            flights.ahead_of(later).iter().all(|marks| marks.number() > 0),
            "nobody can ask of the first"
        );
        flights.settle(later, HashedMap::default());
        assert!(flights.ahead_of(later + 1).is_empty());
    }

    #[test]
    fn a_row_is_concerned_by_its_document_and_by_its_person() {
        let flights = Flights::default();
        let first = flights.enter(&[row(1, Some(1)), row(2, None)]);
        let second = flights.enter(&[row(3, Some(3))]);
        assert!(flights.ahead_of(first).is_empty(), "nobody waits for a later one, or for himself");
        let ahead = flights.ahead_of(second);
        assert_eq!(ahead.len(), 1);
        assert!(ahead[0].concerns(&row(9, Some(1))) && ahead[0].concerns(&row(2, Some(9))));
        assert!(!ahead[0].concerns(&row(9, None)) && !ahead[0].concerns(&row(3, Some(3))));
    }

    #[test]
    fn a_row_is_concerned_only_by_what_is_undecided() {
        let flights = Flights::default();
        let rows = [row(1, Some(1)), row(2, Some(2))];
        let (first, second) = (flights.enter(&rows), flights.enter(&[row(3, Some(1))]));
        let (before, mut news) = (flights.ahead_of(second), flights.news());
        flights.decided(first, rows[1..].iter(), HashedMap::from_iter([([1; 16], rows[0].id)]));
        assert!(news.has_changed().unwrap(), "whoever waits is told");
        news.mark_unchanged();
        assert!(before[0].concerns(&row(3, Some(1))), "what was seen before stays as it was then");
        let ahead = flights.ahead_of(second);
        assert!(!ahead[0].concerns(&row(3, Some(1))) && ahead[0].concerns(&row(3, Some(2))));
        assert_eq!((inserted(&ahead, [1; 16]), inserted(&ahead, [2; 16])), (Some(rows[0].id), None));
        assert_eq!(may_be_changing(&ahead, &Bson::ObjectId(rows[0].id)), None);
        assert_eq!(may_be_changing(&ahead, &Bson::ObjectId(rows[1].id)), Some(first));
    }

    #[test]
    fn an_inserted_document_that_a_later_batch_has_to_do_with_says_nothing() {
        let flights = Flights::default();
        let rows = [row(1, Some(1))];
        let (first, second) = (flights.enter(&rows), flights.enter(&[row(1, Some(2))]));
        flights.decided(first, [].iter(), HashedMap::from_iter([([1; 16], rows[0].id)]));
        flights.decided(second, [].iter(), HashedMap::default());
        let third = flights.enter(&[row(3, Some(1))]);
        assert_eq!(inserted(&flights.ahead_of(third), [1; 16]), None);
    }
}
