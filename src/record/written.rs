//! Whether a document is still what was written: its own metadata holds the hash of the row that it was made of.

use mongodb::bson::raw::{RawBsonRef, RawDocument};
use mongodb::bson::spec::BinarySubtype;

use super::ValueRef;
use super::digest::Digest;

/// What the metadata hold of a document that was never updated, in this order; a duplicate key may follow.
const METADATA: [&str; 6] =
    ["exported_at", "original_sqlite_id", "export_version", "export_id", "source", "content"];

/// Bytes that aren't text may have been either in SQLite. Of more such columns not every mixture is tried: then the
/// document counts as changed.
const MOST_AMBIGUOUS: usize = 8;

/// Whether the document is to the last byte what an export inserted: no column changed, added or removed by anybody, and
/// no update by a later export. Of a table whose columns are mapped that can't be known by the document alone.
#[must_use]
pub fn is_as_inserted(document: &RawDocument) -> bool {
    judge(document).unwrap_or(false)
}

/// The hash of the row in the document's metadata, if these are what an insert writes.
#[must_use]
pub fn inserted_content(document: &RawDocument) -> Option<[u8; 16]> {
    content_of(document.get_document("export_metadata").ok()?)
}

/// The bytes of the row's fields, between `_id` and metadata; `None` if these don't stand first and last.
#[must_use]
pub fn field_bytes(document: &RawDocument) -> Option<&[u8]> {
    // Length and `_id`; type, name and the NUL behind it.
    const BEFORE: usize = 4 + 1 + 4 + 12;
    const NAME: usize = 1 + 15 + 1;
    let (first, last) = (document.iter().next()?.ok()?, document.iter().last()?.ok()?);
    match (first, last) {
        ((id, RawBsonRef::ObjectId(_)), (name, RawBsonRef::Document(metadata)))
            if id.as_str() == "_id" && name.as_str() == "export_metadata" =>
        {
            let behind = NAME + metadata.as_bytes().len() + 1;
            document.as_bytes().get(BEFORE..document.as_bytes().len().checked_sub(behind)?)
        }
        _ => None,
    }
}

/// `None` for what no export writes.
fn judge(document: &RawDocument) -> Option<bool> {
    let (mut names, mut values, mut content) = (Vec::new(), Vec::new(), None);
    for (at, element) in document.iter().enumerate() {
        let (name, value) = element.ok()?;
        match (name.as_str(), value) {
            ("_id", RawBsonRef::ObjectId(_)) if at == 0 => {}
            // The last one.
            (_, _) if content.is_some() => return None,
            ("export_metadata", RawBsonRef::Document(metadata)) => content = Some(content_of(metadata)?),
            (name, value) => {
                names.push(name);
                values.push(stored(value)?);
            }
        }
    }
    let content = content?;
    let mut seed = Digest::new("mongo-uplink content 1");
    for name in names {
        seed.text(name);
    }
    let ambiguous: Vec<usize> = values
        .iter()
        .enumerate()
        .filter(|(_, value)| matches!(value, ValueRef::Blob(bytes) if std::str::from_utf8(bytes).is_err()))
        .map(|(at, _)| at)
        .collect();
    if ambiguous.len() > MOST_AMBIGUOUS {
        return None;
    }
    // Each mixture is a number whose bits tell which of them were texts.
    Some((0..1_usize << ambiguous.len()).any(|texts| {
        let mut digest = seed.clone();
        for (at, value) in values.iter().enumerate() {
            let place = ambiguous.iter().position(|other| *other == at);
            digest.value(match (*value, place) {
                (ValueRef::Blob(bytes), Some(bit)) if texts >> bit & 1 == 1 => ValueRef::Text(bytes),
                (value, _) => value,
            });
        }
        digest.finish::<16>() == content
    }))
}

/// The hash in the metadata, if they are those of an insert.
fn content_of(metadata: &RawDocument) -> Option<[u8; 16]> {
    let mut content = None;
    for (at, element) in metadata.iter().enumerate() {
        let (name, value) = element.ok()?;
        match (METADATA.get(at), value) {
            (Some(&"content"), RawBsonRef::Binary(binary)) if name.as_str() == "content" => {
                content = binary.bytes.try_into().ok();
            }
            (Some(expected), RawBsonRef::String(_)) if *expected == name.as_str() => {}
            (None, RawBsonRef::Binary(_)) if at == METADATA.len() && name.as_str() == "duplicate_key" => {}
            _ => return None,
        }
    }
    content
}

/// The value that SQLite had, as far as one can know; `None` if no row's value arrives like this.
fn stored(value: RawBsonRef<'_>) -> Option<ValueRef<'_>> {
    Some(match value {
        RawBsonRef::Null => ValueRef::Null,
        RawBsonRef::Int32(i) => ValueRef::Integer(i.into()),
        RawBsonRef::Int64(i) if i32::try_from(i).is_err() => ValueRef::Integer(i),
        RawBsonRef::Double(r) => ValueRef::Real(r),
        RawBsonRef::String(text) => ValueRef::Text(text.as_bytes()),
        RawBsonRef::Binary(binary) if binary.subtype == BinarySubtype::Generic => {
            ValueRef::Blob(binary.bytes)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use mongodb::bson::oid::ObjectId;
    use mongodb::bson::raw::RawDocumentBuf;
    use mongodb::bson::{Bson, Document, doc};

    use super::*;
    use crate::record::{Fingerprinter, KeyKind, Provenance, Shape, document, metadata};

    fn written(values: &[ValueRef<'_>]) -> RawDocumentBuf {
        let names: Vec<String> = (0..values.len()).map(|n| format!("c{n}")).collect();
        let shape = Shape::new(&names, KeyKind::None, Vec::new()).unwrap();
        let content = Fingerprinter::new("host:db:t", &shape).content(values);
        let provenance = Provenance {
            export_id: "export_1".to_owned(),
            source: "host:db:t".to_owned(),
            exported_at: "2024-09-27T14:30:22.123Z".to_owned(),
        };
        let (mut about, mut whole) = (RawDocumentBuf::new(), RawDocumentBuf::new());
        metadata(&mut about, &provenance, "1", &content, None);
        document(&mut whole, ObjectId::from_bytes([1; 12]), &shape, values, &about, 1 << 20).unwrap();
        whole
    }

    const VALUES: [ValueRef<'static>; 8] = [
        ValueRef::Null,
        ValueRef::Integer(7),
        ValueRef::Integer(1 << 40),
        ValueRef::Real(0.5),
        ValueRef::Text(b"text"),
        ValueRef::Blob(b"blob"),
        ValueRef::Text(b"\xff\xfe"),
        ValueRef::Blob(b"\xff\xfd"),
    ];

    #[test]
    fn what_was_inserted_is_known_again_by_itself_whatever_its_values() {
        assert!(is_as_inserted(&written(&VALUES)));
        assert!(is_as_inserted(&written(&[])));
        let (one, none) = (written(&VALUES[1..2]), written(&[]));
        assert_eq!(
            (field_bytes(&one), field_bytes(&none)),
            (Some(&b"\x10c0\0\x07\0\0\0"[..]), Some(&b""[..]))
        );
    }

    #[test]
    fn any_change_is_seen() {
        let before = Document::try_from(written(&VALUES)).unwrap();
        let mut changes: Vec<(String, Document)> = Vec::new();
        for name in before.keys().filter(|name| *name != "_id") {
            let mut without = before.clone();
            without.remove(name);
            changes.push((format!("{name} removed"), without));
            let mut changed = before.clone();
            changed.insert(name.clone(), "another value");
            changes.push((format!("{name} changed"), changed));
        }
        for (name, value) in [("c1", Bson::Int64(7)), ("c3", Bson::Int32(1)), ("added", Bson::Null)] {
            let mut changed = before.clone();
            changed.insert(name, value);
            changes.push((name.to_owned(), changed));
        }
        for (name, value) in [("updated_by", "export_2"), ("updated_at", "2025"), ("export_id", "export_2")] {
            let mut changed = before.clone();
            changed.get_document_mut("export_metadata").unwrap().insert(name, value);
            // Whose export it was is asked of the server.
            changes.extend((name != "export_id").then(|| (name.to_owned(), changed)));
        }
        let mut swapped = doc! { "_id": before.get("_id").unwrap().clone(), "c1": 7, "c0": Bson::Null };
        swapped.extend(
            before.clone().into_iter().filter(|(name, _)| !["_id", "c0", "c1"].contains(&name.as_str())),
        );
        changes.push(("order".to_owned(), swapped));
        for (what, changed) in changes {
            let raw = RawDocumentBuf::try_from(&changed).unwrap();
            assert!(!is_as_inserted(&raw), "{what}");
        }
    }
}
