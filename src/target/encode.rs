//! Commands with many documents: how many go into one, and how they are put there.

use std::ops::Range;

use mongodb::bson::raw::{CStr, RawDocument, RawDocumentBuf};

use crate::report::{Failure, Reason};

/// Cuts a list so that each part fits into a command of so many bytes; a part of one item may be larger.
pub fn chunks<T>(items: &[T], limit: usize, bytes: impl Fn(&T) -> usize) -> Vec<Range<usize>> {
    let (mut parts, mut start, mut sum) = (Vec::new(), 0, 0);
    for (at, item) in items.iter().enumerate() {
        let size = bytes(item);
        if at > start && sum + size > limit {
            parts.push(start..at);
            (start, sum) = (at, 0);
        }
        sum += size;
    }
    if start < items.len() {
        parts.push(start..items.len());
    }
    parts
}

/// Documents in one piece of memory.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    bytes: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl Documents {
    /// Room for so many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ends: Vec::new() }
    }

    /// Adds a copy.
    pub fn push(&mut self, document: &RawDocument) {
        self.bytes.extend_from_slice(document.as_bytes());
        self.ends.push(self.bytes.len());
    }

    /// The bytes of all of them.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Each of them, in their order.
    ///
    /// # Errors
    /// None that can happen: they were documents before.
    pub fn slices(&self) -> Result<Vec<&RawDocument>, Failure> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let slices =
            starts.zip(&self.ends).map(|(start, end)| RawDocument::from_bytes(&self.bytes[start..*end]));
        let slices: Result<_, _> = slices.collect();
        slices.map_err(|_| Failure::new(Reason::Server, "a document can't be read back"))
    }
}

/// The command with these documents as its last element. They are copied once: a batch may have megabytes.
pub(super) fn with_array(
    command: RawDocumentBuf,
    name: &CStr,
    documents: &[&RawDocument],
) -> Option<RawDocumentBuf> {
    /// The type of an element.
    const DOCUMENT: u8 = 3;
    const ARRAY: u8 = 4;
    /// Around the array: type and end of name, its length and end, the command's end. Around each document: type, number
    /// and end of name.
    const AROUND: usize = 8;
    const EACH: usize = 10;
    let bytes: usize = documents.iter().map(|document| document.as_bytes().len() + EACH).sum();
    let mut encoded = command.into_bytes();
    encoded.reserve_exact(bytes + name.as_str().len() + AROUND);
    // Its end comes later.
    encoded.pop();
    encoded.push(ARRAY);
    encoded.extend_from_slice(name.as_str().as_bytes());
    encoded.push(0);
    let array = encoded.len();
    encoded.extend_from_slice(&[0; 4]);
    for (number, document) in documents.iter().enumerate() {
        encoded.push(DOCUMENT);
        encoded.extend_from_slice(number.to_string().as_bytes());
        encoded.push(0);
        encoded.extend_from_slice(document.as_bytes());
    }
    encoded.push(0);
    let length = i32::try_from(encoded.len() - array).ok()?;
    encoded[array..array + 4].copy_from_slice(&length.to_le_bytes());
    encoded.push(0);
    let length = i32::try_from(encoded.len()).ok()?;
    encoded[..4].copy_from_slice(&length.to_le_bytes());
    RawDocumentBuf::from_bytes(encoded).ok()
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{Document, cstr, doc};

    use super::*;

    #[test]
    fn a_command_is_encoded_as_the_library_would() {
        let rows: Vec<_> =
            (0..12).map(|i| RawDocumentBuf::try_from(&doc! { "_id": i, "a": "b" }).unwrap()).collect();
        let rows: Vec<&RawDocument> = rows.iter().map(AsRef::as_ref).collect();
        let head = RawDocumentBuf::try_from(&doc! { "insert": "c", "ordered": false }).unwrap();
        for rows in [&rows[..], &rows[..1], &[]] {
            let encoded = with_array(head.clone(), cstr!("documents"), rows).unwrap();
            let list: Vec<Document> = rows.iter().map(|row| Document::try_from(*row).unwrap()).collect();
            let expected = doc! { "insert": "c", "ordered": false, "documents": list };
            assert_eq!(encoded, RawDocumentBuf::try_from(&expected).unwrap());
        }
    }
}
