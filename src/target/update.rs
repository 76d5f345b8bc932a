//! Writing changed rows over their own copies.
//!
//! The update is a pipeline of literals: names with dots or dollars stay names, and fields that others added stay.
//! It is conditional on the copy being the one that was looked at, so that a change by somebody else in between isn't
//! written over; the caller reads the copies back and so learns what became of each.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::{RawDocument, RawDocumentBuf};
use mongodb::bson::{Bson, Document, RawBsonRef, doc};

use super::insert::{InsertOutcome, MAX_DOCUMENT_BYTES, Verb};
use super::lookup::is_plain;
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
        let too_large =
            || UpdateOutcome::Rejected { code: 10_334, detail: "it is too large to be updated".to_owned() };
        let mut outcomes = vec![UpdateOutcome::Sent; updates.len()];
        let (mut places, mut statements) = (Vec::new(), Vec::new());
        for (at, update) in updates.iter().enumerate() {
            let statement = RawDocumentBuf::try_from(&statement(update)?).map_err(|_| unencodable())?;
            if statement.as_bytes().len() > MAX_STATEMENT_BYTES {
                outcomes[at] = too_large();
            } else {
                places.push(at);
                statements.push(statement);
            }
        }
        let statements: Vec<&RawDocument> = statements.iter().map(AsRef::as_ref).collect();
        let replies = self.write(Verb::Update, &statements).await?;
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

fn statement(update: &Update<'_>) -> Result<Document, Failure> {
    let mut columns = Document::new();
    let mut metadata = Document::new();
    for element in update.document {
        let (name, value) = element.map_err(|_| unencodable())?;
        match (name.as_str(), value) {
            ("_id", _) => {}
            ("export_metadata", RawBsonRef::Document(raw)) => {
                let whole = Document::try_from(raw).map_err(|_| unencodable())?;
                metadata = own_metadata(&whole, update.with_duplicate_key);
            }
            (name, value) => {
                columns.insert(name, Bson::try_from(value).map_err(|_| unencodable())?);
            }
        }
    }
    // Somebody may have put anything in its place.
    let is_document = doc! { "$eq": [{ "$type": "$export_metadata" }, "object"] };
    let others = doc! { "$cond": [is_document, "$export_metadata", {}] };
    let mut pipeline = vec![doc! { "$replaceWith": { "$mergeObjects": [
        "$$ROOT",
        { "$literal": columns },
        { "export_metadata": { "$mergeObjects": [others, { "$literal": metadata }] } },
    ] } }];
    if !update.with_duplicate_key {
        pipeline.push(doc! { "$unset": "export_metadata.duplicate_key" });
    }
    let mut query = doc! { "_id": update.id };
    if let Some(column) = update.updated_column.filter(|name| is_plain(name)) {
        query.extend(is_still(column, &update.seen.updated));
    }
    query.extend(is_still("export_metadata.content", &update.seen.content));
    Ok(doc! { "q": query, "u": pipeline, "multi": false, "upsert": false })
}

/// The condition that a field is what it was. `$eq`, as a value alone may be taken for an operator or a pattern; nothing
/// for what no query can ask for.
fn is_still(field: &str, seen: &Bson) -> Option<(String, Bson)> {
    (*seen != Bson::Undefined).then(|| (field.to_owned(), doc! { "$eq": seen.clone() }.into()))
}

/// What an update changes of the metadata: which export inserted the document, and when, stays.
fn own_metadata(whole: &Document, with_duplicate_key: bool) -> Document {
    let mut metadata = Document::new();
    for (from, to) in [
        ("content", "content"),
        ("export_version", "export_version"),
        ("exported_at", "updated_at"),
        ("export_id", "updated_by"),
        ("duplicate_key", "duplicate_key"),
    ] {
        if let Some(value) = whole.get(from)
            && (from != "duplicate_key" || with_duplicate_key)
        {
            metadata.insert(to, value.clone());
        }
    }
    metadata
}

fn unencodable() -> Failure {
    Failure::new(Reason::Server, "an update can't be encoded")
}
