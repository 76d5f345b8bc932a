//! Test vectors, computed from the documented forms by another program. They are frozen: one that changes makes every
//! row new to every collection it was ever exported to.

use super::*;

const SOURCE: &str = "shop-7:inquiries.db:chat_inquiry_information";
const CREATED: &[u8] = b"2023-10-27T10:00:00.000Z";

fn shape(names: &[&str], key_kind: KeyKind, key: &[usize]) -> Shape {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut shape = Shape::new(&names, key_kind, key.to_vec()).unwrap();
    shape.created = shape.find("created_at");
    shape.duplicate = ["email", "mobile"].iter().filter_map(|name| shape.find(name)).collect();
    shape
}

fn id(shape: &Shape, values: &[ValueRef<'_>], rank: u64) -> String {
    Fingerprinter::new(SOURCE, shape).id(values, rank).to_hex()
}

fn text(text: &str) -> ValueRef<'_> {
    ValueRef::Text(text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn inquiry() -> (Shape, [ValueRef<'static>; 5]) {
    let names = ["id", "firstName", "email", "mobile", "created_at"];
    let values = [
        ValueRef::Integer(7),
        text("Ann"),
        text("ann@example.org"),
        text("0123456789"),
        ValueRef::Text(CREATED),
    ];
    (shape(&names, KeyKind::Integer { reusable: true }, &[0]), values)
}

#[test]
fn a_row_with_key_and_creation_time_has_this_id() {
    let (shape, mut values) = inquiry();
    assert_eq!(shape.identity(), Identity::KeyAndCreation);
    assert_eq!(id(&shape, &values, 0), "653b8a205a5e09a7db789496");
    assert_eq!(id(&shape, &values, 9), "653b8a205a5e09a7db789496", "a rank counts only without a key");
    values[1] = text("Anne");
    assert_eq!(id(&shape, &values, 0), "653b8a205a5e09a7db789496", "an update is the same row");
    values[4] = text("yesterday");
    assert_eq!(id(&shape, &values, 0), "c9706597737c8fd61141f128", "no time, so all of it is hash");
}

#[test]
fn a_row_with_a_key_that_is_never_given_again_has_this_id() {
    let names = ["id", "v"];
    let autoincrement = shape(&names, KeyKind::Integer { reusable: false }, &[0]);
    assert_eq!(autoincrement.identity(), Identity::Key);
    assert_eq!(id(&autoincrement, &[ValueRef::Integer(7), text("v")], 0), "2bef9dafd96b65fa20fe8e76");
    let declared = shape(&names, KeyKind::Declared, &[0]);
    assert_eq!(id(&declared, &[text("k-1"), text("v")], 0), "d9bd29aa0970f191880b4f3e");
    // In the key's order, which needn't be the table's.
    let composite = shape(&names, KeyKind::WithoutRowid, &[1, 0]);
    assert_eq!(id(&composite, &[text("k-1"), ValueRef::Integer(2)], 0), "c2f52b6f7b721c6777cdac10");
}

#[test]
fn a_row_without_a_lasting_key_has_this_id() {
    let reusable = shape(&["id", "v"], KeyKind::Integer { reusable: true }, &[0]);
    assert_eq!(reusable.identity(), Identity::Content);
    assert_eq!(id(&reusable, &[ValueRef::Integer(7), text("v")], 0), "ce4a968b7b2439bbbf4232bc");
    let keyless = shape(&["v", "w"], KeyKind::None, &[]);
    assert_eq!(keyless.identity(), Identity::ContentAndRank);
    let values = [text("v"), ValueRef::Null];
    assert_eq!(id(&keyless, &values, 0), "07852b41580c217b0703d266");
    assert_eq!(id(&keyless, &values, 3), "a835eab2dd6187a674bb9647");
    let keyless = shape(&["created_at", "v"], KeyKind::None, &[]);
    assert_eq!(id(&keyless, &[ValueRef::Text(CREATED), text("v")], 2), "653b8a20b6eb82d5b1d3bc9e");
    // A column that is added later makes no other row of it.
    let wider = shape(&["v", "w", "x"], KeyKind::None, &[]);
    assert_eq!(id(&wider, &[text("v"), ValueRef::Null, ValueRef::Null], 3), "a835eab2dd6187a674bb9647");
    // SQLite lets a declared key be NULL, any number of times.
    let null_key = shape(&["k", "v"], KeyKind::Declared, &[0]);
    assert_eq!(id(&null_key, &[ValueRef::Null, text("v")], 1), "5b708ccd02b226d1e641c579");
}

#[test]
fn a_row_s_content_has_this_hash() {
    let (shape_of_inquiry, values) = inquiry();
    let content = Fingerprinter::new(SOURCE, &shape_of_inquiry).content(&values);
    assert_eq!(hex(&content), "64a1feb4f8f805c0a41d16c8004a9bd3");
    let classes = shape(&["a", "b", "c", "d", "e", "f"], KeyKind::None, &[]);
    let values = [
        ValueRef::Null,
        ValueRef::Integer(-2),
        ValueRef::Real(1.5),
        text("x"),
        ValueRef::Text(b"\xff"),
        ValueRef::Blob(b"\xff"),
    ];
    let content = Fingerprinter::new(SOURCE, &classes).content(&values);
    assert_eq!(hex(&content), "cd24a4c74bdb6925860fe8d9f69e1490");
}

#[test]
fn a_person_has_this_duplicate_key_on_every_host() {
    let (shape, mut values) = inquiry();
    let key = |values: &[ValueRef<'_>]| shape.duplicate_key(values).map(|key| hex(&key.hash));
    assert_eq!(key(&values).as_deref(), Some("0e3860616ad539dc3ba759e16f16a382"));
    for absent in [ValueRef::Null, text("")] {
        values[3] = absent;
        assert_eq!(key(&values).as_deref(), Some("49c4db80b204a0b1e3dbcbce3dba726f"));
    }
    values[2] = text("");
    assert_eq!(key(&values), None, "nobody's duplicate");
}

#[test]
fn values_that_mongodb_takes_for_equal_have_one_duplicate_key() {
    let key = |value| DuplicateKey::new(std::iter::once(("n", value))).map(|key| hex(&key.hash));
    for five in [ValueRef::Integer(5), ValueRef::Real(5.0)] {
        assert_eq!(key(five).as_deref(), Some("0cf9eb1bd1fb242d64c714ad9b23ce51"));
    }
    assert_eq!(key(ValueRef::Real(5.5)).as_deref(), Some("0e9e378d004a3121efe33628d0e978b0"));
    for bytes in [ValueRef::Blob(b"\xff"), ValueRef::Text(b"\xff")] {
        assert_eq!(key(bytes).as_deref(), Some("c5c79c932c2dd03634dbd314e6a3099a"));
    }
}

#[test]
fn a_host_has_this_id() {
    assert_eq!(host_id("0123456789abcdef0123456789abcdef"), "beb6c6b4edb9018e");
}

mod noise {
    //! Rows of any kind.

    use proptest::prelude::*;

    use super::*;
    use crate::noise::each;

    fn value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            2 => "\\PC{0,12}".prop_map(String::into_bytes),
            1 => prop::collection::vec(any::<u8>(), 0..12),
            1 => "[0-9]{1,5}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{0,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?".prop_map(String::into_bytes),
            1 => "-?[0-9]{0,20}(\\.[0-9]{0,5})?(e-?[0-9]{1,3})?".prop_map(String::into_bytes),
        ];
        prop_oneof![
            1 => Just(Value::Null),
            2 => any::<i64>().prop_map(Value::Integer),
            1 => (-3..3_i64).prop_map(Value::Integer),
            2 => any::<f64>().prop_map(Value::Real),
            4 => text.prop_map(Value::Text),
            1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Blob),
        ]
    }

    #[test]
    fn no_row_whatever_makes_it_panic_or_loses_a_value() {
        let name = prop_oneof![
            2 => prop::sample::select(&["id", "email", "mobile", "created_at", "updated_at", "$set", "a.b", "", "_ID"][..])
                .prop_map(str::to_owned),
            1 => "[^\\x00]{0,8}",
        ];
        let to = prop::option::weighted(0.3, prop::sample::select(Type::NAMES));
        let columns = prop::collection::vec((name, value(), to), 1..8);
        let kind = prop_oneof![
            any::<bool>().prop_map(|reusable| KeyKind::Integer { reusable }),
            Just(KeyKind::Declared),
            Just(KeyKind::WithoutRowid),
            Just(KeyKind::None),
        ];
        let row = (columns, kind, any::<i64>(), any::<u64>());
        each("rows", 30, row, |(columns, kind, rowid, rank)| {
            let names: Vec<String> = columns.iter().map(|(name, ..)| name.clone()).collect();
            let values: Vec<Value> = columns.iter().map(|(_, value, _)| value.clone()).collect();
            let mut mapping = Mapping::default();
            for (name, _, to) in &columns {
                mapping.types.extend(to.and_then(Type::named).map(|to| (name.clone(), to)));
            }
            let key = if kind == KeyKind::None { vec![] } else { (0..names.len().min(2)).collect() };
            let Ok(mut shape) = Shape::mapped(&names, kind, key, &mapping) else { return };
            shape.created = shape.find("created_at");
            shape.updated = shape.find("updated_at");
            shape.duplicate = ["email", "mobile"].iter().filter_map(|name| shape.find(name)).collect();
            let borrowed: Vec<ValueRef<'_>> = values.iter().map(Value::as_ref).collect();
            let fingerprinter = Fingerprinter::new(SOURCE, &shape);
            let id = fingerprinter.id(&borrowed, rank);
            assert_eq!(id, fingerprinter.id(&borrowed, rank));
            let content = fingerprinter.content(&borrowed);
            let _ = fingerprinter.equality(&borrowed, content);
            let duplicate = shape.duplicate_key(&borrowed);
            for position in [Position::Rowid(rowid), Position::Key(values.clone())] {
                let _ = position.to_value();
                let key = original_id(&shape, &position, &borrowed);
                let provenance = Provenance {
                    export_id: "export_20240927_143022".into(),
                    source: SOURCE.into(),
                    exported_at: "2024-09-27T14:30:22.123Z".into(),
                };
                // What can't be converted is refused, which is no more than to be survived here.
                let Ok(packed) = packed(&shape, &borrowed, 1 << 20) else { continue };
                let row = Row {
                    id,
                    key: &key,
                    content: &content,
                    duplicate_key: duplicate.as_ref().map(|key| key.hash),
                    values: &packed,
                };
                let mut encoder = Encoder::new(&shape, &provenance, 1 << 20);
                let Ok(document) = encoder.encode(row, ToOwned::to_owned) else { continue };
                assert_eq!(encoder.encode(row, ToOwned::to_owned).as_ref(), Ok(&document), "in used memory");
                let read: Vec<_> = document.iter().collect::<Result<_, _>>().expect("well-formed BSON");
                assert_eq!(read.len(), names.len() + 2);
                for ((name, value), (column, borrowed)) in read[1..].iter().zip(columns.iter().zip(&borrowed))
                {
                    assert_eq!(name.as_str(), column.0);
                    let (value, expected) =
                        (mongodb::bson::Bson::try_from(*value).expect("BSON"), bson(*borrowed));
                    // Of numbers that are none, every one is another.
                    let same = value == expected || value.as_f64().is_some_and(f64::is_nan);
                    assert!(same || column.2.is_some(), "{value} for {expected}");
                }
                let without = encoder.encode(Row { duplicate_key: None, ..row }, ToOwned::to_owned);
                let without = without.expect("it is smaller");
                let metadata = without.get_document("export_metadata").expect("every document has it");
                assert!(metadata.get("duplicate_key").expect("well-formed BSON").is_none());
            }
            let _ = shape.updated_value(&borrowed);
            for &value in &borrowed {
                let _ = shown(value);
                let _ = created_seconds(value);
                let _ = is_older(&bson(value), &bson(borrowed[0]));
            }
        });
    }
}
