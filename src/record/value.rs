//! One value of a row, by SQLite's storage class, never by a column's declared type.

/// A value as it stands in SQLite's memory. Text is bytes: SQLite doesn't promise that it is UTF-8.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// `NULL`.
    Null,
    /// A 64-bit signed integer.
    Integer(i64),
    /// A 64-bit float.
    Real(f64),
    /// Text, UTF-8 or not.
    Text(&'a [u8]),
    /// Bytes.
    Blob(&'a [u8]),
}

/// The same, owned.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `NULL`.
    Null,
    /// A 64-bit signed integer.
    Integer(i64),
    /// A 64-bit float.
    Real(f64),
    /// Text, UTF-8 or not.
    Text(Vec<u8>),
    /// Bytes.
    Blob(Vec<u8>),
}

impl ValueRef<'_> {
    /// Copies the value.
    #[must_use]
    pub fn to_owned(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Integer(i) => Value::Integer(i),
            Self::Real(r) => Value::Real(r),
            Self::Text(t) => Value::Text(t.to_vec()),
            Self::Blob(b) => Value::Blob(b.to_vec()),
        }
    }

    /// Bytes that the value takes, roughly: what the bounds on memory count.
    #[must_use]
    pub fn weight(self) -> usize {
        match self {
            Self::Null => 1,
            Self::Integer(_) | Self::Real(_) => 8,
            Self::Text(bytes) | Self::Blob(bytes) => bytes.len(),
        }
    }
}

impl Value {
    /// Borrows the value.
    #[must_use]
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Integer(i) => ValueRef::Integer(*i),
            Self::Real(r) => ValueRef::Real(*r),
            Self::Text(t) => ValueRef::Text(t),
            Self::Blob(b) => ValueRef::Blob(b),
        }
    }
}

/// The whole number that the float is exactly, if it fits 64 bits.
pub(super) fn exact_integer(real: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
    (real.fract() == 0.0 && (-LIMIT..LIMIT).contains(&real)).then_some(real as i64)
}

/// Where a row stands in its table: what a scan goes by and what the ledger is keyed by. It may move (a `VACUUM`
/// moves implicit rowids) and may be used again; it is never a row's identity.
#[derive(Clone, Debug, PartialEq)]
pub enum Position {
    /// The rowid.
    Rowid(i64),
    /// The primary key of a `WITHOUT ROWID` table, column by column.
    Key(Vec<Value>),
}

impl Position {
    /// The position as one value for the ledger: the rowid itself, or the key's columns, each with a tag and its
    /// length, so that different keys never give the same bytes.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Self::Rowid(rowid) => Value::Integer(*rowid),
            Self::Key(values) => {
                let mut bytes = Vec::new();
                for value in values {
                    super::digest::encode(value.as_ref(), &mut |part| bytes.extend_from_slice(part));
                }
                Value::Blob(bytes)
            }
        }
    }
}
