//! Deleting documents, each only if it is what it was when it was looked at.

use std::collections::HashSet;

use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::{RawDocument, RawDocumentBuf};
use mongodb::bson::{Bson, RawBsonRef, doc};

use super::Target;
use super::insert::MAX_DOCUMENT_BYTES;
use super::slices::Written;
use super::write::Verb;
use crate::report::{Failure, Reason};

/// A statement of more bytes doesn't fit into a command.
const MAX_STATEMENT_BYTES: usize = MAX_DOCUMENT_BYTES - 4 * 1024;

/// What is to be deleted.
#[derive(Clone, Debug)]
pub enum Deletion {
    /// This document, if not a byte of it has changed.
    Unchanged(RawDocumentBuf),
    /// The document of this `_id`, whatever is in it, if it is of that export.
    Whatever(ObjectId),
}

impl Target {
    /// Deletes documents, acknowledged by a majority. Those stay that changed under our hands, and those that are too large
    /// to be compared; [`Target::there`] tells which.
    ///
    /// # Errors
    /// A [`Failure`] means that any of them may have been deleted.
    pub async fn delete(&self, deletions: &[Deletion], written: Written<'_>) -> Result<(), Failure> {
        let mut statements = Vec::with_capacity(deletions.len());
        for deletion in deletions {
            let statement = statement(deletion, written)?;
            statements.extend((statement.as_bytes().len() <= MAX_STATEMENT_BYTES).then_some(statement));
        }
        let statements: Vec<&RawDocument> = statements.iter().map(AsRef::as_ref).collect();
        self.write(self.deadline, Verb::Delete, &statements).await.map(drop)
    }

    /// Which of these `_id`s are there.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn there(&self, ids: &[ObjectId]) -> Result<HashSet<ObjectId>, Failure> {
        let mut there = HashSet::new();
        if ids.is_empty() {
            return Ok(there);
        }
        let filter = doc! { "_id": { "$in": ids } };
        self.each("look for documents", filter, doc! { "_id": 1 }, ids.len(), |document| {
            if let Ok(Some(RawBsonRef::ObjectId(id))) = document.get("_id") {
                there.insert(id);
            }
        })
        .await?;
        Ok(there)
    }
}

fn statement(deletion: &Deletion, written: Written<'_>) -> Result<RawDocumentBuf, Failure> {
    let unencodable = || Failure::new(Reason::Server, "a deletion can't be encoded");
    let (id, condition) = match deletion {
        Deletion::Whatever(id) => (*id, written.filter()),
        Deletion::Unchanged(document) => {
            let id = document.get_object_id("_id").map_err(|_| unencodable())?;
            let seen = Bson::try_from(RawBsonRef::Document(document)).map_err(|_| unencodable())?;
            (id, doc! { "$expr": { "$eq": ["$$ROOT", { "$literal": seen }] } })
        }
    };
    let mut query = doc! { "_id": id };
    query.extend(condition);
    // The collection's own collation may call texts equal that aren't.
    let statement = doc! { "q": query, "limit": 1, "collation": { "locale": "simple" } };
    RawDocumentBuf::try_from(&statement).map_err(|_| unencodable())
}
