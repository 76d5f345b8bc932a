//! Connection strings: where they come from, and that no message shows them.

use std::fs;

use super::*;

#[test]
fn a_malformed_file_is_located_and_not_quoted() {
    for (text, position) in [
        (format!("[mongodb]\nuri = mongodb://u:{SENTINEL}@h"), "line 2"),
        (format!("[mongodb]\nuri = 'mongodb://u:{SENTINEL}@h"), "line 2"),
        (format!("[mongodb]\nuri = \"mongodb://u:{SENTINEL}@h\\q\""), "line 2"),
        (format!("[mongodb]\nuri = 'a' '{SENTINEL}'"), "line 2"),
        (format!("[mongodb]\nuri = 'a'\n{SENTINEL} = 'b'\n{SENTINEL} = 'c'"), "line 4"),
        (format!("[mongodb\n{SENTINEL}"), "line 1"),
        (SENTINEL.to_owned(), "line 1"),
    ] {
        let error = load_file(&text).unwrap_err();
        assert_nothing_leaks(&error);
        assert!(error.to_string().contains(position), "{text:?}: {error}");
        assert!(error.to_string().contains("column"), "{error}");
    }
}

#[test]
fn a_secret_is_in_no_message_whatever_is_wrong() {
    let uri = format!("mongodb://user:{SENTINEL}@host");
    let mut errors = Vec::new();
    for assignment in [
        format!("mongodb.uri={SENTINEL}"),
        format!("mongodb.uri={uri}\n"),
        format!("mongodb.url={uri}"),
        format!("mongodb.uri:{uri}/?a=b"),
        format!("{uri}/?a=b"),
        uri.clone(),
        format!("mongodb.fallback_uris={uri},{SENTINEL}\u{7} {SENTINEL}"),
        format!("mongodb.fallback_uris=[{SENTINEL}]"),
        format!("mongodb.database={uri}"),
        format!("sqlite.table={uri}"),
        format!("sqlite.source_id={uri}"),
        format!("sqlite.summary_unique={uri}"),
        format!("mongodb.uri_file={uri}"),
        format!("mongodb.uri_file=/{SENTINEL}"),
        format!("http.listen={uri}"),
        format!("http.token={SENTINEL} {SENTINEL}"),
        format!("http.tokens={uri}"),
        format!("http.token_file=/{SENTINEL}"),
        format!("http.allowed_hosts={uri}"),
        format!("log.format={uri}"),
        format!("probe.timeout=user:{SENTINEL}@host"),
        format!("log.filter={uri}=loud"),
        format!("log.filter=[\"{uri}\"]"),
        format!("export.duplicate_key={uri},{uri}"),
    ] {
        errors.push(Config::load(&Sources::default().with_override(&assignment)).expect_err(&assignment));
    }
    for text in [
        format!("[mongodb]\nurl = '{uri}'"),
        format!("[mongodb]\nuri = ['{uri}']"),
        format!("[mongodb]\nuri = {{ is = '{uri}' }}"),
        format!("[mongodb]\nfallback_uris = '{uri}'"),
        format!("[mongodb]\n'{uri}' = 1"),
        format!("'{uri}' = 1"),
        format!("mongodb = '{uri}'"),
        format!("[mongodb]\nuri = '{uri}'\nuri_file = '/x'"),
        format!("[mongodb]\nuri = '{uri}'\n[probe]\ntimeout = 5"),
    ] {
        errors.push(load_file(&text).expect_err(&text));
    }
    errors.push(Config::load(&environment(&format!("MONGO_UPLINK_{uri}"), "")).unwrap_err());
    errors.iter().for_each(assert_nothing_leaks);

    let sources = Sources::default()
        .with_override(format!("mongodb.uri={uri}"))
        .with_override(format!("mongodb.fallback_uris={uri}"));
    let (config, shown) = Config::explain(&sources).unwrap();
    assert!(!format!("{config:?} {shown:?}").contains(SENTINEL));
    assert!(shown.iter().all(|shown| !shown.to_string().contains(SENTINEL)));
}

#[test]
fn the_connection_string_comes_from_the_highest_source_that_names_one() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, uri: &str| {
        let path = directory.path().join(name);
        fs::write(&path, uri).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let by_file = write("uri", "mongodb://from-uri-file\r\n");
    write("mongodb-uri", "mongodb://from-credential\n");
    let config_file = write("config.toml", "[mongodb]\nuri = 'mongodb://from-config'");
    let config_names_file = write("names.toml", &format!("[mongodb]\nuri_file = '{by_file}'"));

    let credentials = Sources::default().with_environment([("CREDENTIALS_DIRECTORY", directory.path())]);
    let uri = ("MONGO_UPLINK_MONGODB__URI", "mongodb://from-environment");
    let uri_file = ("MONGO_UPLINK_MONGODB__URI_FILE", by_file.as_str());
    for (sources, expected, origin) in [
        (Sources::default(), "mongodb://127.0.0.1:27017", "(default)"),
        (credentials.clone(), "mongodb://from-credential", "(systemd credential "),
        (credentials.clone().with_file(&config_file), "mongodb://from-config", "(file "),
        (credentials.clone().with_file(&config_names_file), "mongodb://from-uri-file", "(file "),
        (credentials.clone().with_environment([uri]), "mongodb://from-environment", "(environment "),
        (credentials.with_environment([uri_file]), "mongodb://from-uri-file", "(environment "),
        (
            Sources::default().with_file(&config_file).with_environment([uri_file]),
            "mongodb://from-uri-file",
            "(environment ",
        ),
        (
            Sources::default().with_file(&config_names_file).with_environment([uri]),
            "mongodb://from-environment",
            "(environment ",
        ),
        (
            Sources::default().with_file(&config_names_file).with_override("mongodb.uri_file="),
            "mongodb://127.0.0.1:27017",
            "(default)",
        ),
        (
            Sources::default().with_environment([("CREDENTIALS_DIRECTORY", "/nowhere")]),
            "mongodb://127.0.0.1:27017",
            "(default)",
        ),
    ] {
        let (config, shown) = Config::explain(&sources).unwrap();
        assert_eq!(config.mongodb.uri.expose(), expected);
        let shown = shown.iter().find(|shown| shown.key == "mongodb.uri").unwrap().to_string();
        assert!(shown.contains(origin) && shown.contains("[secret]"), "{shown}");
    }
}

#[test]
fn two_connection_strings_in_one_source_and_files_without_one_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mongodb-uri");
    fs::write(&path, SENTINEL).unwrap();
    let named = |path: &str| environment("MONGO_UPLINK_MONGODB__URI_FILE", path);
    let both = named("/x").with_environment([("MONGO_UPLINK_MONGODB__URI", "mongodb://h")]);
    for (sources, key, what) in [
        (both, "mongodb.uri", "is set together with mongodb.uri_file"),
        (named("/nowhere/at/all"), "mongodb.uri_file", "can't be read"),
        (named("/dev/null"), "mongodb.uri_file", "not a regular file"),
        (named(path.to_str().unwrap()), "mongodb.uri_file", "doesn't begin with the scheme"),
        (
            Sources::default().with_environment([("CREDENTIALS_DIRECTORY", directory.path())]),
            "mongodb.uri",
            "doesn't begin with the scheme",
        ),
    ] {
        let error = Config::load(&sources).unwrap_err();
        assert_eq!(keys_of(&error), [key], "{error}");
        assert!(error.to_string().contains(what), "{error}");
        assert_nothing_leaks(&error);
    }
}

#[test]
fn a_connection_string_in_a_file_is_read_again_and_a_file_that_holds_none_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mongodb-uri");
    fs::write(&path, "mongodb://first\n").unwrap();
    let named = environment("MONGO_UPLINK_MONGODB__URI_FILE", path.to_str().unwrap());
    let credential = Sources::default().with_environment([("CREDENTIALS_DIRECTORY", directory.path())]);
    for sources in [named, credential] {
        fs::write(&path, "mongodb://first\n").unwrap();
        let file = Config::load(&sources).unwrap().mongodb.uri_file.unwrap();
        assert_eq!(file.read().expose(), "mongodb://first");
        for (content, expected) in [
            ("mongodb://second\r\n", "mongodb://second"),
            ("", "mongodb://second"),
            ("mongo", "mongodb://second"),
            ("mongodb+srv://third", "mongodb+srv://third"),
        ] {
            fs::write(&path, content).unwrap();
            assert_eq!(file.read().expose(), expected, "{content:?}");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(file.read().expose(), "mongodb+srv://third");
    }
    assert!(Config::load(&Sources::default()).unwrap().mongodb.uri_file.is_none());
}

#[test]
fn a_token_of_digits_stays_the_text_it_is_wherever_it_comes_from() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("http-token");
    fs::write(&path, "0123456\n").unwrap();
    let by_file = environment("MONGO_UPLINK_HTTP__TOKEN_FILE", path.to_str().unwrap());
    let credential = Sources::default().with_environment([("CREDENTIALS_DIRECTORY", directory.path())]);
    let (_directory, config_file) = file("[http]\ntoken = '0123456'");
    for (sources, file) in [
        (environment("MONGO_UPLINK_HTTP__TOKEN", "0123456"), false),
        (Sources::default().with_override("http.token=0123456"), false),
        (config_file, false),
        (by_file, true),
        (credential.clone(), true),
        (credential.clone().with_override("http.listen=0.0.0.0:8000"), true),
    ] {
        let (config, shown) = Config::explain(&sources).unwrap();
        assert_eq!(config.http.token.map(|token| token.expose().to_owned()).as_deref(), Some("0123456"));
        assert_eq!(config.http.token_file.is_some(), file);
        assert!(shown.iter().all(|shown| !shown.to_string().contains("0123456")));
    }
    let none = Config::load(&credential.with_override("http.token=")).unwrap().http;
    assert!(none.token.is_none() && none.token_file.is_none(), "said to be empty by a higher source");
    fs::write(&path, "\n").unwrap();
    let named = environment("MONGO_UPLINK_HTTP__TOKEN_FILE", path.to_str().unwrap());
    assert!(Config::load(&named).unwrap_err().to_string().contains("is empty"), "nobody is let in by a slip");
}

#[test]
fn what_other_hosts_can_reach_needs_a_token_or_a_word_that_it_needs_none() {
    for address in ["0.0.0.0:8000", "[::]:8000", "192.0.2.7:8000", "[::ffff:192.0.2.7]:8000"] {
        let open = Sources::default().with_override(format!("http.listen={address}"));
        let error = Config::load(&open).unwrap_err();
        assert_eq!(keys_of(&error), ["http.listen"]);
        assert!(error.to_string().contains("http.allow_unauthenticated = true"), "{error}");
        for more in ["http.token=123456", "http.allow_unauthenticated=true"] {
            assert!(Config::load(&open.clone().with_override(more)).is_ok(), "{address} {more}");
        }
    }
    assert!(Config::load(&Sources::default().with_override("http.listen=[::ffff:127.0.0.1]:0")).is_ok());
}
