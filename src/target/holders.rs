//! Documents that hold duplicate keys, whoever wrote them.

use std::sync::atomic::{AtomicU32, Ordering};

use mongodb::bson::raw::{CString, RawArrayBuf, RawDocument, RawDocumentBuf};
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, Document, RawBsonRef, cstr, doc, rawdoc};

use super::Target;
use super::encode::chunks;
use super::failure::classify;
use super::insert::COMMAND_BYTES;
use super::lookup::visit_all;
use super::write::unencodable;
use crate::hashed::{HashedMap, HashedSet};
use crate::record::DuplicateKey;
use crate::report::{Failure, Reason};

/// How duplicates are looked up.
#[derive(Clone, Copy, Debug)]
pub struct HolderQuery<'a> {
    /// The duplicate key's columns.
    pub columns: &'a [String],
    /// The keys that are asked for.
    pub keys: &'a [&'a DuplicateKey],
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
            let is_plain = query.columns.len() > 1 && !matches!(key.values.get(0), Some(RawBsonRef::Null));
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
        let filter = doc! { "export_metadata.duplicate_key": binary(hash) };
        self.each("look up a duplicate", filter, projection(columns), 1, |document| {
            let holds = DuplicateKey::of_document(columns, document).is_some_and(|key| key.hash == hash);
            let id = document.get("_id").ok().flatten().and_then(|id| Bson::try_from(id).ok());
            holder = id.map(|id| (id, holds));
        })
        .await?;
        Ok(holder)
    }

    /// As [`Target::each`], with a filter that needs no more room than it takes on its way. Answers how many were found. What was
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
                    visit_all(self.database.run_raw_cursor_command(command.clone()).await?, &mut visit).await
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

/// Whether the connection broke, or its server isn't the primary any more: then another one may answer. Where there is only one,
/// its heartbeats tell before that it can't be used.
fn is_broken(error: &mongodb::error::Error) -> bool {
    matches!(classify(error).reason, Reason::Disconnected | Reason::NotPrimary)
}

/// What finds the documents that may hold one of these keys.
fn filter(columns: &[String], keys: &[&DuplicateKey]) -> Result<RawDocumentBuf, Failure> {
    let mut filter = RawDocumentBuf::new();
    for (place, column) in columns.iter().enumerate() {
        let mut values = RawArrayBuf::new();
        for key in keys {
            match key.values.get(place) {
                // Absent in any of its forms; `null` also finds documents without the field.
                None | Some(RawBsonRef::Null) => {
                    values.push(RawBsonRef::Null);
                    values.push("");
                }
                Some(value) => values.push(value),
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
