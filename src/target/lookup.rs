//! What is in the collection already.

use std::sync::atomic::{AtomicU32, Ordering};

use mongodb::Cursor;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::{CString, RawArrayBuf, RawDocument, RawDocumentBuf};
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, Document, RawBsonRef, cstr, doc, rawdoc};
use mongodb::options::{FindOptions, ReadConcern};

use super::Target;
use super::encode::chunks;
use super::failure::classify;
use super::insert::COMMAND_BYTES;
use super::write::unencodable;
use crate::hashed::{HashedMap, HashedSet};
use crate::record::DuplicateKey;
use crate::report::{Failure, Reason};

/// A row's own document, as it stands in the collection.
#[derive(Clone, Debug, PartialEq)]
pub struct Copy {
    /// What stands where the hash of the row belongs, as it was written last; null if there is nothing.
    pub content: Bson,
    /// The column of the last change; null if the document doesn't have it.
    pub updated: Bson,
    /// The export that inserted it, and when (RFC 3339).
    pub inserted_by: Option<(String, String)>,
    /// The export that wrote it over last, and when (RFC 3339).
    pub updated_by: Option<(String, String)>,
    /// Its place in the unique index on the duplicate key, if it has one.
    pub duplicate_key: Option<[u8; 16]>,
}

impl Copy {
    /// Whether it holds the row with this hash.
    #[must_use]
    pub fn has_content(&self, hash: &[u8; 16]) -> bool {
        matches!(&self.content, Bson::Binary(found) if found.bytes == hash)
    }
}

/// How duplicates are looked up.
#[derive(Clone, Copy, Debug)]
pub struct HolderQuery<'a> {
    /// The duplicate key's columns.
    pub columns: &'a [String],
    /// The keys that are asked for.
    pub keys: &'a [&'a DuplicateKey],
}

/// What is asked of the collection.
struct Question {
    what: &'static str,
    filter: Document,
    projection: Document,
    /// Documents that are expected at most.
    expected: usize,
}

/// Documents that share the first column of a duplicate key, on average: if there are more, all columns are asked for.
const CROWD: usize = 4;

/// Look-ups by all columns after a crowd was met.
const CAUTIOUS: u32 = 1_000;

/// Whether many documents share what the first column of a duplicate key holds. By that column alone the answer comes
/// from the index, and fastest; but what everybody has in common finds everybody.
#[derive(Debug, Default)]
pub(super) struct Crowds(AtomicU32);

impl Crowds {
    fn met(&self) {
        self.0.store(CAUTIOUS, Ordering::Relaxed);
    }

    /// Whether it is better to ask for all columns this time.
    fn is_expected(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

impl Target {
    /// The rows' own documents that are there, by `_id`. `updated_column` is read along if it is given.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn copies(
        &self,
        ids: &[ObjectId],
        updated_column: Option<&str>,
    ) -> Result<HashedMap<ObjectId, Copy>, Failure> {
        let mut copies = HashedMap::default();
        if ids.is_empty() {
            return Ok(copies);
        }
        // Whole: the server is slower to pick its parts than to send them.
        let mut projection = doc! { "export_metadata": 1 };
        if let Some(column) = updated_column.filter(|name| is_plain(name)) {
            projection.insert(column, 1);
        }
        let question = Question {
            what: "look up copies",
            filter: doc! { "_id": { "$in": ids } },
            projection,
            expected: ids.len(),
        };
        self.ask(question, |document| {
            if let Ok(Some(RawBsonRef::ObjectId(id))) = document.get("_id") {
                copies.insert(id, copy(document, updated_column));
            }
        })
        .await?;
        Ok(copies)
    }

    /// Documents that hold one of these duplicate keys in their columns, whoever wrote them: for each key that is held,
    /// one `_id`.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn holders(&self, query: HolderQuery<'_>) -> Result<HashedMap<[u8; 16], Bson>, Failure> {
        let mut holders = HashedMap::default();
        if query.keys.is_empty() || query.columns.is_empty() {
            return Ok(holders);
        }
        let wanted: HashedSet<[u8; 16]> = query.keys.iter().map(|key| key.hash).collect();
        let mut hold = |document: &RawDocument| {
            let key = DuplicateKey::of_document(query.columns, document);
            if let (Some(key), Ok(Some(id))) = (key, document.get("_id"))
                && wanted.contains(&key.hash)
                && let Ok(id) = Bson::try_from(id)
            {
                holders.entry(key.hash).or_insert(id);
            }
        };
        let projection = projection(query.columns);
        let projection = RawDocumentBuf::try_from(&projection).map_err(|_| unencodable())?;
        let (mut by_first, mut by_all) = (Vec::new(), Vec::new());
        let is_crowded = self.crowds.is_expected();
        for key in query.keys.iter().copied() {
            // Nothing can be an absent field, too, which no index alone can tell.
            let is_plain =
                query.columns.len() > 1 && !matches!(key.values.get(0), Ok(Some(RawBsonRef::Null)));
            if is_plain && !is_crowded { &mut by_first } else { &mut by_all }.push(key);
        }
        for part in chunks(&by_first, COMMAND_BYTES, |key| key.weight()) {
            let keys = &by_first[part];
            let limit = keys.len() * CROWD + CROWD;
            let columns = &query.columns[..1];
            if self.find(filter(columns, keys)?, &projection, keys.len(), Some(limit), &mut hold).await?
                >= limit
            {
                self.crowds.met();
                by_all.extend(keys);
            }
        }
        for part in chunks(&by_all, COMMAND_BYTES, |key| key.weight()) {
            let keys = &by_all[part];
            self.find(filter(query.columns, keys)?, &projection, keys.len(), None, &mut hold).await?;
        }
        Ok(holders)
    }

    /// The document that holds this value of the unique index, and whether its columns hold it too: somebody may have
    /// changed them since.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn holder_of_hash(
        &self,
        columns: &[String],
        hash: [u8; 16],
    ) -> Result<Option<(Bson, bool)>, Failure> {
        let mut holder = None;
        let question = Question {
            what: "look up a duplicate",
            filter: doc! { "export_metadata.duplicate_key": binary(hash) },
            projection: projection(columns),
            expected: 1,
        };
        self.ask(question, |document| {
            let holds = DuplicateKey::of_document(columns, document).is_some_and(|key| key.hash == hash);
            let id = document.get("_id").ok().flatten().and_then(|id| Bson::try_from(id).ok());
            holder = id.map(|id| (id, holds));
        })
        .await?;
        Ok(holder)
    }

    /// Visits what is found; all of it under one deadline.
    pub(super) async fn each(
        &self,
        what: &'static str,
        filter: Document,
        projection: Document,
        expected: usize,
        visit: impl FnMut(&RawDocument),
    ) -> Result<(), Failure> {
        self.ask(Question { what, filter, projection, expected }, visit).await
    }

    async fn ask(&self, question: Question, visit: impl FnMut(&RawDocument)) -> Result<(), Failure> {
        let Question { what, filter, projection, expected } = question;
        let options = FindOptions::builder()
            .projection(projection)
            .batch_size(u32::try_from(expected).unwrap_or(u32::MAX).saturating_add(1))
            .read_concern(ReadConcern::majority())
            .max_time(self.deadline)
            .build();
        self.bounded(what, async {
            each(self.collection.find(filter).with_options(options).await?, visit).await.map(drop)
        })
        .await
    }

    /// As [`Target::ask`], with a filter that needs no more room than it takes on its way. Answers how many were found. What was
    /// found may be shown twice: as the driver does with a read of its own, it is asked once more if the connection broke.
    async fn find(
        &self,
        filter: RawDocumentBuf,
        projection: &RawDocument,
        expected: usize,
        limit: Option<usize>,
        mut visit: impl FnMut(&RawDocument),
    ) -> Result<usize, Failure> {
        let whole = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let mut command = RawDocumentBuf::new();
        command.append(cstr!("find"), self.collection.name());
        command.append(cstr!("filter"), filter);
        command.append(cstr!("projection"), projection);
        if let Some(limit) = limit {
            command.append(cstr!("limit"), whole(limit));
        }
        // All in the first reply, where the default is 101.
        command.append(cstr!("batchSize"), whole(expected.saturating_add(1)));
        command.append(cstr!("readConcern"), rawdoc! { "level": "majority" });
        let deadline = i64::try_from(self.deadline.as_millis()).unwrap_or(i64::MAX);
        command.append(cstr!("maxTimeMS"), deadline);
        self.bounded("look up duplicates", async {
            let mut is_second = false;
            loop {
                let found = async {
                    each(self.database.run_raw_cursor_command(command.clone()).await?, &mut visit).await
                };
                match found.await {
                    Err(error) if !is_second && is_broken(&error) => is_second = true,
                    result => return result,
                }
            }
        })
        .await
    }
}

/// Whether the connection broke, or its server isn't the primary any more.
fn is_broken(error: &mongodb::error::Error) -> bool {
    matches!(classify(error).reason, Reason::Disconnected | Reason::NotPrimary)
}

async fn each<T>(
    mut cursor: Cursor<T>,
    mut visit: impl FnMut(&RawDocument),
) -> mongodb::error::Result<usize> {
    let mut count = 0;
    while cursor.advance().await? {
        visit(cursor.current());
        count += 1;
    }
    Ok(count)
}

/// In one pass over its elements: a field is looked for from the start each time.
fn copy(document: &RawDocument, updated_column: Option<&str>) -> Copy {
    let value = |found: RawBsonRef<'_>| Bson::try_from(found).unwrap_or(Bson::Null);
    let updated = updated_column.and_then(|column| document.get(column).ok().flatten());
    let (mut content, mut duplicate_key) = (Bson::Null, None);
    let (mut inserted_by, mut inserted_at, mut updated_by, mut updated_at) = (None, None, None, None);
    let metadata = document.get_document("export_metadata").ok();
    for (name, found) in metadata.into_iter().flatten().map_while(Result::ok) {
        let text = || found.as_str().map(str::to_owned);
        match name.as_str() {
            "content" => content = value(found),
            "export_id" => inserted_by = text(),
            "exported_at" => inserted_at = text(),
            "updated_by" => updated_by = text(),
            "updated_at" => updated_at = text(),
            "duplicate_key" => {
                duplicate_key = found.as_binary().and_then(|binary| binary.bytes.try_into().ok());
            }
            _ => {}
        }
    }
    Copy {
        content,
        updated: updated.map_or(Bson::Null, value),
        inserted_by: inserted_by.zip(inserted_at),
        updated_by: updated_by.zip(updated_at),
        duplicate_key,
    }
}

/// What finds the documents that may hold one of these keys.
fn filter(columns: &[String], keys: &[&DuplicateKey]) -> Result<RawDocumentBuf, Failure> {
    let mut filter = RawDocumentBuf::new();
    for (place, column) in columns.iter().enumerate() {
        let mut values = RawArrayBuf::new();
        for key in keys {
            match key.values.get(place) {
                // Absent in any of its forms; `null` also finds documents without the field.
                Ok(None | Some(RawBsonRef::Null)) => {
                    values.push(RawBsonRef::Null);
                    values.push("");
                }
                Ok(Some(value)) => values.push(value),
                Err(_) => return Err(unencodable()),
            }
        }
        let column = CString::try_from(column.as_str()).map_err(|_| unencodable())?;
        let mut any = RawDocumentBuf::new();
        any.append(cstr!("$in"), values);
        filter.append(column, any);
    }
    Ok(filter)
}

/// The columns of a document, and its `_id`.
fn projection(columns: &[String]) -> Document {
    let mut projection = doc! { "_id": 1 };
    projection.extend(columns.iter().map(|column| (column.clone(), Bson::Int32(1))));
    projection
}

fn binary(hash: [u8; 16]) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: hash.to_vec() }
}

/// Whether a query or projection can speak of a field of this name.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains('.') && !name.starts_with('$')
}
