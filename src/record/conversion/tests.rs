//! What becomes of which value, and what is refused.

use mongodb::bson::{Bson, DateTime, doc};

use super::*;

const ROOM: usize = 16 * 1024 * 1024;

fn converted(value: ValueRef<'_>, to: Type) -> Result<Bson, Obstacle> {
    convert(value, to, ROOM).map(|value| Bson::try_from(value).unwrap())
}

#[track_caller]
fn assert_becomes(to: Type, expected: &[(ValueRef<'_>, Bson)]) {
    for (value, expected) in expected {
        assert_eq!(converted(*value, to).as_ref(), Ok(expected), "{value:?}");
    }
    assert_eq!(converted(ValueRef::Null, to), Ok(Bson::Null), "NULL stays Null");
}

#[track_caller]
fn assert_refused(to: Type, values: &[ValueRef<'_>]) {
    for value in values {
        assert_eq!(converted(*value, to), Err(Obstacle::Unlike(nature(*value))), "{value:?}");
    }
}

fn t(text: &str) -> ValueRef<'_> {
    ValueRef::Text(text.as_bytes())
}

fn i(number: i64) -> ValueRef<'static> {
    ValueRef::Integer(number)
}

fn r(number: f64) -> ValueRef<'static> {
    ValueRef::Real(number)
}

fn date(millis: i64) -> Bson {
    Bson::DateTime(DateTime::from_millis(millis))
}

fn decimal(text: &str) -> Bson {
    Bson::Decimal128(text.parse().unwrap())
}

#[test]
fn every_type_has_its_name() {
    assert_eq!(Type::NAMES, TYPES.map(|(name, _)| name));
    for name in Type::NAMES {
        assert_eq!(Type::named(name).map(Type::name), Some(*name));
    }
    assert_eq!(Type::named("Date"), None);
}

#[test]
fn texts_unix_times_and_julian_days_become_the_time_that_they_are() {
    let ten = 1_698_400_800_000;
    assert_becomes(
        Type::Date,
        &[
            (t("2023-10-27T10:00:00.123Z"), date(ten + 123)),
            (t("2023-10-27T15:30:00+05:30"), date(ten)),
            (t("2023-10-27 10:00:00"), date(ten)),
            (t("2023-10-27 10:00"), date(ten)),
            (t("2023-10-27"), date(ten - 36_000_000)),
            (t("1969-12-31T23:59:59.9999Z"), date(-1)),
            (t("2023-10-27T10:00:00.9999Z"), date(ten + 999)),
            (i(0), date(0)),
            (i(1_698_400_800), date(ten)),
            (i(-1), date(-1000)),
            (i(1_698_400_800_123), date(ten + 123)),
            (i(99_999_999_999), date(99_999_999_999_000)),
            (i(100_000_000_000), date(100_000_000_000)),
            (r(1_698_400_800.25), date(ten + 250)),
            (r(-0.5), date(-500)),
            // julianday('2023-10-27 10:00:00'), and that of the epoch.
            (r(2_460_244.916_666_666_5), date(ten)),
            (r(2_440_587.5), date(0)),
        ],
    );
    assert_refused(
        Type::Date,
        &[
            t(""),
            t("yesterday"),
            t("27.10.2023"),
            t("2023-02-30"),
            t("2023-10-27T10"),
            t("1698400800"),
            t("10:00:00"),
            t("2023-10-2 "),
            i(i64::MAX),
            i(i64::MIN),
            r(f64::NAN),
            r(f64::INFINITY),
            r(1e300),
            ValueRef::Blob(b"2023-10-27"),
            ValueRef::Text(b"2023-10-27\xff"),
        ],
    );
}

#[test]
fn what_programs_write_for_true_and_false_becomes_it() {
    let yes = [i(1), r(1.0), t("1"), t("true"), t("TRUE"), t("t"), t("Yes"), t("y"), t("on")];
    let no = [i(0), r(-0.0), t("0"), t("false"), t("F"), t("no"), t("N"), t("Off")];
    assert_becomes(Type::Bool, &yes.map(|value| (value, Bson::Boolean(true))));
    assert_becomes(Type::Bool, &no.map(|value| (value, Bson::Boolean(false))));
    assert_refused(Type::Bool, &[i(2), i(-1), r(0.5), t(""), t(" true"), t("maybe"), ValueRef::Blob(b"1")]);
}

#[test]
fn whole_numbers_become_integers_and_nothing_is_rounded() {
    assert_becomes(
        Type::Int,
        &[
            (i(5), Bson::Int32(5)),
            (i(2_147_483_648), Bson::Int64(2_147_483_648)),
            (r(3.0), Bson::Int32(3)),
            (r(-1e15), Bson::Int64(-1_000_000_000_000_000)),
            (t("0123"), Bson::Int32(123)),
            (t("-7"), Bson::Int32(-7)),
            (t("+9223372036854775807"), Bson::Int64(i64::MAX)),
        ],
    );
    assert_refused(
        Type::Int,
        &[r(0.5), r(1e19), r(f64::NAN), t(""), t("1.0"), t("1e3"), t(" 1"), t("9223372036854775808")],
    );
    assert_refused(Type::Int, &[t("--1"), t("1,000"), t("٣"), ValueRef::Blob(b"1"), ValueRef::Text(b"\xff")]);
}

#[test]
fn numbers_become_floats_if_they_are_that_float() {
    let largest_exact = 9_007_199_254_740_992;
    assert_becomes(
        Type::Double,
        &[
            (i(5), Bson::Double(5.0)),
            (i(largest_exact), Bson::Double(9_007_199_254_740_992.0)),
            (r(0.1), Bson::Double(0.1)),
            (r(f64::INFINITY), Bson::Double(f64::INFINITY)),
            (t("0.1"), Bson::Double(0.1)),
            (t("-.5e-3"), Bson::Double(-0.0005)),
            (t("5."), Bson::Double(5.0)),
            (t("1E300"), Bson::Double(1e300)),
        ],
    );
    assert_refused(
        Type::Double,
        &[
            i(largest_exact + 1),
            i(i64::MAX),
            t(""),
            t("."),
            t("inf"),
            t("NaN"),
            t("1e400"),
            t("1e"),
            t("0x1"),
        ],
    );
    assert_refused(Type::Double, &[t("1.2.3"), t("1,5"), t("1 "), t("e5"), t("-+5"), ValueRef::Blob(b"5")]);
}

#[test]
fn a_decimal_keeps_every_digit_or_is_refused() {
    let (nines, too_many) = ("9".repeat(34), format!("1{}1", "0".repeat(33)));
    assert_becomes(
        Type::Decimal,
        &[
            (t("19.90"), decimal("19.90")),
            (t("-0.10"), decimal("-0.10")),
            (t("+.5"), decimal("0.5")),
            (t(&nines), decimal(&nines)),
            (t("1.00e-10"), decimal("1.00E-10")),
            (i(i64::MIN), decimal("-9223372036854775808")),
            (r(0.1), decimal("0.1")),
            (r(100.0), decimal("100")),
            (r(1e300), decimal(&format!("1{}", "0".repeat(300)))),
        ],
    );
    let Ok(Bson::Decimal128(shown)) = converted(t("19.90"), Type::Decimal) else { panic!("a decimal") };
    assert_eq!(shown.to_string(), "19.90", "trailing zeros are digits, too");
    assert_refused(
        Type::Decimal,
        &[t(""), t("."), t("-+5"), t("+"), t("NaN"), t("infinity"), t("1e7000"), t("1e-7000"), t(&too_many)],
    );
    assert_refused(Type::Decimal, &[t("1_000"), t("1e+"), t("$5"), r(f64::NAN), r(f64::INFINITY)]);
}

#[test]
fn object_ids_come_as_digits_or_bytes() {
    let hex = "65927100a59b16a07fd951f0";
    let id = ObjectId::parse_str(hex).unwrap();
    let upper = hex.to_uppercase();
    assert_becomes(
        Type::ObjectId,
        &[(t(hex), id.into()), (t(&upper), id.into()), (ValueRef::Blob(&id.bytes()), id.into())],
    );
    assert_refused(Type::ObjectId, &[t(""), t(&hex[1..]), t("65927100a59b16a07fd951fg"), i(5)]);
    assert_refused(Type::ObjectId, &[ValueRef::Blob(b"short"), ValueRef::Blob(hex.as_bytes())]);
}

#[test]
fn json_becomes_what_it_says() {
    let text =
        r#" {"z": 1, "a": [true, null, 2.5, "x\u0000y"], "": {"$date": "2024-01-01"}, "big": 2147483648} "#;
    let expected = doc! {
        "z": 1, "a": [true, Bson::Null, 2.5, "x\0y"], "": { "$date": "2024-01-01" }, "big": 2_147_483_648_i64,
    };
    assert_becomes(
        Type::Json,
        &[
            (t(text), expected.into()),
            (t("[]"), Bson::Array(vec![])),
            (t("{}"), doc! {}.into()),
            (t("null"), Bson::Null),
            (t("\"Zoë\""), "Zoë".into()),
            (t("1.0"), Bson::Double(1.0)),
            (t("18446744073709551615"), Bson::Double(18_446_744_073_709_551_615.0)),
            (i(5), Bson::Int32(5)),
            (r(5.5), Bson::Double(5.5)),
        ],
    );
    assert_refused(
        Type::Json,
        &[t(""), t("{"), t("{a: 1}"), t("[1,]"), t("1 2"), t("NaN"), t("1e400"), t("'x'"), r(f64::INFINITY)],
    );
    assert_refused(Type::Json, &[ValueRef::Blob(b"{}"), ValueRef::Text(b"\"\xff\"")]);
}

#[test]
fn json_that_no_document_can_hold_is_refused_and_says_why() {
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    assert!(converted(t(&nested(100)), Type::Json).is_ok());
    for levels in [101, 100_000] {
        let deep = converted(t(&nested(levels)), Type::Json);
        assert_eq!(deep, Err(Obstacle::Unlike("JSON of more than 100 levels")));
    }
    for (text, why) in [
        (r#"{"a\u0000b": 1}"#, "JSON with a NUL in a name"),
        (r#"[{"a": 1, "b": 2, "a": 1}]"#, "JSON with one name twice in an object"),
    ] {
        assert_eq!(converted(t(text), Type::Json), Err(Obstacle::Unlike(why)));
    }
}

#[test]
fn json_that_grows_beyond_its_room_is_refused_while_it_is_read() {
    let zeros = format!("[0{}]", ",0".repeat(9_999));
    assert!(convert(t(&zeros), Type::Json, 200_000).is_ok());
    assert_eq!(convert(t(&zeros), Type::Json, 50_000), Err(Obstacle::TooLarge));
    for text in [r#"{"name": 1}"#, r#""a text""#] {
        assert!(convert(t(text), Type::Json, 100).is_ok());
        assert_eq!(convert(t(text), Type::Json, 10), Err(Obstacle::TooLarge), "{text}");
    }
}
