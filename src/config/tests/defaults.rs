//! The defaults, and the shipped file that documents them.

use std::time::Duration;

use super::*;
use crate::config::key::{KEYS, SECTIONS};

#[test]
fn without_any_source_the_defaults_are_those_documented() {
    let config = Config::load(&Sources::default()).unwrap();
    assert_eq!(config.sqlite.path.to_str(), Some("inquiries.db"));
    assert_eq!(config.sqlite.table, "chat_inquiry_information");
    assert_eq!(config.sqlite.created_column, "created_at");
    assert_eq!(config.sqlite.updated_column, "updated_at");
    assert_eq!(config.sqlite.source_id, "");
    assert_eq!(config.sqlite.summary_unique, ["user_id"]);
    assert_eq!(config.sqlite.summary_distribution, ["parentType", "schoolType"]);
    assert_eq!(config.mongodb.uri.expose(), "mongodb://127.0.0.1:27017");
    assert!(config.mongodb.fallback_uris.is_empty());
    assert_eq!(config.mongodb.database, "inquiryassistant");
    assert_eq!(config.mongodb.collection, "chat_inquiry_information");
    assert_eq!(config.mongodb.operation_timeout, Duration::from_secs(10));
    assert_eq!(config.mongodb.idle_disconnect, Duration::from_secs(60));
    assert_eq!(config.export.batch_size, 100);
    assert!(config.export.skip_duplicates);
    assert_eq!(config.export.duplicate_key, ["email", "mobile"]);
    assert_eq!(config.export.updates, Updates::Newer);
    assert!(config.export.automatic);
    assert_eq!(config.probe.initial_interval, Duration::from_secs(1));
    assert_eq!(config.probe.max_interval, Duration::from_secs(60));
    assert!((config.probe.multiplier - 2.0).abs() < f64::EPSILON);
    assert!((config.probe.randomization_factor - 0.5).abs() < f64::EPSILON);
    assert_eq!(config.probe.timeout, Duration::from_secs(5));
    assert_eq!(config.probe.online_interval, Duration::from_secs(300));
    assert_eq!(config.http.listen, "127.0.0.1:8000".parse().unwrap());
    assert!(config.http.token.is_none() && config.http.token_file.is_none());
    assert!(!config.http.allow_unauthenticated);
    assert!(config.http.allowed_hosts.is_empty());
    assert!(config.http.tls.is_none() && config.http.socket.is_none());
    assert_eq!(config.state.directory.to_str(), Some("state"));
    assert_eq!(config.log.filter, "info");
    assert_eq!(config.log.format, LogFormat::Auto);
}

/// The shipped file, with the keys that are commented out because setting them has a meaning of its own.
fn shipped_with_all_keys() -> String {
    let shipped = include_str!("../../../config.toml");
    ["uri", "uri_file", "token", "token_file"]
        .iter()
        .fold(shipped.to_owned(), |text, key| text.replace(&format!("# {key} = "), &format!("{key} = ")))
}

#[test]
fn the_shipped_file_is_exactly_the_built_in_defaults() {
    let defaults = format!("{:?}", Config::load(&Sources::default()).unwrap());
    for text in [include_str!("../../../config.toml").to_owned(), shipped_with_all_keys()] {
        let config = load_file(&text).unwrap();
        assert_eq!(format!("{config:?}"), defaults);
        assert_eq!(config.mongodb.uri.expose(), "mongodb://127.0.0.1:27017");
    }
}

#[test]
fn the_shipped_file_names_every_key_with_a_comment_before_it() {
    let (_directory, sources) = file(&shipped_with_all_keys());
    let (_, shown) = Config::explain(&sources).unwrap();
    assert_eq!(shown.len(), KEYS.len());
    for shown in &shown {
        assert!(matches!(shown.origin, Origin::File(_)), "{} isn't in config.toml", shown.key);
    }
    for key in KEYS {
        assert!(SECTIONS.contains(&key.section), "{}", key.path());
    }
}
