//! What makes two rows the same person.

use mongodb::bson::DateTime;
use mongodb::bson::cstr;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::{RawBsonRef, RawDocument, RawDocumentBuf};

use super::conversion::convert;
use super::digest::Digest;
use super::document::raw;
use super::encoder::cleared;
use super::mapping::Field;
use super::value::exact_integer;
use super::{Shape, ValueRef};

/// The values of the duplicate key's columns, of which at least one is there, as they stand in a document, under the
/// names that they have there. NULL, missing and the empty text are the same: absent. Numbers are compared by value, as
/// MongoDB compares them; texts byte by byte.
#[derive(Clone, Debug, PartialEq)]
pub struct DuplicateKey {
    /// The hash over names and values: what the unique index is on. The same on every host.
    pub hash: [u8; 16],
    /// The values, in the order of the key's fields, for the look-up of documents that other programs wrote.
    /// Absent ones are null.
    pub values: KeyValues,
}

/// The values of a duplicate key as MongoDB is asked for them. In one piece of memory, made at once: thousands wait for their
/// look-up at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyValues(
    /// The values alone: no element has a name.
    RawDocumentBuf,
);

impl KeyValues {
    /// None yet, and room for so many of so many bytes together.
    fn with_room(count: usize, bytes: usize) -> Self {
        /// A document's length and end; of each element its type, the end of its name, and what its value has around it.
        const AROUND: usize = 5;
        const AROUND_EACH: usize = 8;
        Self(cleared(Vec::with_capacity(AROUND + count * AROUND_EACH + bytes)))
    }

    fn push(&mut self, value: RawBsonRef<'_>) {
        self.0.append(cstr!(""), value);
    }

    /// The values, in their order.
    pub fn iter(&self) -> impl Iterator<Item = RawBsonRef<'_>> {
        // Each can be read: it was encoded here.
        self.0.iter().map_while(Result::ok).map(|(_, value)| value)
    }

    /// The value of the key's field at this place.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<RawBsonRef<'_>> {
        self.iter().nth(place)
    }
}

/// A value as it is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Part<'a> {
    /// One that SQLite has, too.
    Plain(ValueRef<'a>),
    Flag(bool),
    Date(DateTime),
    Id(ObjectId),
}

impl<'a> Part<'a> {
    /// What stands in a document; `None` for a type that no duplicate key has.
    pub(super) fn of(value: RawBsonRef<'a>) -> Option<Self> {
        Some(match value {
            RawBsonRef::Null | RawBsonRef::Undefined => Self::Plain(ValueRef::Null),
            RawBsonRef::Int32(i) => Self::Plain(ValueRef::Integer(i.into())),
            RawBsonRef::Int64(i) => Self::Plain(ValueRef::Integer(i)),
            RawBsonRef::Double(r) => Self::Plain(ValueRef::Real(r)),
            RawBsonRef::String(text) => Self::Plain(ValueRef::Text(text.as_bytes())),
            RawBsonRef::Binary(binary) => Self::Plain(ValueRef::Blob(binary.bytes)),
            RawBsonRef::Boolean(flag) => Self::Flag(flag),
            RawBsonRef::DateTime(date) => Self::Date(date),
            RawBsonRef::ObjectId(id) => Self::Id(id),
            _ => return None,
        })
    }

    fn canonical(self) -> Self {
        if let Self::Plain(value) = self { Self::Plain(canonical(value)) } else { self }
    }

    pub(super) fn feed(self, digest: &mut Digest) {
        match self {
            Self::Plain(value) => digest.value(value),
            Self::Flag(flag) => digest.other(b'f', &[u8::from(flag)]),
            Self::Date(date) => digest.other(b'd', &date.timestamp_millis().to_be_bytes()),
            Self::Id(id) => digest.other(b'o', &id.bytes()),
        }
    }

    /// As it stands in a document.
    fn raw(self) -> RawBsonRef<'a> {
        match self {
            Self::Plain(value) => raw(value),
            Self::Flag(flag) => RawBsonRef::Boolean(flag),
            Self::Date(date) => RawBsonRef::DateTime(date),
            Self::Id(id) => RawBsonRef::ObjectId(id),
        }
    }
}

impl DuplicateKey {
    /// The key over pairs of name and value; `None` if there are no columns or all values are absent.
    pub fn new<'a>(columns: impl Iterator<Item = (&'a str, ValueRef<'a>)>) -> Option<Self> {
        Self::of_parts(columns.map(|(name, value)| (name, Part::Plain(value))))
    }

    fn of_parts<'a>(fields: impl Iterator<Item = (&'a str, Part<'a>)>) -> Option<Self> {
        let (mut hash, mut values) = (KeyHash::new(), KeyValues::with_room(0, 0));
        for (name, value) in fields {
            values.push(hash.feed(name, value).raw());
        }
        hash.finish().map(|hash| Self { hash, values })
    }

    /// Bytes that the values take in a look-up, roughly.
    #[must_use]
    pub fn weight(&self) -> usize {
        /// A list's element has its number as a name.
        const NUMBERS: usize = 40;
        self.values.0.as_bytes().len() + NUMBERS
    }

    /// Bytes that the first value takes in a look-up at least: the others may not be asked for.
    #[must_use]
    pub fn least(&self) -> usize {
        /// Type and name in a list.
        const AROUND: usize = 3;
        AROUND
            + match self.values.get(0) {
                Some(RawBsonRef::String(text)) => text.len() + 5,
                Some(RawBsonRef::Binary(binary)) => binary.bytes.len() + 5,
                _ => 0,
            }
    }

    /// The key of a document that may have been written by another program; `None` if it has none, or if a value is of
    /// a type that no row has.
    #[must_use]
    pub fn of_document(fields: &[String], document: &RawDocument) -> Option<Self> {
        let mut values = Vec::with_capacity(fields.len());
        for field in fields {
            values.push(Part::of(document.get(field).ok()?.unwrap_or(RawBsonRef::Null))?);
        }
        Self::of_parts(fields.iter().map(String::as_str).zip(values))
    }
}

/// The hash of a duplicate key, field by field.
struct KeyHash {
    digest: Digest,
    /// Whether one of its values is there.
    any: bool,
}

impl KeyHash {
    fn new() -> Self {
        Self { digest: Digest::new("mongo-uplink duplicate key 1"), any: false }
    }

    /// Answers the value as it is compared.
    fn feed<'a>(&mut self, name: &str, value: Part<'a>) -> Part<'a> {
        let value = value.canonical();
        self.any |= value != Part::Plain(ValueRef::Null);
        self.digest.text(name);
        value.feed(&mut self.digest);
        value
    }

    /// `None` if all values are absent.
    fn finish(self) -> Option<[u8; 16]> {
        self.any.then(|| self.digest.finish())
    }
}

impl Shape {
    /// The row's duplicate key, as its document has it; `None` if the table has none, or all of its columns are NULL or
    /// empty. A row of which a part can't be converted has none: it isn't sent.
    #[must_use]
    pub fn duplicate_key(&self, values: &[ValueRef<'_>]) -> Option<DuplicateKey> {
        let hash = self.duplicate_hash(values)?;
        Some(DuplicateKey { hash, values: self.duplicate_values(values)? })
    }

    /// The hash of the row's duplicate key, if it has one.
    #[must_use]
    pub fn duplicate_hash(&self, values: &[ValueRef<'_>]) -> Option<[u8; 16]> {
        let mut hash = KeyHash::new();
        self.each_of_key(values, |name, part| {
            hash.feed(name, part);
        })?;
        hash.finish()
    }

    /// The values of the row's duplicate key, if it has one.
    #[must_use]
    pub fn duplicate_values(&self, values: &[ValueRef<'_>]) -> Option<KeyValues> {
        let bytes = self.duplicate.iter().map(|&column| values[column].weight()).sum();
        let mut found = KeyValues::with_room(self.duplicate.len(), bytes);
        self.each_of_key(values, |_, part| found.push(part.canonical().raw()))?;
        Some(found)
    }

    /// Shows the fields of the duplicate key; `None` if one of them can't be converted.
    fn each_of_key(&self, values: &[ValueRef<'_>], mut show: impl FnMut(&str, Part<'_>)) -> Option<()> {
        for &column in &self.duplicate {
            let Field { name, to } = self.plan.fields[column].as_ref()?;
            match to {
                None => show(name.as_str(), Part::Plain(values[column])),
                Some(to) => {
                    let converted = convert(values[column], *to, usize::MAX).ok()?;
                    show(name.as_str(), Part::of(converted.as_raw_bson_ref())?);
                }
            }
        }
        Some(())
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
        ValueRef::Real(real) => exact_integer(real).map_or(value, ValueRef::Integer),
        // As it arrives in MongoDB.
        ValueRef::Text(bytes) if std::str::from_utf8(bytes).is_err() => ValueRef::Blob(bytes),
        value => value,
    }
}
