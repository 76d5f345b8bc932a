//! A row's fields against a document.

use std::collections::HashMap;

use mongodb::bson::RawBsonRef;
use mongodb::bson::raw::RawDocument;

/// Where the first field stands in a document of ours: behind the length, and the `_id` with its type and name.
const FIRST_FIELD: usize = 4 + 1 + 4 + 12;

/// The fields in which `document` differs from what it ought to hold; other fields may be there.
pub(super) fn differing_fields(expected: &RawDocument, document: &RawDocument) -> Vec<String> {
    let (wanted, found) = (expected.as_bytes(), document.as_bytes());
    // Without the length before and the zero behind. Whole elements begin at the same place: where their bytes are the
    // same, so are they.
    let wanted = &wanted[4..wanted.len() - 1];
    let begins_with_id =
        matches!(document.iter().next(), Some(Ok((name, RawBsonRef::ObjectId(_)))) if name.as_str() == "_id");
    if begins_with_id && found.get(FIRST_FIELD..FIRST_FIELD + wanted.len()) == Some(wanted) {
        return Vec::new();
    }
    let fields: HashMap<&str, RawBsonRef<'_>> =
        document.iter().flatten().map(|(name, value)| (name.as_str(), value)).collect();
    expected
        .iter()
        .flatten()
        .filter(|(name, value)| !fields.get(name.as_str()).is_some_and(|found| are_same(*value, *found)))
        .map(|(name, _)| name.as_str().to_owned())
        .collect()
}

/// To the last bit, and of the same type.
fn are_same(a: RawBsonRef<'_>, b: RawBsonRef<'_>) -> bool {
    match (a, b) {
        (RawBsonRef::Double(a), RawBsonRef::Double(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::oid::ObjectId;
    use mongodb::bson::raw::RawDocumentBuf;
    use mongodb::bson::{Bson, Document, doc};

    use super::*;

    fn differing(expected: &Document, document: &Document) -> Vec<String> {
        let raw = |document: &Document| RawDocumentBuf::try_from(document).unwrap();
        differing_fields(&raw(expected), &raw(document))
    }

    #[test]
    fn columns_are_compared_to_the_bit_wherever_they_stand() {
        let row = doc! { "a": 1, "b": "text", "c": 0.0, "d": Bson::Null };
        let mut document = doc! { "_id": ObjectId::from_bytes([7; 12]) };
        document.extend(row.clone());
        document.insert("export_metadata", doc! {});
        assert_eq!(differing(&row, &document), Vec::<String>::new());
        let moved = doc! { "d": Bson::Null, "other": 1, "c": 0.0, "b": "text", "_id": 5, "a": 1 };
        assert_eq!(differing(&row, &moved), Vec::<String>::new());
        for (name, value) in [
            ("a", Bson::Int64(1)),
            ("a", Bson::Double(1.0)),
            ("b", "texT".into()),
            ("c", Bson::Double(-0.0)),
            ("d", Bson::Boolean(false)),
        ] {
            let mut changed = document.clone();
            changed.insert(name, value);
            assert_eq!(differing(&row, &changed), [name]);
        }
        assert_eq!(differing(&row, &doc! { "_id": ObjectId::from_bytes([7; 12]), "a": 1 }), ["b", "c", "d"]);
        // The same bytes at another place within a field aren't the same columns.
        assert_eq!(differing(&doc! { "a": 1 }, &doc! { "_id": "0123456", "a": 2 }), ["a"]);
    }
}
