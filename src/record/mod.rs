//! A row and what it becomes: pure functions, the same on every host and in every release.
//!
//! What holds:
//! - the same row gives the same `_id`, content hash and duplicate key, for ever: test vectors freeze them;
//! - a value keeps its SQLite storage class on its way into BSON, and no byte is lost; where the configuration names
//!   another type, a value that can't become it is told and never altered;
//! - what is configured about columns changes no `_id`;
//! - nothing here reads a clock, a file or the network.

mod conversion;
mod digest;
mod document;
mod duplicate;
mod encoder;
mod identity;
mod mapping;
mod moment;
mod packed;
mod shape;
mod sql;
mod value;
mod written;

pub use conversion::Type;
pub use document::{
    EXPORT_VERSION, Provenance, Refusal, bson, document, fields, metadata, original_id, packed, shown,
};
pub use duplicate::{DuplicateKey, KeyValues, absent};
pub use encoder::{Encoder, Row, document_weight};
pub use identity::{Fingerprinter, host_id};
pub use mapping::{Mapping, RESERVED, UnusableColumn};
pub use moment::{created_seconds, is_older};
pub use packed::PackedRow;
pub use shape::{Identity, KeyKind, Shape};
pub use value::{Position, Value, ValueRef};
pub use written::{field_bytes, inserted_content, is_as_inserted};

#[cfg(test)]
mod mapped_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod weight_tests;
