//! Encoding rows one after another, in the same memory.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::{RawDocument, RawDocumentBuf};

use super::document::{document, metadata};
use super::{PackedRow, Provenance, Refusal, Shape, ValueRef};

/// What a document has around its fields at most: `_id` and metadata, without the row's key and the source's id, with an
/// export's id of 32 bytes.
const AROUND: usize = 270;

/// What a field has around its value and name, roughly.
const FIELD: usize = 7;

/// A row that is to become a document.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The document's `_id`.
    pub id: ObjectId,
    /// The row's key, as people know it.
    pub key: &'a str,
    /// The hash of its values.
    pub content: &'a [u8; 16],
    /// Its place in the unique index on the duplicate key, if it gets one.
    pub duplicate_key: Option<[u8; 16]>,
    /// Its values.
    pub values: &'a PackedRow,
}

/// Encodes the rows of one batch.
pub struct Encoder<'a> {
    shape: &'a Shape,
    provenance: &'a Provenance,
    limit: usize,
    /// Memory that was used for the row before.
    document: Vec<u8>,
    metadata: Vec<u8>,
}

impl<'a> Encoder<'a> {
    /// For rows of this shape, whose documents say where they came from, and have at most `limit` bytes.
    #[must_use]
    pub fn new(shape: &'a Shape, provenance: &'a Provenance, limit: usize) -> Self {
        Self { shape, provenance, limit, document: Vec::new(), metadata: Vec::new() }
    }

    /// Shows the row's document to `take`.
    ///
    /// # Errors
    /// It would be larger than the limit, or a value can't be converted.
    pub fn encode<T>(&mut self, row: Row<'_>, take: impl FnOnce(&RawDocument) -> T) -> Result<T, Refusal> {
        let values = row.values.unpack(self.shape.columns().len());
        let mut about = cleared(std::mem::take(&mut self.metadata));
        metadata(&mut about, self.provenance, row.key, row.content, row.duplicate_key.as_ref());
        let mut whole = cleared(std::mem::take(&mut self.document));
        let encoded = document(&mut whole, row.id, self.shape, &values, &about, self.limit);
        let taken = encoded.map(|()| take(&whole));
        (self.document, self.metadata) = (whole.into_bytes(), about.into_bytes());
        taken
    }
}

/// An empty document in this memory.
pub(super) fn cleared(mut memory: Vec<u8>) -> RawDocumentBuf {
    /// BSON: the length, and the end.
    const EMPTY: [u8; 5] = [5, 0, 0, 0, 0];
    memory.clear();
    memory.extend_from_slice(&EMPTY);
    RawDocumentBuf::from_bytes(memory).unwrap_or_default()
}

/// The bytes that the row's document will have at most, roughly, without encoding it. `source` is the id of where it comes
/// from.
#[must_use]
pub fn document_weight(shape: &Shape, values: &[ValueRef<'_>], key: &str, source: &str) -> usize {
    let fields = values.iter().enumerate().filter_map(|(column, value)| {
        shape.field(column).map(|name| FIELD + name.len() + shape.weight(column, *value))
    });
    let constants = shape.constants().map(|(name, weight)| FIELD + name.len() + weight);
    AROUND + source.len() + key.len() + fields.sum::<usize>() + constants.sum::<usize>()
}
