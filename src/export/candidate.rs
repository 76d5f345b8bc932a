//! A row on its way.

use mongodb::bson::Bson;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::RawDocumentBuf;

use crate::record::{DuplicateKey, Refusal, Value};

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
    /// Its duplicate key; `None` if duplicates aren't skipped, or it has none.
    pub(super) duplicate: Option<DuplicateKey>,
    /// Its column of the last change, as its document has it.
    pub(super) updated: Bson,
    /// Its document, or why it has none. Let go once it is delivered.
    pub(super) document: Result<RawDocumentBuf, Refusal>,
    /// The bytes of its document.
    pub(super) bytes: usize,
    /// Whether the ledger knows it as exported, with whatever content.
    pub(super) known: bool,
    /// Whether the ledger knows it as exported, and all the same as it is now.
    pub(super) unchanged: bool,
}

impl Candidate {
    /// The hash of its duplicate key.
    pub(super) fn key(&self) -> Option<[u8; 16]> {
        self.duplicate.as_ref().map(|key| key.hash)
    }

    /// Lets go what only the delivery needs.
    pub(super) fn shed(&mut self) {
        (self.document, self.duplicate) = (Ok(RawDocumentBuf::new()), None);
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
        /// Whether the copy may have been somebody else before that update.
        moved: bool,
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
