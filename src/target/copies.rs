//! Rows' own documents, as they stand in the collection.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::RawDocument;
use mongodb::bson::{Bson, RawBsonRef, doc};

use super::Target;
use super::lookup::is_plain;
use crate::hashed::HashedMap;
use crate::report::Failure;

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
        let filter = doc! { "_id": { "$in": ids } };
        self.each("look up copies", filter, projection, ids.len(), |document| {
            if let Ok(Some(RawBsonRef::ObjectId(id))) = document.get("_id") {
                copies.insert(id, copy(document, updated_column));
            }
        })
        .await?;
        Ok(copies)
    }
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
