//! Inserting a batch, with one verdict for each document.
//!
//! The `insert` command is sent as a command of its own, not by the driver's `insert_many`: its reply names the index
//! of a duplicate key by its fields (`keyPattern`), where the driver keeps only a text that quotes the values.

use std::time::Duration;

use mongodb::bson::raw::RawDocument;

use super::encode::Documents;
use super::write::{Verb, halves, unencodable};
use super::{Target, failure};
use crate::report::Failure;

/// A document of more bytes is refused by every MongoDB (`maxBsonObjectSize`).
pub const MAX_DOCUMENT_BYTES: usize = 16 * 1024 * 1024;

/// Documents of more bytes together are sent in several commands: one may be a little larger than a document.
pub(super) const COMMAND_BYTES: usize = 12 * 1024 * 1024;

/// What became of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InsertOutcome {
    /// Written; acknowledged by a majority and journaled.
    Inserted,
    /// A document with this `_id` is there.
    SameId,
    /// A document with this value of the unique index on the duplicate key is there.
    SameDuplicateKey,
    /// Refused for what is in it.
    Rejected {
        /// The server's error code.
        code: i32,
        /// What the code means. Quotes nothing.
        detail: String,
    },
}

impl Target {
    /// No documents yet, and room for so many of so many bytes together.
    #[must_use]
    pub fn room_for(&self, count: usize, bytes: usize) -> Documents {
        Documents::with_capacity(self.collection.name(), count, bytes)
    }

    /// Inserts documents, each with its `_id`, unordered. The answer has one outcome for each, in their order.
    ///
    /// # Errors
    /// A [`Failure`] means that the outcome of *every* document is unknown: any of them may have been written.
    pub async fn insert(&self, documents: &[&RawDocument]) -> Result<Vec<InsertOutcome>, Failure> {
        self.write(self.deadline, Verb::Insert, documents).await
    }

    /// As [`Target::insert`], with a deadline of its own for each command, and without a copy of them. If they are refused
    /// as a whole, they are asked for `again`.
    ///
    /// # Errors
    /// See [`Target::insert`].
    pub async fn insert_within(
        &self,
        deadline: Duration,
        documents: Documents,
        again: impl FnOnce() -> Documents,
    ) -> Result<Vec<InsertOutcome>, Failure> {
        let count = documents.len();
        if count > 1 && documents.bytes() > COMMAND_BYTES {
            return self.write(deadline, Verb::Insert, &documents.slices()?).await;
        }
        let command = documents.into_command().ok_or_else(unencodable)?;
        match self.send(deadline, Verb::Insert, command, count).await? {
            Ok(outcomes) => Ok(outcomes),
            // Nothing at all was accepted: then it isn't said that the document is the cause.
            Err(code) if count < 2 => Err(failure::of_code(code)),
            Err(_) => {
                let documents = again();
                let parts = halves(0..documents.len()).into();
                self.write_parts(deadline, Verb::Insert, &documents.slices()?, parts).await
            }
        }
    }
}
