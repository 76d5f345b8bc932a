//! Sections whose keys are names of columns and fields.

use mongodb::bson::Bson;

use super::*;
use crate::record::Type;

#[test]
fn columns_are_named_in_any_source_and_the_later_wins() {
    let (_directory, sources) = file(
        "[columns]\ninclude = ['id', 'first name', 'total', 'at']\n[rename]\n'first name' = 'name'\n
         [types]\ntotal = 'double'\nat = 'date'\n
         [constants]\nsite = 'north'\nnumber = 7\nlarge = 3000000000\nshare = 0.5\nlive = true",
    );
    let sources = sources
        .with_environment([("MONGO_UPLINK_TYPES__total", "int"), ("MONGO_UPLINK_CONSTANTS__code", "007")])
        .with_override("types.total=decimal")
        .with_override("rename.at=createdAt")
        .with_override("export.duplicate_key=");
    let (config, shown) = Config::explain(&sources).unwrap();
    let mapping = config.sqlite.mapping;
    assert_eq!(mapping.include, ["id", "first name", "total", "at"]);
    assert_eq!(
        mapping.types.iter().map(|(name, to)| (name.as_str(), *to)).collect::<Vec<_>>(),
        [("at", Type::Date), ("total", Type::Decimal)]
    );
    assert_eq!((mapping.name_of("first name"), mapping.name_of("at")), ("name", "createdAt"));
    assert_eq!(mapping.name_of("id"), "id");
    let constants: Vec<_> = mapping.constants.iter().map(|(name, value)| (name.as_str(), value)).collect();
    assert_eq!(
        constants,
        [
            ("code", &Bson::String("007".into())),
            ("large", &Bson::Int64(3_000_000_000)),
            ("live", &Bson::Boolean(true)),
            ("number", &Bson::Int32(7)),
            ("share", &Bson::Double(0.5)),
            ("site", &Bson::String("north".into())),
        ]
    );
    let lines: Vec<String> = shown.iter().map(ToString::to_string).collect();
    for line in [
        r#"types.total = "decimal" (command line)"#,
        r#"constants.code = "007" (environment variable MONGO_UPLINK_CONSTANTS__code)"#,
    ] {
        assert!(lines.iter().any(|shown| shown == line), "{line} isn't in {lines:#?}");
    }
    assert!(
        lines.iter().any(|line| line.starts_with(r#"rename."first name" = "name" (file /"#)),
        "{lines:#?}"
    );
}

#[test]
fn what_cannot_be_a_column_s_type_name_or_constant_is_refused_by_key_value_and_rule() {
    for (assignment, key, what) in [
        ("types.at=dat", "types.at", "did you mean date"),
        ("types.at=", "types.at", "isn't one of the choices"),
        ("types.=date", "types.[not a name]", "the name is empty"),
        ("types=date", "types.[not a name]", "the name is empty"),
        ("rename.a=b.c", "rename.a", "has a dot"),
        ("rename.a=$b", "rename.a", "has a dot or begins with $"),
        ("rename.a=", "rename.a", "is empty"),
        ("rename.a=_id", "rename.a", "is needed by the exported document itself"),
        ("constants.export_metadata=x", "constants.export_metadata", "is needed by"),
        ("constants.a.b=x", "constants.\"a.b\"", "has a dot"),
        ("columns.included=a", "columns.included", "did you mean columns.include?"),
    ] {
        let error = Config::load(&Sources::default().with_override(assignment)).expect_err(assignment);
        assert_eq!(keys_of(&error), [key], "{error}");
        assert!(error.to_string().contains(what) && error.to_string().contains("command line"), "{error}");
    }
    for (text, key) in [
        ("[constants]\na = ['b']", "constants.a"),
        ("[constants]\na = { b = 1 }", "constants.a"),
        ("[constants]\na = 1979-05-27T07:32:00Z", "constants.a"),
        ("[types]\na = 1", "types.a"),
        ("[rename]\na = true", "rename.a"),
        ("[renames]\na = 'b'", "renames"),
        ("types = 'date'", "types"),
        ("[columns.rename]\na = 'b'", "columns.rename"),
    ] {
        let error = load_file(text).unwrap_err();
        assert_eq!(keys_of(&error), [key], "{error}");
    }
    let error = Config::load(&environment("MONGO_UPLINK_TYPE__at", "date")).unwrap_err();
    assert_eq!(keys_of(&error), ["MONGO_UPLINK_TYPE__at"]);
}

#[test]
fn sections_that_contradict_each_other_are_refused_whatever_the_table_is() {
    for (text, key, what) in [
        ("[columns]\ninclude = ['email', 'mobile']\nexclude = ['email']", "columns.exclude", "lets through"),
        ("[columns]\nexclude = ['a']\n[rename]\na = 'b'", "rename.a", "which columns.exclude leaves out"),
        ("[columns]\nexclude = ['a']\n[types]\na = 'int'", "types.a", "which columns.exclude leaves out"),
        (
            "[columns]\ninclude = ['email', 'mobile']\n[types]\na = 'int'",
            "types.a",
            "which columns.include leaves out",
        ),
        ("[rename]\na = 'x'\nb = 'x'", "rename.b", "rename.a has, too"),
        ("[rename]\na = 'x'\n[constants]\nx = 1", "rename.a", "constants.x has, too"),
        ("[columns]\nexclude = ['mobile']", "export.duplicate_key", "which columns.exclude leaves out"),
        ("[columns]\ninclude = ['email']", "export.duplicate_key", "which columns.include leaves out"),
        ("[types]\nmobile = 'decimal'", "export.duplicate_key", "which types makes decimal"),
        ("[types]\nemail = 'json'", "export.duplicate_key", "which types makes json"),
    ] {
        let error = load_file(text).expect_err(text);
        assert!(keys_of(&error).contains(&key), "{error}");
        assert!(error.to_string().contains(what), "{error}");
        assert!(error.problems().iter().all(|problem| problem.allowed.is_some()), "{error}");
    }
    for text in [
        "[columns]\nexclude = ['mobile']\n[export]\nduplicate_key = ['email']",
        "[columns]\ninclude = ['id']\n[export]\nduplicate_key = []",
        "[rename]\na = 'b'\nb = 'a'",
        "[types]\nmobile = 'int'",
        "[rename]\n_id = 'app_id'\nexport_metadata = 'theirs'",
    ] {
        assert!(load_file(text).is_ok(), "{text}: {}", load_file(text).unwrap_err());
    }
}

#[test]
fn a_connection_string_among_columns_is_in_no_message() {
    let uri = format!("mongodb://user:{SENTINEL}@host");
    for text in [
        format!("[types]\n'{uri}' = 'int'\n[columns]\nexclude = ['{uri}']"),
        format!("[rename]\na = '{uri}.net'"),
        format!("[constants]\n'{uri}' = 1"),
        format!("[types]\n'{uri}' = 'int'"),
        format!("[columns]\nexclude = ['{uri}']"),
        format!("[columns]\nexclude = ['{uri}']\ninclude = ['{uri}']"),
        format!("[export]\nduplicate_key = ['user:{SENTINEL}@host']\n[columns]\ninclude = ['a']"),
        format!("[types]\na = '{uri}'"),
        format!("[types]\n'{uri}' = 'int'"),
    ] {
        assert_nothing_leaks(&load_file(&text).expect_err(&text));
    }
    let (_directory, sources) = file(&format!("[constants]\nhome = '{uri}'"));
    let (_, shown) = Config::explain(&sources).unwrap();
    assert!(shown.iter().all(|shown| !shown.to_string().contains(SENTINEL)));
}
