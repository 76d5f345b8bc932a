//! Commands with many documents: how many go into one, and how they are put there.

use std::io::Write as _;
use std::ops::Range;

use mongodb::bson::cstr;
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

/// The types of an element.
const DOCUMENT: u8 = 3;
const ARRAY: u8 = 4;

/// Around a document in an array: type, number and end of name.
const AROUND_EACH: usize = 10;

/// Around the array: the command's own fields, without the collection's name.
const AROUND_ALL: usize = 256;

/// Documents in one piece of memory: that of the command which inserts them, so that it is sent without another copy. Updates
/// are made of them, too.
#[derive(Debug)]
pub struct Documents {
    /// The command as far as it goes: its array isn't ended.
    command: Vec<u8>,
    /// Where the array begins.
    array: usize,
    /// Where each of them stands.
    places: Vec<Range<usize>>,
    /// Of all of them.
    bytes: usize,
}

impl Documents {
    /// None yet, and room for so many of so many bytes together.
    pub(super) fn with_capacity(collection: &str, count: usize, bytes: usize) -> Self {
        let mut head = RawDocumentBuf::new();
        head.append(cstr!("insert"), collection);
        let mut command = head.into_bytes();
        command.reserve_exact(bytes + count * AROUND_EACH + AROUND_ALL);
        let array = begin_array(&mut command, cstr!("documents"));
        Self { command, array, places: Vec::with_capacity(count), bytes: 0 }
    }

    /// Adds a copy.
    pub fn push(&mut self, document: &RawDocument) {
        let start = push_document(&mut self.command, self.places.len(), document);
        self.places.push(start..self.command.len());
        self.bytes += document.as_bytes().len();
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The bytes of all of them.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Each of them, in their order.
    ///
    /// # Errors
    /// None that can happen: they were documents before.
    pub fn slices(&self) -> Result<Vec<&RawDocument>, Failure> {
        let slices = self.places.iter().map(|place| RawDocument::from_bytes(&self.command[place.clone()]));
        let slices: Result<_, _> = slices.collect();
        slices.map_err(|_| Failure::new(Reason::Server, "a document can't be read back"))
    }

    /// The command that inserts them, to which fields may be added.
    pub(super) fn into_command(mut self) -> Option<RawDocumentBuf> {
        end_array(&mut self.command, self.array)?;
        RawDocumentBuf::from_bytes(self.command).ok()
    }
}

/// Begins an array as a document's last element; answers where.
fn begin_array(document: &mut Vec<u8>, name: &CStr) -> usize {
    // Its end comes later.
    document.pop();
    document.push(ARRAY);
    document.extend_from_slice(name.as_str().as_bytes());
    document.push(0);
    let array = document.len();
    document.extend_from_slice(&[0; 4]);
    array
}

/// Adds an element to the array; answers where the document in it begins.
fn push_document(command: &mut Vec<u8>, number: usize, document: &RawDocument) -> usize {
    command.push(DOCUMENT);
    // A vector takes whatever is written.
    let _infallible = write!(command, "{number}\0");
    let start = command.len();
    command.extend_from_slice(document.as_bytes());
    start
}

/// Ends the array, and the document that it is the last element of; `None` if it is longer than BSON can tell.
fn end_array(document: &mut Vec<u8>, array: usize) -> Option<()> {
    document.push(0);
    let length = i32::try_from(document.len() - array).ok()?;
    document[array..array + 4].copy_from_slice(&length.to_le_bytes());
    document.push(0);
    let length = i32::try_from(document.len()).ok()?;
    document[..4].copy_from_slice(&length.to_le_bytes());
    Some(())
}

/// The command with these documents as its last element. They are copied once: a batch may have megabytes.
pub(super) fn with_array(
    command: RawDocumentBuf,
    name: &CStr,
    documents: &[&RawDocument],
) -> Option<RawDocumentBuf> {
    let bytes: usize = documents.iter().map(|document| document.as_bytes().len() + AROUND_EACH).sum();
    let mut encoded = command.into_bytes();
    encoded.reserve_exact(bytes + AROUND_ALL);
    let array = begin_array(&mut encoded, name);
    for (number, document) in documents.iter().enumerate() {
        push_document(&mut encoded, number, document);
    }
    end_array(&mut encoded, array)?;
    RawDocumentBuf::from_bytes(encoded).ok()
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{Document, doc};

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

    #[test]
    fn documents_are_encoded_in_the_command_that_inserts_them() {
        let rows: Vec<_> =
            (0..12).map(|i| RawDocumentBuf::try_from(&doc! { "_id": i, "a": "b" }).unwrap()).collect();
        for rows in [&rows[..], &rows[..1], &[]] {
            let mut documents = Documents::with_capacity("c", rows.len(), 0);
            rows.iter().for_each(|row| documents.push(row));
            assert_eq!((documents.len(), documents.is_empty()), (rows.len(), rows.is_empty()));
            assert_eq!(documents.bytes(), rows.iter().map(|row| row.as_bytes().len()).sum::<usize>());
            assert_eq!(
                documents.slices().unwrap(),
                rows.iter().map(AsRef::as_ref).collect::<Vec<&RawDocument>>()
            );
            let mut command = documents.into_command().unwrap();
            command.append(cstr!("ordered"), false);
            let list: Vec<Document> = rows.iter().map(|row| Document::try_from(row).unwrap()).collect();
            let expected = doc! { "insert": "c", "documents": list, "ordered": false };
            assert_eq!(command, RawDocumentBuf::try_from(&expected).unwrap());
        }
    }
}
