//! What a mapping changes, and what it must not.

use mongodb::bson::{Bson, Document, doc};

use super::*;

const NAMES: [&str; 5] = ["id", "secret", "email", "total", "changed"];

fn mapping() -> Mapping {
    let mut mapping = Mapping { exclude: vec!["secret".into()], ..Mapping::default() };
    mapping.rename.insert("email".into(), "contact".into());
    mapping.types.insert("total".into(), Type::Int);
    mapping.types.insert("changed".into(), Type::Date);
    mapping.constants.insert("site".into(), Bson::String("north".into()));
    mapping
}

fn shape(mapping: &Mapping) -> Shape {
    let mut shape = Shape::mapped(&NAMES.map(str::to_owned), KeyKind::Declared, vec![0], mapping).unwrap();
    shape.updated = shape.find("changed");
    shape.duplicate = ["email", "total"].iter().filter_map(|name| shape.find(name)).collect();
    shape
}

fn text(text: &str) -> ValueRef<'_> {
    ValueRef::Text(text.as_bytes())
}

fn row() -> [ValueRef<'static>; 5] {
    [text("k-1"), text("s3cret"), text("ann@example.org"), text("7"), ValueRef::Integer(1_700_000_000)]
}

fn fingerprints(mapping: &Mapping, values: &[ValueRef<'_>]) -> (String, [u8; 16]) {
    let fingerprinter = Fingerprinter::new("s", &shape(mapping));
    (fingerprinter.id(values, 0).to_hex(), fingerprinter.content(values))
}

fn written(mapping: &Mapping, values: &[ValueRef<'_>], limit: usize) -> Result<Document, Refusal> {
    let (shape, metadata) = (shape(mapping), mongodb::bson::raw::RawDocumentBuf::new());
    let id = Fingerprinter::new("s", &shape).id(values, 0);
    let mut whole = mongodb::bson::raw::RawDocumentBuf::new();
    document(&mut whole, id, &shape, values, &metadata, limit)?;
    let mut document = Document::try_from(&whole).unwrap();
    assert!(document.remove("_id").is_some() && document.remove("export_metadata").is_some());
    Ok(document)
}

#[test]
fn a_document_holds_what_the_mapping_says() {
    let expected = doc! {
        "id": "k-1", "contact": "ann@example.org", "total": 7,
        "changed": mongodb::bson::DateTime::from_millis(1_700_000_000_000), "site": "north",
    };
    assert_eq!(written(&mapping(), &row(), 10_000).unwrap(), expected);
    let include = Mapping { include: vec!["total".into(), "nothing".into()], ..Mapping::default() };
    assert_eq!(written(&include, &row(), 10_000).unwrap(), doc! { "total": "7" });
}

#[test]
fn a_mapping_changes_no_id_and_without_one_nothing_changes() {
    let (plain_id, plain) = fingerprints(&Mapping::default(), &row());
    let (id, content) = fingerprints(&mapping(), &row());
    assert_eq!(id, plain_id);
    assert_ne!(content, plain);
    // What names no column of this table is none.
    let mut elsewhere = Mapping { exclude: vec!["other".into()], ..Mapping::default() };
    elsewhere.types.insert("more".into(), Type::Date);
    assert_eq!(fingerprints(&elsewhere, &row()), (plain_id, plain));
}

#[test]
fn each_part_of_a_mapping_makes_another_content_and_what_is_left_out_makes_none() {
    let mut seen = vec![fingerprints(&mapping(), &row()).1];
    let changes: [fn(&mut Mapping); 6] = [
        |mapping| mapping.exclude.clear(),
        |mapping| mapping.rename.clear(),
        |mapping| *mapping.types.get_mut("total").unwrap() = Type::Double,
        |mapping| mapping.types.retain(|name, _| name != "changed"),
        |mapping| *mapping.constants.get_mut("site").unwrap() = Bson::Int32(1),
        |mapping| mapping.constants.extend([("more".to_owned(), Bson::Boolean(true))]),
    ];
    for change in changes {
        let mut changed = mapping();
        change(&mut changed);
        let content = fingerprints(&changed, &row()).1;
        assert!(!seen.contains(&content), "{changed:?}");
        seen.push(content);
    }
    let mut values = row();
    values[1] = text("another");
    assert_eq!(fingerprints(&mapping(), &values).1, seen[0], "what doesn't arrive can't change a document");
    values[3] = text("8");
    assert!(!seen.contains(&fingerprints(&mapping(), &values).1));
}

/// Computed from the documented form by another program, and frozen: one that changes writes every mapped row anew.
#[test]
fn a_mapped_row_has_this_content_hash() {
    let (id, content) = fingerprints(&mapping(), &row());
    let content: String = content.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(id, "555ac7f441684b0034abf82c");
    assert_eq!(content, "42e69b76710383656183bd7e252976f6");
}

#[test]
fn equal_rows_are_the_same_equals_under_any_mapping() {
    let mut values = row();
    let equality = |mapping: &Mapping, values: &[ValueRef<'_>]| {
        let fingerprinter = Fingerprinter::new("s", &shape(mapping));
        fingerprinter.equality(values, fingerprinter.content(values))
    };
    let first = equality(&mapping(), &values);
    assert_eq!(first, equality(&Mapping::default(), &values));
    values[1] = text("another");
    assert_ne!(equality(&mapping(), &values), first, "also by what doesn't arrive");
}

#[test]
fn a_duplicate_key_is_that_of_the_document() {
    let shape = shape(&mapping());
    let key = shape.duplicate_key(&row()).unwrap();
    assert_eq!(shape.duplicate_fields(), ["contact", "total"]);
    let values: Vec<_> = key.values.iter().collect();
    assert_eq!(
        values,
        [mongodb::bson::RawBsonRef::String("ann@example.org"), mongodb::bson::RawBsonRef::Int32(7)]
    );
    let theirs = mongodb::bson::rawdoc! { "total": 7.0, "contact": "ann@example.org", "x": 1 };
    assert_eq!(
        DuplicateKey::of_document(&shape.duplicate_fields(), &theirs).map(|key| key.hash),
        Some(key.hash)
    );
    let mut values = row();
    values[3] = text("seven");
    assert_eq!(shape.duplicate_key(&values), None, "it is rejected anyway");
}

#[test]
fn duplicate_keys_of_other_types_are_told_apart_and_found_again() {
    let id = "65927100a59b16a07fd951f0";
    let row = [ValueRef::Integer(1), text(id), text("0"), text("0"), ValueRef::Integer(0)];
    let mut hashes = Vec::new();
    for (column, to) in
        [("secret", Type::ObjectId), ("email", Type::Bool), ("changed", Type::Date), ("id", Type::Int)]
    {
        let mut mapping = Mapping::default();
        mapping.types.insert(column.into(), to);
        mapping.rename.insert(column.into(), "k".into());
        let mut shape = shape(&mapping);
        shape.duplicate = vec![shape.find(column).unwrap()];
        let key = shape.duplicate_key(&row).unwrap();
        let mut document = mongodb::bson::RawDocumentBuf::new();
        document.append(mongodb::bson::cstr!("k"), key.values.get(0).unwrap());
        let found = DuplicateKey::of_document(&shape.duplicate_fields(), &document);
        assert_eq!(found.as_ref(), Some(&key));
        assert!(!hashes.contains(&key.hash));
        hashes.push(key.hash);
    }
}

#[test]
fn the_time_of_the_last_change_is_that_of_the_document() {
    let date = |millis| Bson::DateTime(mongodb::bson::DateTime::from_millis(millis));
    let mapped = shape(&mapping()).updated_value(&row());
    assert_eq!(mapped, date(1_700_000_000_000));
    assert!(is_older(&mapped, &date(1_700_000_000_001)) && !is_older(&mapped, &date(1_700_000_000_000)));
    assert_eq!(shape(&Mapping::default()).updated_value(&row()), Bson::Int32(1_700_000_000));
    let without = Mapping { exclude: vec!["changed".into()], ..Mapping::default() };
    assert_eq!((shape(&without).updated_value(&row()), shape(&without).updated_field()), (Bson::Null, None));
}

#[test]
fn a_refusal_names_column_and_type_and_never_the_value() {
    let mut values = row();
    values[3] = text("s3nt1nel");
    let refusal = written(&mapping(), &values, 10_000).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        r#"column "total" can't be converted to int: it holds a text that isn't one"#
    );
    assert_eq!(refusal.code(), 241);
}

#[test]
fn a_row_is_too_large_by_what_arrives_alone() {
    let large = vec![0; 2_000];
    let mut values = row();
    values[1] = ValueRef::Blob(&large);
    assert!(written(&mapping(), &values, 1_000).is_ok());
    assert_eq!(written(&Mapping::default(), &values, 1_000), Err(Refusal::TooLarge));
}

#[test]
fn a_name_is_in_a_document_once() {
    let usable = |mapping: &Mapping, names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        Shape::mapped(&names, KeyKind::None, vec![], mapping).map(drop).map_err(|error| error.to_string())
    };
    let mut mapping = Mapping::default();
    mapping.rename.insert("a".into(), "b".into());
    assert_eq!(usable(&mapping, &["a", "c"]), Ok(()));
    let error = usable(&mapping, &["a", "b"]).unwrap_err();
    assert!(error.contains(r#"column "b" can't be exported: the name "b" is that of column "a""#), "{error}");
    mapping.rename.insert("b".into(), "a".into());
    assert_eq!(usable(&mapping, &["a", "b"]), Ok(()), "they change places");
    let mut mapping = Mapping::default();
    mapping.constants.insert("site".into(), Bson::Int32(1));
    assert!(usable(&mapping, &["site"]).unwrap_err().contains("is that of a constant"));
    assert!(usable(&Mapping::default(), &["_id"]).unwrap_err().contains("needed by the exported document"));
    mapping.rename.insert("_id".into(), "app_id".into());
    mapping.exclude.push("export_metadata".into());
    assert_eq!(usable(&mapping, &["_id", "export_metadata"]), Ok(()));
}

#[test]
fn only_what_arrives_or_tells_rows_apart_is_needed() {
    let needed = |key_kind, key: Vec<usize>, created| {
        let mut shape = Shape::mapped(&NAMES.map(str::to_owned), key_kind, key, &mapping()).unwrap();
        shape.created = created;
        (0..NAMES.len()).map(|column| shape.is_needed(column)).collect::<Vec<_>>()
    };
    let (all, but_secret) = ([true; 5], [true, false, true, true, true]);
    assert_eq!(needed(KeyKind::Integer { reusable: false }, vec![0], None), but_secret);
    assert_eq!(needed(KeyKind::WithoutRowid, vec![0], Some(4)), but_secret);
    assert_eq!(needed(KeyKind::WithoutRowid, vec![1], None), all, "the key");
    assert_eq!(needed(KeyKind::Integer { reusable: true }, vec![0], Some(1)), all, "the creation column");
    for key_kind in [KeyKind::Integer { reusable: true }, KeyKind::Declared] {
        assert_eq!(needed(key_kind, vec![0], None), all, "the content may tell rows apart");
    }
    assert_eq!(needed(KeyKind::None, vec![], Some(4)), all);
}
