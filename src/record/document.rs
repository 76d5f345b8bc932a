//! The exported document: every column under its own name with its own storage class, unless the mapping says otherwise,
//! and where it came from.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::{RawBinaryRef, RawBsonRef, RawDocumentBuf};
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, cstr};

use super::conversion::{Obstacle, Type, convert};
use super::mapping::Field;
use super::{PackedRow, Position, Shape, ValueRef};

/// The version of the document's form.
pub const EXPORT_VERSION: &str = "1.0";

/// Where a document came from: what `export_metadata` holds beside the row's own key.
#[derive(Clone, Debug)]
pub struct Provenance {
    /// The export that wrote it.
    pub export_id: String,
    /// Host, database and table.
    pub source: String,
    /// When the export wrote it, RFC 3339.
    pub exported_at: String,
}

/// Why a row has no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The document would be larger than MongoDB takes.
    #[error("it is larger than MongoDB's limit of 16 MiB")]
    TooLarge,
    /// A value isn't what the configuration makes of its column. Quotes nothing of it.
    #[error("column {column:?} can't be converted to {to}: it holds {what}")]
    Unlike {
        /// The column.
        column: String,
        /// The name of the type that it was to become.
        to: &'static str,
        /// What it holds instead.
        what: &'static str,
    },
}

impl Refusal {
    /// MongoDB's own code for such an error.
    #[must_use]
    pub fn code(&self) -> i32 {
        match self {
            // BSONObjectTooLarge.
            Self::TooLarge => 10_334,
            // ConversionFailure.
            Self::Unlike { .. } => 241,
        }
    }
}

/// Puts the whole document, of at most `limit` bytes, into an empty one.
///
/// # Errors
/// It is larger, or a value can't be converted.
pub fn document(
    document: &mut RawDocumentBuf,
    id: ObjectId,
    shape: &Shape,
    values: &[ValueRef<'_>],
    metadata: &RawDocumentBuf,
    limit: usize,
) -> Result<(), Refusal> {
    document.append(cstr!("_id"), id);
    append_fields(document, shape, values, limit)?;
    document.append(cstr!("export_metadata"), metadata);
    if document.as_bytes().len() > limit { Err(Refusal::TooLarge) } else { Ok(()) }
}

/// What of the row arrives, to be encoded later; the rest is left out as NULL.
///
/// # Errors
/// The document would be larger than `limit`: found out before anything is copied.
pub fn packed(shape: &Shape, values: &[ValueRef<'_>], limit: usize) -> Result<PackedRow, Refusal> {
    let arriving = values.iter().zip(&shape.plan.fields);
    let arriving = arriving.map(|(value, field)| field.as_ref().map_or(ValueRef::Null, |_| *value));
    if arriving.clone().map(ValueRef::weight).sum::<usize>() > limit {
        return Err(Refusal::TooLarge);
    }
    Ok(PackedRow::pack(arriving))
}

/// The row's fields alone, as they stand in its document between `_id` and metadata.
///
/// # Errors
/// As [`document`].
pub fn fields(shape: &Shape, values: &[ValueRef<'_>], limit: usize) -> Result<RawDocumentBuf, Refusal> {
    let mut document = RawDocumentBuf::new();
    append_fields(&mut document, shape, values, limit)?;
    Ok(document)
}

fn append_fields(
    document: &mut RawDocumentBuf,
    shape: &Shape,
    values: &[ValueRef<'_>],
    limit: usize,
) -> Result<(), Refusal> {
    for (place, (value, field)) in values.iter().zip(&shape.plan.fields).enumerate() {
        match field {
            None => {}
            Some(Field { name, to: None }) => document.append(name, raw(*value)),
            Some(Field { name, to: Some(to) }) => {
                let room = limit.saturating_sub(document.as_bytes().len());
                let value =
                    convert(*value, *to, room).map_err(|obstacle| refusal(shape, place, *to, obstacle))?;
                document.append(name, value);
            }
        }
    }
    for (name, value) in &shape.plan.constants {
        document.append(name, value.as_raw_bson_ref());
    }
    Ok(())
}

fn refusal(shape: &Shape, column: usize, to: Type, obstacle: Obstacle) -> Refusal {
    match obstacle {
        Obstacle::TooLarge => Refusal::TooLarge,
        Obstacle::Unlike(what) => {
            Refusal::Unlike { column: shape.name(column).to_owned(), to: to.name(), what }
        }
    }
}

/// Puts the document's `export_metadata` into an empty one.
pub fn metadata(
    metadata: &mut RawDocumentBuf,
    provenance: &Provenance,
    original_id: &str,
    content: &[u8; 16],
    duplicate_key: Option<&[u8; 16]>,
) {
    metadata.append(cstr!("exported_at"), provenance.exported_at.as_str());
    metadata.append(cstr!("original_sqlite_id"), original_id);
    metadata.append(cstr!("export_version"), EXPORT_VERSION);
    metadata.append(cstr!("export_id"), provenance.export_id.as_str());
    metadata.append(cstr!("source"), provenance.source.as_str());
    metadata.append(cstr!("content"), generic(content));
    if let Some(key) = duplicate_key {
        metadata.append(cstr!("duplicate_key"), generic(key));
    }
}

/// The row's key as people know it: the primary key's value, the rowid if there is none, a JSON list if the key has
/// several columns. Bytes that aren't text are shown in hexadecimal.
#[must_use]
pub fn original_id(shape: &Shape, position: &Position, values: &[ValueRef<'_>]) -> String {
    match (shape.key.as_slice(), position) {
        ([], Position::Rowid(rowid)) => rowid.to_string(),
        ([column], _) => match values[*column] {
            ValueRef::Integer(key) => key.to_string(),
            other => match shown(other) {
                serde_json::Value::String(text) => text,
                shown => shown.to_string(),
            },
        },
        (columns, _) => {
            columns.iter().map(|&column| shown(values[column])).collect::<serde_json::Value>().to_string()
        }
    }
}

/// A value as JSON shows it; bytes that aren't text in hexadecimal.
#[must_use]
pub fn shown(value: ValueRef<'_>) -> serde_json::Value {
    match value {
        ValueRef::Null => serde_json::Value::Null,
        ValueRef::Integer(i) => i.into(),
        ValueRef::Real(r) => serde_json::Number::from_f64(r).map_or_else(|| r.to_string().into(), Into::into),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).map_or_else(|_| hex(bytes).into(), Into::into),
        ValueRef::Blob(bytes) => hex(bytes).into(),
    }
}

/// The value as BSON, by its storage class: an integer as Int32 if it fits, text that isn't UTF-8 as Binary.
#[must_use]
pub fn bson(value: ValueRef<'_>) -> Bson {
    match value {
        ValueRef::Null => Bson::Null,
        ValueRef::Integer(i) => i32::try_from(i).map_or(Bson::Int64(i), Bson::Int32),
        ValueRef::Real(r) => Bson::Double(r),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Bson::String(text.to_owned()),
            Err(_) => Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() }),
        },
        ValueRef::Blob(bytes) => {
            Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() })
        }
    }
}

/// A value as it stands in a document.
pub(super) fn raw(value: ValueRef<'_>) -> RawBsonRef<'_> {
    match value {
        ValueRef::Null => RawBsonRef::Null,
        ValueRef::Integer(i) => i32::try_from(i).map_or(RawBsonRef::Int64(i), RawBsonRef::Int32),
        ValueRef::Real(r) => RawBsonRef::Double(r),
        ValueRef::Text(bytes) => {
            std::str::from_utf8(bytes).map_or_else(|_| RawBsonRef::Binary(generic(bytes)), RawBsonRef::String)
        }
        ValueRef::Blob(bytes) => RawBsonRef::Binary(generic(bytes)),
    }
}

fn generic(bytes: &[u8]) -> RawBinaryRef<'_> {
    RawBinaryRef { subtype: BinarySubtype::Generic, bytes }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
