//! What rows are counted as before they are encoded, beside what they are then.

use mongodb::bson::oid::ObjectId;
use proptest::prelude::*;

use super::*;

const TYPES: [Option<Type>; 8] = [
    None,
    Some(Type::Date),
    Some(Type::Bool),
    Some(Type::Int),
    Some(Type::Double),
    Some(Type::Decimal),
    Some(Type::Json),
    Some(Type::ObjectId),
];

/// The size of the row's document, if it has one, what it is counted as, and how much of that conversions may add.
fn sizes(types: &[Option<Type>], values: &[Value]) -> (Option<usize>, usize, usize) {
    let names: Vec<String> = (0..types.len()).map(|column| format!("column{column}")).collect();
    let types = names.iter().zip(types).filter_map(|(name, to)| Some((name.clone(), (*to)?)));
    let mapping = Mapping { types: types.collect(), ..Mapping::default() };
    let shape = Shape::mapped(&names, KeyKind::Declared, vec![0], &mapping).unwrap();
    let values: Vec<_> = values.iter().map(Value::as_ref).collect();
    let provenance = Provenance {
        export_id: "export_20240927_143022_12".to_owned(),
        source: format!("0123456789abcdef:/var/lib/{}.db:inquiries", "a".repeat(200)),
        exported_at: "2024-09-27T14:30:22.123Z".to_owned(),
    };
    let packed = packed(&shape, &values, usize::MAX).unwrap();
    let (id, key) = (ObjectId::from_bytes([1; 12]), "key");
    let row = Row { id, key, content: &[2; 16], duplicate_key: Some([3; 16]), values: &packed };
    let encoded =
        Encoder::new(&shape, &provenance, 16 << 20).encode(row, |document| document.as_bytes().len());
    (encoded.ok(), document_weight(&shape, &values, key, &provenance.source), shape.growth(&values))
}

/// JSON in few characters: that grows most.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("0".to_owned()),
        Just("1e1".to_owned()),
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("\"\"".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_filter("a number", |number| number.is_finite()).prop_map(|n| format!("{n:e}")),
        any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
    ];
    leaf.prop_recursive(6, 600, 60, |inner| {
        let list = proptest::collection::vec(inner.clone(), 0..60);
        let members = proptest::collection::vec(inner, 0..20);
        prop_oneof![
            list.prop_map(|items| format!("[{}]", items.join(","))),
            members.prop_map(|values| {
                let members = values.iter().enumerate().map(|(name, value)| format!("\"{name}\":{value}"));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

fn value() -> impl Strategy<Value = Value> {
    let text = |text: String| Value::Text(text.into_bytes());
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::Integer),
        (0..2_i64).prop_map(Value::Integer),
        any::<f64>().prop_map(Value::Real),
        json().prop_map(text),
        "[0-9]{1,10}".prop_map(text),
        "[0-9]{1,3}\\.[0-9]{1,3}".prop_map(text),
        "[0-9a-f]{24}".prop_map(text),
        "20[0-9]{2}-0[1-9]-1[0-9]".prop_map(text),
        proptest::collection::vec(any::<u8>(), 12).prop_map(Value::Blob),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(Value::Text),
    ]
}

proptest! {
    #[test]
    fn no_document_is_larger_than_it_was_counted(
        columns in proptest::collection::vec((value(), proptest::sample::select(&TYPES[..])), 1..8),
    ) {
        let (values, types): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        if let (Some(encoded), counted, _) = sizes(&types, &values) {
            prop_assert!(encoded <= counted, "{encoded} bytes, counted as {counted}");
        }
        // One by one, so that no column makes up for another, nor fails for it.
        for (value, to) in values.iter().zip(&types) {
            let (encoded, counted, _) = sizes(&[*to], std::slice::from_ref(value));
            let (empty, around, _) = sizes(&[None], &[Value::Null]);
            // A NULL is counted as a byte, and as what is around a text.
            let spare = around - empty.unwrap();
            prop_assert!(encoded.is_none_or(|encoded| encoded + spare <= counted + 6), "{to:?} {value:?}");
        }
    }

    #[test]
    fn what_json_adds_is_known(text in json()) {
        let value = [Value::Text(text.into_bytes())];
        let (encoded, _, grown) = sizes(&[Some(Type::Json)], &value);
        let (plain, ..) = sizes(&[None], &value);
        let (encoded, plain) = (encoded.unwrap(), plain.unwrap());
        prop_assert!(encoded <= plain + grown, "{encoded} bytes, as it is {plain}, may grow by {grown}");
    }
}

#[test]
fn long_lists_of_small_values_are_not_larger_than_they_were_counted() {
    for item in ["0", "1e1", "[]", "{}", "\"\"", "[0]", "null"] {
        for count in [1, 10, 1_000, 100_000] {
            let list = format!("[{}]", vec![item; count].join(","));
            let length = list.len();
            let (encoded, counted, grown) = sizes(&[Some(Type::Json)], &[Value::Text(list.into_bytes())]);
            let encoded = encoded.unwrap();
            assert!(encoded <= counted && encoded <= length + grown + 600, "{count} times {item}");
        }
    }
}
