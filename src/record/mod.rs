//! A row and what it becomes: pure functions, the same on every host and in every release.
//!
//! What holds:
//! - the same row gives the same `_id`, content hash and duplicate key, for ever: test vectors freeze them;
//! - a value keeps its SQLite storage class on its way into BSON, and no byte is lost;
//! - nothing here reads a clock, a file or the network.

mod digest;
mod document;
mod duplicate;
mod identity;
mod moment;
mod shape;
mod sql;
mod value;

pub use document::{
    EXPORT_VERSION, Provenance, bson, columns, document, metadata, original_id, shown, without_duplicate_key,
};
pub use duplicate::{DuplicateKey, absent};
pub use identity::{Fingerprinter, host_id};
pub use moment::{created_seconds, is_older};
pub use shape::{Identity, KeyKind, Shape, UnusableColumn};
pub use value::{Position, Value, ValueRef};

#[cfg(test)]
mod tests;
