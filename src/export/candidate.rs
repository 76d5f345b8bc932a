//! A row on its way.

use mongodb::bson::Bson;
use mongodb::bson::oid::ObjectId;

use crate::record::{PackedRow, Refusal, Shape, Value, ValueRef};

/// A row that may have to be sent.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Where it stands, as the ledger keys it.
    pub(super) position: Value,
    /// Its key, as people know it.
    pub(super) key: String,
    /// Its document's `_id`.
    pub(super) id: ObjectId,
    /// The hash of its values.
    pub(super) content: [u8; 16],
    /// The hash of its duplicate key; `None` if duplicates aren't skipped, or it has none.
    pub(super) duplicate_key: Option<[u8; 16]>,
    /// What of it arrives, or why it has no document. Let go once it is delivered.
    pub(super) row: Result<PackedRow, Refusal>,
    /// The bytes of its document, roughly, but not fewer than it will have.
    pub(super) bytes: usize,
    /// How many of them conversions may have added.
    pub(super) grown: usize,
    /// Whether the ledger knows it as exported, with whatever content.
    pub(super) known: bool,
    /// Whether the ledger knows it as exported, and all the same as it is now.
    pub(super) unchanged: bool,
}

impl Candidate {
    /// Its values; none of a row that has no document.
    pub(super) fn values(&self, shape: &Shape) -> Vec<ValueRef<'_>> {
        self.row.as_ref().map_or_else(|_| Vec::new(), |row| row.unpack(shape.columns().len()))
    }

    /// The memory that it takes, roughly, until it is delivered: of the batches in flight, half may be encoded. What
    /// conversions add counts whole: of a list of numbers in a short text, that is nearly all.
    pub(super) fn memory(&self) -> usize {
        /// What is known of it beside its values and its key.
        const AROUND: usize = 200;
        let packed = self.row.as_ref().map_or(0, PackedRow::weight);
        (AROUND + self.key.len() + packed).max(self.bytes.midpoint(self.grown))
    }

    /// Lets go what only the delivery needs.
    pub(super) fn shed(&mut self) {
        (self.row, self.duplicate_key) = (Ok(PackedRow::default()), None);
    }
}

/// What became of a candidate.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// Inserted by this run.
    Inserted,
    /// Its copy holds this content.
    There {
        /// The export that wrote the copy last, and when, as the copy bears it.
        writer: Option<(String, String)>,
        /// Whether that was an update.
        updated: bool,
    },
    /// Its copy holds another content and stays as it is, by the rule for updates.
    Kept,
    /// Another document has its duplicate key.
    Duplicate {
        /// That document's `_id`.
        of: Bson,
    },
    /// MongoDB refused it.
    Rejected {
        /// The server's error code.
        code: i32,
        /// Why; quotes nothing.
        detail: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_conversions_add_counts_whole_and_of_the_rest_half() {
        let row = |bytes, grown| Candidate {
            position: Value::Null,
            key: String::new(),
            id: ObjectId::from_bytes([0; 12]),
            content: [0; 16],
            duplicate_key: None,
            row: Ok(PackedRow::default()),
            bytes,
            grown,
            known: false,
            unchanged: false,
        };
        assert_eq!(row(10_000, 0).memory(), 5_000);
        assert_eq!(row(10_000, 9_000).memory(), 9_500);
        assert_eq!(row(usize::MAX, usize::MAX).memory(), usize::MAX);
        assert!(row(0, 0).memory() > 0);
    }
}
