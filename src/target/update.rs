//! Writing changed rows over their own copies.
//!
//! The update is a pipeline of literals: names with dots or dollars stay names, and fields that others added stay.
//! It is conditional on the copy being the one that was looked at, so that a change by somebody else in between isn't
//! written over; the caller reads the copies back and so learns what became of each.

use std::time::Duration;

use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::{CString, RawArrayBuf, RawBson, RawDocument, RawDocumentBuf};
use mongodb::bson::{Bson, RawBsonRef, cstr, rawdoc};

use super::insert::{InsertOutcome, MAX_DOCUMENT_BYTES};
use super::lookup::is_plain;
use super::write::Verb;
use super::{Copy, Target};
use crate::report::{Failure, Reason};

/// A statement of more bytes doesn't fit into a command: a command may be 16 KiB larger than a document, and has other
/// parts.
const MAX_STATEMENT_BYTES: usize = MAX_DOCUMENT_BYTES + 12 * 1024;

/// A row to be written over its copy.
#[derive(Clone, Debug)]
pub struct Update<'a> {
    /// The copy's `_id`.
    pub id: ObjectId,
    /// The row's whole document, as it would be inserted.
    pub document: &'a RawDocument,
    /// The copy as it was looked at.
    pub seen: &'a Copy,
    /// The column of the last change, if the table has it.
    pub updated_column: Option<&'a str>,
    /// Whether the copy keeps or gets a duplicate key (and with it a place in the unique index).
    pub with_duplicate_key: bool,
}

/// What became of one update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpdateOutcome {
    /// Accepted: written, unless the copy had changed. Reading it back tells.
    Sent,
    /// Another document holds the new duplicate key.
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
    /// Sends updates, unordered. The answer has one outcome for each, in their order.
    ///
    /// # Errors
    /// A [`Failure`] means that the outcome of *every* update is unknown.
    pub async fn update(&self, updates: &[Update<'_>]) -> Result<Vec<UpdateOutcome>, Failure> {
        self.update_within(self.deadline, updates).await
    }

    /// As [`Target::update`], with a deadline of its own for each command.
    ///
    /// # Errors
    /// See [`Target::update`].
    pub async fn update_within(
        &self,
        deadline: Duration,
        updates: &[Update<'_>],
    ) -> Result<Vec<UpdateOutcome>, Failure> {
        let too_large =
            || UpdateOutcome::Rejected { code: 10_334, detail: "it is too large to be updated".to_owned() };
        let mut outcomes = vec![UpdateOutcome::Sent; updates.len()];
        let (mut places, mut statements) = (Vec::new(), Vec::new());
        for (at, update) in updates.iter().enumerate() {
            let statement = statement(update)?;
            if statement.as_bytes().len() > MAX_STATEMENT_BYTES {
                outcomes[at] = too_large();
            } else {
                places.push(at);
                statements.push(statement);
            }
        }
        let statements: Vec<&RawDocument> = statements.iter().map(AsRef::as_ref).collect();
        let replies = self.write(deadline, Verb::Update, &statements).await?;
        for (at, reply) in places.into_iter().zip(replies) {
            outcomes[at] = match reply {
                InsertOutcome::SameDuplicateKey => UpdateOutcome::SameDuplicateKey,
                InsertOutcome::Rejected { code, detail } => UpdateOutcome::Rejected { code, detail },
                InsertOutcome::Inserted | InsertOutcome::SameId => UpdateOutcome::Sent,
            };
        }
        Ok(outcomes)
    }
}

/// Built of bytes as they are: a document of many levels needs no stack, and one of many small values no memory of its own.
fn statement(update: &Update<'_>) -> Result<RawDocumentBuf, Failure> {
    let mut columns = RawDocumentBuf::new();
    let mut metadata = RawDocumentBuf::new();
    for element in update.document {
        let (name, value) = element.map_err(|_| unencodable())?;
        match (name.as_str(), value) {
            ("_id", _) => {}
            ("export_metadata", RawBsonRef::Document(whole)) => {
                metadata = own_metadata(whole, update.with_duplicate_key);
            }
            (_, value) => columns.append(name, value),
        }
    }
    // Somebody may have put anything in its place.
    let is_document = rawdoc! { "$eq": [{ "$type": "$export_metadata" }, "object"] };
    let others = rawdoc! { "$cond": [is_document, "$export_metadata", {}] };
    let merged = rawdoc! { "$mergeObjects": [others, { "$literal": metadata }] };
    let mut pipeline = RawArrayBuf::new();
    pipeline.push(rawdoc! { "$replaceWith": { "$mergeObjects": [
        "$$ROOT",
        { "$literal": columns },
        { "export_metadata": merged },
    ] } });
    if !update.with_duplicate_key {
        pipeline.push(rawdoc! { "$unset": "export_metadata.duplicate_key" });
    }
    let mut query = rawdoc! { "_id": update.id };
    if let Some(column) = update.updated_column.filter(|name| is_plain(name)) {
        is_still(&mut query, column, &update.seen.updated)?;
    }
    is_still(&mut query, "export_metadata.content", &update.seen.content)?;
    Ok(rawdoc! { "q": query, "u": pipeline, "multi": false, "upsert": false })
}

/// Adds the condition that a field is what it was. `$eq`, as a value alone may be taken for an operator or a pattern;
/// nothing for what no query can ask for.
fn is_still(query: &mut RawDocumentBuf, field: &str, seen: &Bson) -> Result<(), Failure> {
    if *seen == Bson::Undefined {
        return Ok(());
    }
    let field = CString::try_from(field).map_err(|_| unencodable())?;
    let seen = RawBson::try_from(seen.clone()).map_err(|_| unencodable())?;
    query.append(field, rawdoc! { "$eq": seen });
    Ok(())
}

/// What an update changes of the metadata: which export inserted the document, and when, stays.
fn own_metadata(whole: &RawDocument, with_duplicate_key: bool) -> RawDocumentBuf {
    let mut metadata = RawDocumentBuf::new();
    for (from, to) in [
        ("content", cstr!("content")),
        ("export_version", cstr!("export_version")),
        ("exported_at", cstr!("updated_at")),
        ("export_id", cstr!("updated_by")),
        ("duplicate_key", cstr!("duplicate_key")),
    ] {
        if let Ok(Some(value)) = whole.get(from)
            && (from != "duplicate_key" || with_duplicate_key)
        {
            metadata.append(to, value);
        }
    }
    metadata
}

fn unencodable() -> Failure {
    Failure::new(Reason::Server, "an update can't be encoded")
}
