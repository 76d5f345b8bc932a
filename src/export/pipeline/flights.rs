//! Which rows and which persons the batches in flight may be writing at the moment.
//!
//! What holds: of a person, and of a document, one batch at a time decides. A row whose `_id` or duplicate key a batch
//! before it may be writing waits until that one, and every one before it, is settled; then it is judged by what is in
//! the collection. Batches wait for earlier ones only, so that nobody waits for himself.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mongodb::bson::Bson;
use mongodb::bson::oid::ObjectId;
use tokio::sync::watch;

use crate::export::candidate::Candidate;

/// What one batch may write.
#[derive(Debug, Default)]
pub(in crate::export) struct Marks {
    number: u64,
    ids: HashSet<ObjectId>,
    keys: HashSet<[u8; 16]>,
}

impl Marks {
    fn new(number: u64, candidates: &[Candidate]) -> Self {
        let ids = candidates.iter().map(|candidate| candidate.id).collect();
        let keys = candidates.iter().filter_map(Candidate::key).collect();
        Self { number, ids, keys }
    }

    /// The batch's place in the order.
    pub(in crate::export) fn number(&self) -> u64 {
        self.number
    }

    /// Whether it may write this document.
    pub(in crate::export) fn has_id(&self, id: &ObjectId) -> bool {
        self.ids.contains(id)
    }

    /// Whether it may write the row's document, or another of the same person.
    pub(in crate::export) fn concerns(&self, candidate: &Candidate) -> bool {
        self.has_id(&candidate.id) || candidate.key().is_some_and(|key| self.keys.contains(&key))
    }
}

/// The last of these batches that may be changing the document of this `_id`.
pub(in crate::export) fn may_be_changing(batches: &[Arc<Marks>], id: &Bson) -> Option<u64> {
    let id = id.as_object_id()?;
    batches.iter().rev().find(|marks| marks.has_id(&id)).map(|marks| marks.number)
}

/// The batches in flight.
#[derive(Debug, Default)]
pub(in crate::export) struct Flights {
    inner: Mutex<Inner>,
    /// All batches below this number are settled.
    settled: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    /// Not settled, in their order.
    open: VecDeque<Arc<Marks>>,
    /// Settled before one that stands before them.
    early: BTreeSet<u64>,
}

impl Flights {
    /// A batch takes off, behind all that did before.
    pub(in crate::export) fn enter(&self, candidates: &[Candidate]) -> Arc<Marks> {
        let mut inner = self.lock();
        let marks = Arc::new(Marks::new(inner.next, candidates));
        inner.next += 1;
        inner.open.push_back(Arc::clone(&marks));
        marks
    }

    /// The batches before this one that aren't settled.
    pub(in crate::export) fn ahead_of(&self, number: u64) -> Vec<Arc<Marks>> {
        self.lock().open.iter().take_while(|marks| marks.number < number).cloned().collect()
    }

    /// It is known of each row of this batch what became of it.
    pub(in crate::export) fn settle(&self, number: u64) {
        let mut inner = self.lock();
        inner.early.insert(number);
        while let Some(front) = inner.open.front().map(|marks| marks.number)
            && inner.early.remove(&front)
        {
            inner.open.pop_front();
        }
        let below = inner.open.front().map_or(inner.next, |marks| marks.number);
        drop(inner);
        self.settled.send_replace(below);
    }

    /// Waits until this batch and all before it are settled.
    pub(in crate::export) async fn settled(&self, number: u64) {
        // The sender is this struct's own.
        let mut settled = self.settled.subscribe();
        let _gone = settled.wait_for(|below| *below > number).await;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{DuplicateKey, Refusal, Value};

    fn row(id: u8, person: Option<u8>) -> Candidate {
        let duplicate = person.map(|person| DuplicateKey { hash: [person; 16], values: Vec::new() });
        Candidate {
            position: Value::Integer(id.into()),
            key: id.to_string(),
            id: ObjectId::from_bytes([id; 12]),
            content: [id; 16],
            duplicate,
            updated: Bson::Null,
            document: Err(Refusal::TooLarge),
            bytes: 0,
            known: false,
            unchanged: false,
        }
    }

    #[tokio::test]
    async fn a_batch_is_settled_when_all_before_it_are() {
        let flights = Flights::default();
        let batches: Vec<_> = (1..=3).map(|id| flights.enter(&[row(id, None)]).number()).collect();
        assert_eq!(batches, [0, 1, 2]);
        flights.settle(1);
        assert_eq!(flights.ahead_of(2).len(), 2, "the first one may still leave the second one open");
        flights.settle(0);
        flights.settled(1).await;
        assert_eq!(flights.ahead_of(2).len(), 0);
        flights.settle(2);
        flights.settled(2).await;
        assert_eq!(flights.enter(&[]).number(), 3);
    }

    #[test]
    fn a_row_is_concerned_by_its_document_and_by_its_person() {
        let flights = Flights::default();
        let first = flights.enter(&[row(1, Some(1)), row(2, None)]);
        let second = flights.enter(&[row(3, Some(3))]);
        assert!(first.concerns(&row(9, Some(1))) && first.concerns(&row(2, Some(9))));
        assert!(!first.concerns(&row(9, None)) && !first.concerns(&row(3, Some(3))));
        assert!(flights.ahead_of(first.number()).is_empty(), "nobody waits for a later one, or for himself");
        assert_eq!(flights.ahead_of(second.number()).len(), 1);
    }
}
