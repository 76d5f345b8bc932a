//! JSON texts as what they say.
//!
//! What holds: an object's names stay in their order and each is there once; numbers without point and exponent that fit
//! 64 bits are whole numbers, all others floats, as in JavaScript; nothing is read into a name or a text, so that
//! `{"$date": ...}` stays an object with that name. How deep and how large it gets is bounded while it is read.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use mongodb::bson::RawBson;
use mongodb::bson::raw::{CString, RawArrayBuf, RawDocumentBuf};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Obstacle, text, whole};
use crate::record::ValueRef;

/// How deep arrays and objects may stand in each other. MongoDB takes 180 levels of a document, and not all of its tools do.
const LEVELS: usize = 100;

/// What an element of a document takes beside its name and its value: its type and the name's end.
const ELEMENT_BYTES: usize = 2;

/// What an empty text, array or object takes.
const EMPTY_BYTES: usize = 5;

/// What a JSON text takes at most: a list of small numbers is the worst, of which two characters make 13 bytes, as each
/// element bears its place in digits.
pub(super) fn most_bytes(text: &[u8]) -> usize {
    const AT_WORST: usize = 7;
    /// The digits of a place in a list, in a document of 16 MiB at most.
    const PLACE: usize = 7;
    /// What a value takes more than its characters: a number with an exponent, of which three make eight bytes.
    const VALUE: usize = 5;
    // There are no more elements than what stands before them. In a text these are counted, too.
    let elements = text.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count();
    let counted = elements.saturating_mul(ELEMENT_BYTES + PLACE + VALUE);
    text.len().saturating_mul(AT_WORST).min(text.len().saturating_add(VALUE).saturating_add(counted))
}

pub(super) fn embed(value: ValueRef<'_>, room: usize) -> Result<RawBson, Obstacle> {
    let text = match value {
        // A column that is declared JSON makes numbers of texts that are one.
        ValueRef::Integer(number) => return Ok(whole(number)),
        ValueRef::Real(real) if real.is_finite() => return Ok(RawBson::Double(real)),
        _ => text(value).ok_or(Obstacle::Unlike(super::nature(value)))?,
    };
    let reading = Reading { room: Cell::new(room), obstacle: Cell::new(None) };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = Value { reading: &reading, levels: LEVELS }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    read.map_err(|_| reading.obstacle.get().unwrap_or(Obstacle::Unlike(super::nature(value))))
}

/// What is left of the room, and what was in the way.
struct Reading {
    room: Cell<usize>,
    obstacle: Cell<Option<Obstacle>>,
}

impl Reading {
    fn take<E: Error>(&self, bytes: usize) -> Result<(), E> {
        match self.room.get().checked_sub(bytes) {
            Some(left) => {
                self.room.set(left);
                Ok(())
            }
            None => Err(self.refuse(Obstacle::TooLarge)),
        }
    }

    fn refuse<E: Error>(&self, obstacle: Obstacle) -> E {
        self.obstacle.set(Some(obstacle));
        E::custom("refused")
    }
}

/// A value that is to be read.
#[derive(Clone, Copy)]
struct Value<'a> {
    reading: &'a Reading,
    /// How many arrays and objects may stand in each other from here on.
    levels: usize,
}

impl Value<'_> {
    fn inner<E: Error>(self) -> Result<Self, E> {
        match self.levels.checked_sub(1) {
            Some(levels) => Ok(Self { levels, ..self }),
            None => Err(self.reading.refuse(Obstacle::Unlike("JSON of more than 100 levels"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = RawBson;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawBson, D::Error> {
        self.reading.take(ELEMENT_BYTES)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = RawBson;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<RawBson, E> {
        Ok(RawBson::Null)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<RawBson, E> {
        self.reading.take(1)?;
        Ok(RawBson::Boolean(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<RawBson, E> {
        self.reading.take(4)?;
        Ok(whole(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<RawBson, E> {
        self.reading.take(4)?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "a number beyond 63 bits is a float, as in JavaScript"
        )]
        Ok(i64::try_from(number).map_or(RawBson::Double(number as f64), whole))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<RawBson, E> {
        self.reading.take(8)?;
        Ok(RawBson::Double(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RawBson, E> {
        self.reading.take(EMPTY_BYTES + text.len())?;
        Ok(RawBson::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<RawBson, A::Error> {
        self.reading.take(EMPTY_BYTES)?;
        let inner = self.inner()?;
        let mut array = RawArrayBuf::new();
        while let Some(item) = items.next_element_seed(inner)? {
            array.push(item);
        }
        Ok(RawBson::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<RawBson, A::Error> {
        self.reading.take(EMPTY_BYTES)?;
        let inner = self.inner()?;
        let mut document = RawDocumentBuf::new();
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            self.reading.take(name.len())?;
            let key = CString::try_from(name.as_str())
                .map_err(|_| self.reading.refuse(Obstacle::Unlike("JSON with a NUL in a name")))?;
            if !names.insert(name) {
                return Err(self.reading.refuse(Obstacle::Unlike("JSON with one name twice in an object")));
            }
            document.append(key, members.next_value_seed(inner)?);
        }
        Ok(RawBson::Document(document))
    }
}
