//! A row's values in one piece of memory, while it waits to be sent.
//!
//! What holds: what is unpacked is what was packed, value for value.

use super::ValueRef;

/// What a value begins with.
mod tag {
    pub(super) const NULL: u8 = 0;
    pub(super) const INTEGER: u8 = 1;
    pub(super) const REAL: u8 = 2;
    /// Then the length in eight bytes, or in one.
    pub(super) const TEXT: u8 = 3;
    pub(super) const SHORT_TEXT: u8 = 4;
    pub(super) const BLOB: u8 = 5;
    pub(super) const SHORT_BLOB: u8 = 6;
}

/// A row's values in one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackedRow(Box<[u8]>);

impl PackedRow {
    /// Copies the values.
    #[must_use]
    pub fn pack<'a>(values: impl Iterator<Item = ValueRef<'a>> + Clone) -> Self {
        // To the byte: memory that is given back afterwards would be moved.
        let length = values.clone().map(packed_length).sum();
        let mut bytes = Vec::with_capacity(length);
        for value in values {
            match value {
                ValueRef::Null => bytes.push(tag::NULL),
                ValueRef::Integer(i) => {
                    bytes.push(tag::INTEGER);
                    bytes.extend_from_slice(&i.to_be_bytes());
                }
                ValueRef::Real(r) => {
                    bytes.push(tag::REAL);
                    bytes.extend_from_slice(&r.to_bits().to_be_bytes());
                }
                ValueRef::Text(text) => pack_bytes(&mut bytes, (tag::SHORT_TEXT, tag::TEXT), text),
                ValueRef::Blob(blob) => pack_bytes(&mut bytes, (tag::SHORT_BLOB, tag::BLOB), blob),
            }
        }
        Self(bytes.into_boxed_slice())
    }

    /// The bytes that it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.0.len()
    }

    /// The values, in their order.
    #[must_use]
    pub fn values(&self) -> Values<'_> {
        Values(&self.0)
    }

    /// The values, of which there are so many.
    #[must_use]
    pub fn unpack(&self, columns: usize) -> Vec<ValueRef<'_>> {
        // Room for all of them at once: how many there are isn't packed.
        let mut values = Vec::with_capacity(columns);
        values.extend(self.values());
        values
    }
}

/// The bytes that a value takes.
fn packed_length(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Null => 1,
        ValueRef::Integer(_) | ValueRef::Real(_) => 9,
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            bytes.len() + if u8::try_from(bytes.len()).is_ok() { 2 } else { 9 }
        }
    }
}

fn pack_bytes(packed: &mut Vec<u8>, (short, long): (u8, u8), bytes: &[u8]) {
    match u8::try_from(bytes.len()) {
        Ok(length) => packed.extend_from_slice(&[short, length]),
        Err(_) => {
            packed.push(long);
            packed.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        }
    }
    packed.extend_from_slice(bytes);
}

/// The values of a [`PackedRow`].
#[derive(Clone, Debug)]
pub struct Values<'a>(&'a [u8]);

impl<'a> Iterator for Values<'a> {
    type Item = ValueRef<'a>;

    fn next(&mut self) -> Option<ValueRef<'a>> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(match *first {
            tag::NULL => ValueRef::Null,
            tag::INTEGER => ValueRef::Integer(i64::from_be_bytes(self.eight()?)),
            tag::REAL => ValueRef::Real(f64::from_bits(u64::from_be_bytes(self.eight()?))),
            tag::SHORT_TEXT => ValueRef::Text(self.short()?),
            tag::TEXT => ValueRef::Text(self.long()?),
            tag::SHORT_BLOB => ValueRef::Blob(self.short()?),
            tag::BLOB => ValueRef::Blob(self.long()?),
            // Nothing that was packed.
            _ => return None,
        })
    }
}

impl<'a> Values<'a> {
    fn eight(&mut self) -> Option<[u8; 8]> {
        let (eight, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*eight)
    }

    fn short(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first()?;
        self.0 = rest;
        self.cut((*length).into())
    }

    fn long(&mut self) -> Option<&'a [u8]> {
        let length = u64::from_be_bytes(self.eight()?);
        self.cut(usize::try_from(length).ok()?)
    }

    fn cut(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::Value;

    fn value() -> impl Strategy<Value = Value> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..300);
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Integer),
            any::<f64>().prop_map(Value::Real),
            bytes().prop_map(Value::Text),
            bytes().prop_map(Value::Blob),
        ]
    }

    proptest! {
        #[test]
        fn what_is_unpacked_is_what_was_packed(values in proptest::collection::vec(value(), 0..20)) {
            let packed = PackedRow::pack(values.iter().map(Value::as_ref));
            let length: usize = values.iter().map(|value| packed_length(value.as_ref())).sum();
            prop_assert_eq!(packed.weight(), length);
            let unpacked: Vec<Value> = packed.values().map(ValueRef::to_owned).collect();
            prop_assert_eq!(packed.unpack(values.len()).len(), values.len());
            // Compared as bits: of numbers that are none, every one is another.
            prop_assert_eq!(PackedRow::pack(unpacked.iter().map(Value::as_ref)), packed);
            prop_assert_eq!(format!("{unpacked:?}"), format!("{values:?}"));
        }
    }
}
