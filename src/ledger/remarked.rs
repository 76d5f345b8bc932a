//! Which rows of a batch may have something told of them: nearly none, as a rule, and asking for each would cost as much as
//! recording it.
//!
//! What holds: a row that has a remark is never told to have none.

use std::collections::HashSet;

use rusqlite::{Transaction, params};

use super::LedgerError;
use super::entry::Record;
use crate::record::ValueRef;

/// Rows of a batch stand this close together on average, or each is asked for: what lies between them is read, too.
const SPREAD: i64 = 8;

/// The rows of a batch of which there may be something to tell.
pub(super) enum Remarked {
    /// These rowids, and no others.
    Rowids(HashSet<i64>),
    /// Nobody knows.
    Unknown,
}

impl Remarked {
    /// What is told of this batch's rows so far.
    pub(super) fn among(transaction: &Transaction<'_>, batch: &[Record<'_>]) -> Result<Self, LedgerError> {
        let Some((first, last)) = range(batch) else { return Ok(Self::Unknown) };
        let mut found = HashSet::new();
        let mut statement =
            transaction.prepare_cached("SELECT position FROM remark WHERE position BETWEEN ?1 AND ?2")?;
        let mut rows = statement.query(params![first, last])?;
        while let Some(row) = rows.next()? {
            // Between two whole numbers there may be no other keys, but a damaged file may hold anything.
            found.insert(row.get(0)?);
        }
        Ok(Self::Rowids(found))
    }

    /// Something is told of this row now.
    pub(super) fn add(&mut self, position: ValueRef<'_>) {
        match (self, position) {
            (Self::Rowids(found), ValueRef::Integer(rowid)) => _ = found.insert(rowid),
            (unknown, _) => *unknown = Self::Unknown,
        }
    }

    /// Whether there may be something to tell of this row.
    pub(super) fn may_have(&self, position: ValueRef<'_>) -> bool {
        match (self, position) {
            (Self::Rowids(found), ValueRef::Integer(rowid)) => found.contains(&rowid),
            _ => true,
        }
    }
}

/// The lowest and the highest rowid of a batch, if it has no other keys and isn't spread over a large part of the table.
fn range(batch: &[Record<'_>]) -> Option<(i64, i64)> {
    let rowid = |record: &Record<'_>| match record.position {
        ValueRef::Integer(rowid) => Some(rowid),
        _ => None,
    };
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    for record in batch {
        let rowid = rowid(record)?;
        (first, last) = (first.min(rowid), last.max(rowid));
    }
    let most = i64::try_from(batch.len()).ok()?.saturating_mul(SPREAD);
    last.checked_sub(first).filter(|spread| (0..=most).contains(spread)).map(|_| (first, last))
}

#[cfg(test)]
mod tests {
    use mongodb::bson::oid::ObjectId;

    use super::*;
    use crate::report::Outcome;

    fn record(position: ValueRef<'_>) -> Record<'_> {
        Record {
            position,
            key: "",
            id: ObjectId::from_bytes([0; 12]),
            content: [0; 16],
            outcome: Outcome::Exported,
            code: None,
            detail: "",
            duplicate_of: None,
            moved: false,
        }
    }

    #[test]
    fn rows_far_apart_and_other_keys_are_asked_for_one_by_one() {
        let rowids = |rowids: &[i64]| {
            let batch: Vec<_> = rowids.iter().map(|rowid| record(ValueRef::Integer(*rowid))).collect();
            range(&batch)
        };
        assert_eq!(rowids(&[3, 1, 5]), Some((1, 5)));
        assert_eq!(rowids(&[7]), Some((7, 7)));
        assert_eq!(rowids(&[0, 16]), Some((0, 16)));
        assert_eq!(rowids(&[0, 17]), None);
        assert_eq!(rowids(&[i64::MIN, i64::MAX]), None);
        assert_eq!(rowids(&[]), None);
        assert_eq!(range(&[record(ValueRef::Integer(1)), record(ValueRef::Blob(b"1"))]), None);
    }

    #[test]
    fn what_is_told_within_the_batch_counts_too() {
        let mut remarked = Remarked::Rowids(HashSet::from([1]));
        remarked.add(ValueRef::Integer(2));
        let has = |remarked: &Remarked, rowid| remarked.may_have(ValueRef::Integer(rowid));
        assert_eq!([1, 2, 3].map(|rowid| has(&remarked, rowid)), [true, true, false]);
        remarked.add(ValueRef::Blob(b"k"));
        assert!(has(&remarked, 3));
    }
}
