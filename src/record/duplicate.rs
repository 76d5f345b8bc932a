//! What makes two rows the same person.

use mongodb::bson::Bson;
use mongodb::bson::raw::{RawBsonRef, RawDocument};

use super::ValueRef;
use super::digest::Digest;
use super::document::bson;

/// The values of the duplicate key's columns, of which at least one is there. NULL, missing and the empty text
/// are the same: absent. Numbers are compared by value, as MongoDB compares them; texts byte by byte.
#[derive(Clone, Debug, PartialEq)]
pub struct DuplicateKey {
    /// The hash over names and values: what the unique index is on. The same on every host.
    pub hash: [u8; 16],
    /// The values, in the order of the columns, for the look-up of documents that other programs wrote.
    /// Absent ones are [`Bson::Null`].
    pub values: Vec<Bson>,
}

impl DuplicateKey {
    /// The key over pairs of column name and value; `None` if there are no columns or all values are absent.
    pub fn new<'a>(columns: impl Iterator<Item = (&'a str, ValueRef<'a>)>) -> Option<Self> {
        let mut digest = Digest::new("mongo-uplink duplicate key 1");
        let mut values = Vec::new();
        let mut any = false;
        for (name, value) in columns {
            let value = canonical(value);
            any |= value != ValueRef::Null;
            digest.text(name);
            digest.value(value);
            values.push(bson(value));
        }
        any.then(|| Self { hash: digest.finish(), values })
    }

    /// Bytes that the values take, roughly: what bounds a look-up.
    #[must_use]
    pub fn weight(&self) -> usize {
        let bytes = self.values.iter().map(|value| match value {
            Bson::String(text) => text.len(),
            Bson::Binary(binary) => binary.bytes.len(),
            _ => 0,
        });
        // A list's element has its number as a name.
        bytes.sum::<usize>() + 32 * self.values.len()
    }

    /// The key of a document that may have been written by another program; `None` if it has none, or if a value is of
    /// a type that no row has.
    #[must_use]
    pub fn of_document(columns: &[String], document: &RawDocument) -> Option<Self> {
        let mut values = Vec::with_capacity(columns.len());
        for column in columns {
            values.push(match document.get(column).ok()? {
                None | Some(RawBsonRef::Null | RawBsonRef::Undefined) => ValueRef::Null,
                Some(RawBsonRef::Int32(i)) => ValueRef::Integer(i.into()),
                Some(RawBsonRef::Int64(i)) => ValueRef::Integer(i),
                Some(RawBsonRef::Double(r)) => ValueRef::Real(r),
                Some(RawBsonRef::String(text)) => ValueRef::Text(text.as_bytes()),
                Some(RawBsonRef::Binary(binary)) => ValueRef::Blob(binary.bytes),
                Some(_) => return None,
            });
        }
        Self::new(columns.iter().map(String::as_str).zip(values))
    }
}

/// Whether the value counts as not there.
#[must_use]
pub fn absent(value: ValueRef<'_>) -> bool {
    matches!(value, ValueRef::Null | ValueRef::Text(b""))
}

/// One form for all values that are equal in MongoDB: whole numbers as integers, absent ones as NULL.
fn canonical(value: ValueRef<'_>) -> ValueRef<'_> {
    match value {
        value if absent(value) => ValueRef::Null,
        ValueRef::Real(real) if is_exact_integer(real) => {
            #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
            let whole = real as i64;
            ValueRef::Integer(whole)
        }
        // As it arrives in MongoDB.
        ValueRef::Text(bytes) if std::str::from_utf8(bytes).is_err() => ValueRef::Blob(bytes),
        value => value,
    }
}

/// Whether the number is whole and fits 64 bits: then it equals one integer exactly.
fn is_exact_integer(real: f64) -> bool {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    real.fract() == 0.0 && (-LIMIT..LIMIT).contains(&real)
}
