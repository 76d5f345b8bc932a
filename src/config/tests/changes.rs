//! What differs between two readings.

use super::*;
use crate::config::key::KEYS;

/// Keys that can't be set without others.
const NOT_ALONE: [&str; 3] = ["columns.include", "http.tls_certificate_file", "http.tls_key_file"];

/// Another allowed value for each key, written as on the command line.
fn another(key: &str) -> &str {
    match key {
        "sqlite.path" | "state.directory" => "elsewhere",
        "sqlite.summary_unique" | "sqlite.summary_distribution" | "export.duplicate_key" => "another",
        "mongodb.uri" => "mongodb://127.0.0.2",
        "mongodb.fallback_uris" => "mongodb://127.0.0.3",
        "export.batch_size" | "export.max_batch_size" => "7",
        "export.max_in_flight" => "2",
        "export.max_in_flight_bytes" => "1000000",
        "mongodb.compressors" => "zstd",
        "export.skip_duplicates" | "export.automatic" => "false",
        "http.allow_unauthenticated" => "true",
        "export.updates" => "never",
        "probe.multiplier" => "3",
        "probe.randomization_factor" => "0.1",
        "http.listen" => "127.0.0.1:1",
        "log.filter" => "debug",
        "log.format" => "json",
        key if ["interval", "timeout", "disconnect"].iter().any(|end| key.ends_with(end)) => "2s",
        _ => "another",
    }
}

#[test]
fn each_key_that_differs_is_named_and_no_other() {
    let running = Config::load(&Sources::default()).unwrap();
    assert!(running.differing(&running).is_empty());
    for key in KEYS.iter().map(|key| key.path()) {
        if key.ends_with("uri_file") || key.ends_with("token_file") || NOT_ALONE.contains(&key.as_str()) {
            continue;
        }
        let sources = Sources::default().with_override(format!("{key}={}", another(&key)));
        let changed = Config::load(&sources).unwrap();
        let only = [key];
        assert_eq!(running.differing(&changed), only);
        assert_eq!(changed.differing(&running), only);
        let adopted = running.with(&only, &changed);
        assert!(adopted.differing(&changed).is_empty(), "{only:?}");
        assert_eq!(format!("{adopted:?}"), format!("{changed:?}"));
    }
}

#[test]
fn only_the_keys_that_are_named_are_adopted() {
    let running = Config::load(&Sources::default()).unwrap();
    let sources = Sources::default().with_override("export.batch_size=7").with_override("sqlite.table=other");
    let changed = Config::load(&sources).unwrap();
    let adopted = running.with(&["export.batch_size".to_owned()], &changed);
    assert_eq!((adopted.export.batch_size, adopted.sqlite.table.as_str()), (7, "chat_inquiry_information"));
    assert_eq!(adopted.differing(&changed), ["sqlite.table"]);
}

#[test]
fn what_is_set_of_columns_is_compared_as_well() {
    let (_one, sources) = file("[rename]\ncity = \"town\"\n[constants]\nsite = 1");
    let (_other, others) = file("[rename]\ncity = \"place\"\n[types]\ngrade = \"int\"");
    let (running, changed) = (Config::load(&sources).unwrap(), Config::load(&others).unwrap());
    let differing = running.differing(&changed);
    assert_eq!(differing, ["constants.site", "rename.city", "types.grade"]);
    let adopted = running.with(&differing, &changed);
    assert!(adopted.differing(&changed).is_empty());
    assert_eq!(format!("{:?}", adopted.sqlite.mapping), format!("{:?}", changed.sqlite.mapping));
}

#[test]
fn a_secret_whose_file_is_read_again_anyway_is_no_difference() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("uri");
    let sources = Sources::default().with_override(format!("mongodb.uri_file={}", path.display()));
    let read = |uri: String| {
        fs::write(&path, uri).unwrap();
        Config::load(&sources).unwrap()
    };
    let first = read("mongodb://127.0.0.1".into());
    let second = read(format!("mongodb://user:{SENTINEL}@127.0.0.1"));
    assert!(first.differing(&second).is_empty());
    // Another file is one.
    let other = Config::load(&Sources::default()).unwrap();
    assert_eq!(first.differing(&other), ["mongodb.uri", "mongodb.uri_file"]);
    assert!(!format!("{second:?}").contains(SENTINEL));
}
