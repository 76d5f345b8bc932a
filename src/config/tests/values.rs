//! What each key takes and refuses.

use super::*;

#[test]
fn a_text_that_looks_like_a_number_or_a_truth_value_stays_the_text_it_is() {
    for text in ["0123", "123456", "1e3", "true", "1.0", "nan", "[a]", " x ", "a,b"] {
        for sources in [
            environment("MONGO_UPLINK_SQLITE__TABLE", text),
            Sources::default().with_override(format!("sqlite.table={text}")),
        ] {
            assert_eq!(Config::load(&sources).unwrap().sqlite.table, text);
        }
    }
    let sources = Sources::default().with_override("sqlite.table=a=b");
    assert_eq!(Config::load(&sources).unwrap().sqlite.table, "a=b");
}

#[test]
fn lists_can_be_written_as_lists_or_with_commas() {
    for (text, expected) in [
        ("email,mobile", vec!["email", "mobile"]),
        (" email , mobile ", vec!["email", "mobile"]),
        (r#"["email", "mobile"]"#, vec!["email", "mobile"]),
        ("['a,b', '01']", vec!["a,b", "01"]),
        ("007", vec!["007"]),
        ("[]", vec![]),
        ("", vec![]),
    ] {
        let config = Config::load(&environment("MONGO_UPLINK_EXPORT__DUPLICATE_KEY", text)).unwrap();
        assert_eq!(config.export.duplicate_key, expected, "{text:?}");
    }
    // Connection strings hold commas themselves.
    let text = "mongodb://a:1,b:2/?replicaSet=rs mongodb+srv://c";
    for text in [text.to_owned(), format!("[{:?}]", text.replace(' ', "\",\"")).replace('\\', "")] {
        let config = Config::load(&environment("MONGO_UPLINK_MONGODB__FALLBACK_URIS", &text)).unwrap();
        let uris: Vec<_> = config.mongodb.fallback_uris.iter().map(Secret::expose).collect();
        assert_eq!(uris, ["mongodb://a:1,b:2/?replicaSet=rs", "mongodb+srv://c"]);
    }
}

#[test]
fn every_value_that_is_allowed_is_taken() {
    for assignment in [
        "export.batch_size=1",
        "export.batch_size=1000",
        "export.skip_duplicates=false",
        "export.updates=always",
        "export.updates=never",
        "probe.multiplier=1",
        "probe.multiplier=10.0",
        "probe.randomization_factor=0",
        "probe.randomization_factor=0.9",
        "probe.timeout=10ms",
        "probe.timeout=5m",
        "probe.timeout=1m 30s",
        "probe.initial_interval=60s",
        "http.listen=127.0.0.1:0",
        "http.listen=127.8.9.1:80",
        "http.listen=[::1]:8000",
        "http.token=123456",
        "http.token=",
        "http.allowed_hosts=kiosk.example,192.0.2.7,::1,[fd00::7]",
        "log.format=json",
        "log.format=journald",
        "log.filter=info,mongo_uplink::http=debug",
        "log.filter=OFF",
        "mongodb.uri=mongodb+srv://cluster.example.net",
        "mongodb.collection=system",
        "mongodb.collection=a.b",
        "sqlite.source_id=kiosk 7",
        "sqlite.table=Anfragen für Züge",
    ] {
        let result = Config::load(&Sources::default().with_override(assignment));
        assert!(result.is_ok(), "{assignment}: {}", result.unwrap_err());
    }
}

#[test]
fn every_value_that_is_not_allowed_is_refused_by_name_value_origin_and_rule() {
    for (key, text, shown, what) in [
        ("export.batch_size", "0", "0", "out of range"),
        ("export.batch_size", "1001", "1001", "out of range"),
        ("export.batch_size", "-1", "-1", "out of range"),
        ("export.batch_size", "many", r#""many""#, "is a text"),
        ("export.batch_size", "10.5", r#""10.5""#, "is a text"),
        ("export.batch_size", "99999999999999999999", r#""99999999999999999999""#, "is a text"),
        ("export.batch_size", "", r#""""#, "is a text"),
        ("export.skip_duplicates", "yes", r#""yes""#, "is a text"),
        ("export.updates", "newr", r#""newr""#, "did you mean newer"),
        ("export.updates", "Newer", r#""Newer""#, "did you mean newer"),
        ("export.duplicate_key", "email,Email", r#"["email", "Email"]"#, "item 2 repeats"),
        ("export.duplicate_key", "email,", r#"["email", ""]"#, "item 2 is empty"),
        ("export.duplicate_key", "[1]", "[1]", "item 1 is a whole number"),
        ("probe.multiplier", "0.99", "0.99", "out of range"),
        ("probe.multiplier", "10.1", "10.1", "out of range"),
        ("probe.multiplier", "nan", "NaN", "out of range"),
        ("probe.multiplier", "inf", "inf", "out of range"),
        ("probe.multiplier", "two", r#""two""#, "is a text"),
        ("probe.randomization_factor", "1.0", "1.0", "out of range"),
        ("probe.randomization_factor", "-0.1", "-0.1", "out of range"),
        ("probe.timeout", "5", r#""5""#, "has no unit"),
        ("probe.timeout", "1.5", r#""1.5""#, "has no unit"),
        ("probe.timeout", "0s", r#""0s""#, "out of range"),
        ("probe.timeout", "1h", r#""1h""#, "out of range"),
        ("probe.timeout", "-5s", r#""-5s""#, "is negative"),
        ("probe.timeout", "5s ago", r#""5s ago""#, "is negative"),
        ("probe.timeout", "5 parsecs", r#""5 parsecs""#, "isn't a duration"),
        ("probe.timeout", "1 year", r#""1 year""#, "isn't a duration"),
        ("probe.timeout", "", r#""""#, "isn't a duration"),
        ("probe.timeout", "99999999999999999999s", r#""99999999999999999999s""#, "isn't a duration"),
        ("probe.initial_interval", "61s", r#""61s""#, r#"longer than probe.max_interval = "60s" (default)"#),
        ("http.listen", "0.0.0.0:8000", r#""0.0.0.0:8000""#, "token"),
        ("http.listen", "[::]:8000", r#""[::]:8000""#, "token"),
        ("http.listen", "192.168.1.2:8000", r#""192.168.1.2:8000""#, "token"),
        ("http.listen", "localhost:8000", r#""localhost:8000""#, "isn't an address with a port"),
        ("http.listen", "127.0.0.1", r#""127.0.0.1""#, "isn't an address with a port"),
        ("http.listen", "127.0.0.1:65536", r#""127.0.0.1:65536""#, "isn't an address with a port"),
        ("http.token", "two words", "[secret]", "has a blank"),
        ("http.token", "tokén", "[secret]", "isn't ASCII"),
        ("http.allow_unauthenticated", "yes", r#""yes""#, "is a text"),
        ("http.allowed_hosts", "kiosk,", r#"["kiosk", ""]"#, "item 2 is empty"),
        ("http.allowed_hosts", "kiosk:8000", r#"["kiosk:8000"]"#, "the port is left out"),
        ("http.allowed_hosts", "*", r#"["*"]"#, "isn't a host's name"),
        ("http.allowed_hosts", "http://kiosk", "[[secret]]", "is a URL"),
        ("http.allowed_hosts", "kiosk,KIOSK", r#"["kiosk", "KIOSK"]"#, "item 2 repeats"),
        ("sqlite.path", "", r#""""#, "is empty"),
        (
            "sqlite.path",
            "state/./state.db",
            r#""state/./state.db""#,
            r#"a file of state.directory = "state""#,
        ),
        ("sqlite.table", "", r#""""#, "is empty"),
        ("sqlite.table", "a\0b", r#""a\0b""#, "control character"),
        ("state.directory", "", r#""""#, "is empty"),
        ("mongodb.database", "", r#""""#, "is empty"),
        ("mongodb.database", "a.b", r#""a.b""#, "character that MongoDB doesn't allow"),
        ("mongodb.database", "a b", r#""a b""#, "character that MongoDB doesn't allow"),
        ("mongodb.collection", "a$b", r#""a$b""#, "has a $"),
        ("mongodb.collection", "system.users", r#""system.users""#, "MongoDB's own"),
        ("mongodb.collection", ".a", r#"".a""#, "dot"),
        ("mongodb.uri", "127.0.0.1:27017", "[secret]", "scheme"),
        ("mongodb.uri", "mongodb://", "[secret]", "names no host"),
        ("mongodb.uri", "", r#""""#, "scheme"),
        ("mongodb.fallback_uris", "mongodb://a http://b", "[secret]", "item 2 doesn't begin"),
        ("log.filter", "", r#""""#, "is empty"),
        ("log.filter", "inof", r#""inof""#, "did you mean info"),
        ("log.filter", "mongo_uplink=loud", r#""mongo_uplink=loud""#, "isn't a filter"),
        ("log.format", "xml", r#""xml""#, "isn't one of the choices"),
    ] {
        let (section, name) = key.split_once('.').unwrap();
        let variable = format!("MONGO_UPLINK_{section}__{name}").to_ascii_uppercase();
        for (sources, origin) in [
            (Sources::default().with_override(format!("{key}={text}")), "command line".to_owned()),
            (environment(&variable, text), format!("environment variable {variable}")),
        ] {
            let error = Config::load(&sources).expect_err(&format!("{key}={text} is taken"));
            let [problem] = error.problems() else { panic!("{error}") };
            assert_eq!(problem.key, key);
            assert_eq!(problem.value.as_deref(), Some(shown), "{error}");
            assert_eq!(problem.origin, origin, "{error}");
            assert!(problem.what.contains(what), "{error}");
            assert!(problem.allowed.is_some(), "{error}");
            let line = error.to_string();
            assert!(line.contains(key) && line.contains(&origin) && !line.contains('\n'), "{line}");
        }
    }
}

#[test]
fn a_wrong_type_in_the_file_is_refused() {
    for (key, value, what) in [
        ("probe.timeout", "5", "has no unit"),
        ("probe.timeout", "1979-05-27T07:32:00Z", "is a table"),
        ("export.batch_size", "'100'", "is a text"),
        ("export.batch_size", "100.0", "is a number with decimals"),
        ("export.skip_duplicates", "1", "is a whole number"),
        ("export.duplicate_key", "'email'", "is a text"),
        ("sqlite.table", "7", "is a whole number"),
        ("sqlite.table", "true", "is true or false"),
        ("sqlite.table", "['a']", "is a list"),
        ("sqlite.table", "{ name = 'a' }", "is a table"),
        ("http.listen", "8000", "is a whole number"),
        ("http.token", "123456", "is a whole number"),
        ("mongodb.uri", "27017", "is a whole number"),
    ] {
        let (section, name) = key.split_once('.').unwrap();
        let error = load_file(&format!("[{section}]\n{name} = {value}\n")).unwrap_err();
        let [problem] = error.problems() else { panic!("{error}") };
        assert_eq!(problem.key, key);
        assert!(problem.what.contains(what), "{error}");
        assert!(problem.origin.starts_with("file /"), "{error}");
    }
}

#[test]
fn a_namespace_that_is_too_long_is_refused() {
    let sources = Sources::default().with_override(format!("mongodb.collection={}", "c".repeat(239)));
    let error = Config::load(&sources).unwrap_err();
    assert_eq!(keys_of(&error), ["mongodb.collection"]);
    let sources = Sources::default().with_override(format!("mongodb.collection={}", "c".repeat(238)));
    assert!(Config::load(&sources).is_ok());
    let sources = Sources::default().with_override(format!("mongodb.database={}", "d".repeat(64)));
    assert!(Config::load(&sources).is_err());
}
