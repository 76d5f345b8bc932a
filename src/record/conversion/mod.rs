//! Values as other types than SQLite stores them with, where the configuration asks for it.
//!
//! What holds:
//! - a conversion loses nothing but a time's part below a millisecond: what doesn't fit is told, never rounded, cut or
//!   guessed at;
//! - NULL stays Null, whatever the type;
//! - no reason quotes the value.

mod json;
mod number;
mod time;

use mongodb::bson::RawBson;
use mongodb::bson::oid::ObjectId;

use super::ValueRef;

/// What a column's values become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A time to the millisecond.
    Date,
    /// True or false.
    Bool,
    /// A whole number: Int32 if it fits, else Int64.
    Int,
    /// A 64-bit float.
    Double,
    /// A decimal number, digit by digit.
    Decimal,
    /// What a JSON text says: an embedded document, an array, or a single value.
    Json,
    /// An ObjectId.
    ObjectId,
}

/// Each type and its name in the configuration.
const TYPES: [(&str, Type); 7] = [
    ("date", Type::Date),
    ("bool", Type::Bool),
    ("int", Type::Int),
    ("double", Type::Double),
    ("decimal", Type::Decimal),
    ("json", Type::Json),
    ("objectid", Type::ObjectId),
];

impl Type {
    /// The names of all types.
    pub const NAMES: &[&str] = &["date", "bool", "int", "double", "decimal", "json", "objectid"];

    /// The type of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TYPES.iter().find(|(own, _)| *own == name).map(|(_, found)| *found)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        TYPES.iter().find(|(_, own)| *own == self).map_or("", |(name, _)| name)
    }
}

/// Why a value can't be converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// It isn't one; what it is.
    Unlike(&'static str),
    /// It takes more room than a document has.
    TooLarge,
}

/// Converts a value, which may take about `room` bytes then.
pub(super) fn convert(value: ValueRef<'_>, to: Type, room: usize) -> Result<RawBson, Obstacle> {
    if value == ValueRef::Null {
        return Ok(RawBson::Null);
    }
    match to {
        Type::Date => time::date(value).map(RawBson::DateTime),
        Type::Bool => boolean(value).map(RawBson::Boolean),
        Type::Int => number::int(value).map(whole),
        Type::Double => number::double(value).map(RawBson::Double),
        Type::Decimal => number::decimal(value).map(RawBson::Decimal128),
        Type::Json => return json::embed(value, room),
        Type::ObjectId => object_id(value).map(RawBson::ObjectId),
    }
    .ok_or_else(|| Obstacle::Unlike(nature(value)))
}

/// The bytes that [`convert`] makes of a value at most, found out without converting it.
pub(super) fn most_bytes(value: ValueRef<'_>, to: Type) -> usize {
    match (value, to) {
        (ValueRef::Null, _) => value.weight(),
        (ValueRef::Text(text), Type::Json) => json::most_bytes(text),
        (_, Type::Json | Type::Date | Type::Int | Type::Double) => 8,
        (_, Type::Bool) => 1,
        (_, Type::Decimal) => 16,
        (_, Type::ObjectId) => 12,
    }
}

/// What a value is that can't be converted.
fn nature(value: ValueRef<'_>) -> &'static str {
    match value {
        ValueRef::Null => "NULL",
        ValueRef::Integer(_) => "an integer that isn't one",
        ValueRef::Real(_) => "a real number that isn't one",
        ValueRef::Text(b"") => "an empty text",
        ValueRef::Text(_) => "a text that isn't one",
        ValueRef::Blob(_) => "a blob that isn't one",
    }
}

/// The form of a whole number in a document.
fn whole(number: i64) -> RawBson {
    i32::try_from(number).map_or(RawBson::Int64(number), RawBson::Int32)
}

/// A text's characters, if that is what it is.
fn text(value: ValueRef<'_>) -> Option<&str> {
    if let ValueRef::Text(bytes) = value { std::str::from_utf8(bytes).ok() } else { None }
}

/// 0 and 1, and the words that programs write for them.
fn boolean(value: ValueRef<'_>) -> Option<bool> {
    match value {
        ValueRef::Integer(0) | ValueRef::Real(0.0) => Some(false),
        ValueRef::Integer(1) | ValueRef::Real(1.0) => Some(true),
        _ => match text(value)?.to_ascii_lowercase().as_str() {
            "0" | "f" | "false" | "n" | "no" | "off" => Some(false),
            "1" | "t" | "true" | "y" | "yes" | "on" => Some(true),
            _ => None,
        },
    }
}

/// 24 hexadecimal digits, or the 12 bytes themselves.
fn object_id(value: ValueRef<'_>) -> Option<ObjectId> {
    match value {
        ValueRef::Blob(bytes) => bytes.try_into().ok().map(ObjectId::from_bytes),
        _ => ObjectId::parse_str(text(value)?).ok(),
    }
}

#[cfg(test)]
mod tests;
