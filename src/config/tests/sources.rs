//! Files, environment and command line: which counts, and which names they may use.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use super::*;

#[test]
fn the_later_source_wins_and_explain_tells_which_it_was() {
    let (_directory, sources) =
        file("[export]\nbatch_size = 2\n[probe]\ntimeout = '2s'\nonline_interval = '2m'");
    let sources = sources
        .with_environment([("MONGO_UPLINK_EXPORT__BATCH_SIZE", "3"), ("MONGO_UPLINK_PROBE__TIMEOUT", "3s")])
        .with_override("export.batch_size=4")
        .with_override("export.batch_size=5");
    let (config, shown) = Config::explain(&sources).unwrap();
    assert_eq!(config.export.batch_size, 5);
    assert_eq!(config.probe.timeout, Duration::from_secs(3));
    assert_eq!(config.probe.online_interval, Duration::from_secs(120));
    let origins: BTreeMap<_, _> = shown.iter().map(|shown| (shown.key.as_str(), shown.to_string())).collect();
    assert_eq!(origins["export.batch_size"], "export.batch_size = 5 (command line)");
    assert_eq!(
        origins["probe.timeout"],
        r#"probe.timeout = "3s" (environment variable MONGO_UPLINK_PROBE__TIMEOUT)"#
    );
    assert!(origins["probe.online_interval"].starts_with(r#"probe.online_interval = "2m" (file /"#));
    assert_eq!(origins["probe.multiplier"], "probe.multiplier = 2.0 (default)");
    assert_eq!(origins["mongodb.uri"], "mongodb.uri = [secret] (default)");
}

#[test]
fn all_problems_are_told_at_once() {
    let (_directory, sources) =
        file("[probe]\ntimeout = 5\n[export]\nbatch_size = 0\ncolour = 1\n[probes]\n");
    let sources = sources
        .with_environment([("MONGO_UPLINK_HTTP__LISTEN", "here"), ("MONGO_UPLINK_EXPORT__BATCHSIZE", "5")])
        .with_override("log.format=xml")
        .with_override("log.colour=red")
        .with_override("nonsense");
    let error = Config::load(&sources).unwrap_err();
    let mut keys = keys_of(&error);
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "--set",
            "MONGO_UPLINK_EXPORT__BATCHSIZE",
            "export.batch_size",
            "export.colour",
            "http.listen",
            "log.colour",
            "log.format",
            "probe.timeout",
            "probes",
        ]
    );
    assert_eq!(error.to_string().lines().count(), 1 + keys.len(), "{error}");
}

#[test]
fn an_unknown_name_is_refused_and_a_near_one_suggested() {
    for (text, key, near) in [
        ("[mongodb]\nurl = 'x'", "mongodb.url", Some("mongodb.uri?")),
        ("[mongodb]\nbatch_size = 1", "mongodb.batch_size", None),
        ("[mongo]\nuri = 'x'", "mongo", Some("mongodb?")),
        ("[http]\ntokens = '123456'", "http.tokens", Some("http.token?")),
        ("probe = 5", "probe", None),
        ("batch_size = 5", "batch_size", None),
        ("[[probe]]\ntimeout = '5s'", "probe", None),
    ] {
        let error = load_file(text).unwrap_err();
        assert_eq!(keys_of(&error), [key], "{error}");
        if let Some(near) = near {
            assert!(error.to_string().contains(&format!("did you mean {near}")), "{error}");
        }
    }
    for (name, near) in [
        ("MONGO_UPLINK_PROBE_TIMEOUT", "MONGO_UPLINK_PROBE__TIMEOUT"),
        ("MONGO_UPLINK_PROBE__TIMEOUTS", "MONGO_UPLINK_PROBE__TIMEOUT"),
        ("MONGO_UPLINK_probe__timeout", "MONGO_UPLINK_PROBE__TIMEOUT"),
    ] {
        let error = Config::load(&environment(name, "5s")).unwrap_err();
        assert_eq!(keys_of(&error), [name]);
        assert!(error.to_string().contains(near), "{error}");
    }
}

#[test]
fn variables_of_other_programs_are_of_no_concern() {
    let sources = Sources::default().with_environment([
        (OsString::from("PATH"), OsString::from("/bin")),
        (OsString::from("MONGO_URI"), OsString::from("x")),
        (OsString::from_vec(vec![0xff]), OsString::from_vec(vec![0xff])),
    ]);
    assert!(Config::load(&sources).is_ok());
    let sources = Sources::default()
        .with_environment([("MONGO_UPLINK_SQLITE__TABLE", OsString::from_vec(vec![b'a', 0xff]))]);
    let error = Config::load(&sources).unwrap_err();
    assert!(error.to_string().contains("isn't UTF-8"), "{error}");
}

#[test]
fn the_first_file_that_exists_is_read_and_one_that_is_named_must_exist() {
    let directory = tempfile::tempdir().unwrap();
    let [first, second] = ["a.toml", "b.toml"].map(|name| directory.path().join(name));
    let searched = Sources::default().with_search([&first, &second]);
    assert_eq!(Config::load(&searched).unwrap().export.batch_size, 100);
    fs::write(&second, "[export]\nbatch_size = 2").unwrap();
    assert_eq!(Config::load(&searched).unwrap().export.batch_size, 2);
    fs::write(&first, "[export]\nbatch_size = 1").unwrap();
    assert_eq!(Config::load(&searched).unwrap().export.batch_size, 1);
    assert_eq!(Config::load(&searched.clone().with_file(&second)).unwrap().export.batch_size, 2);
    for missing in [directory.path().join("c.toml"), directory.path().to_owned(), "/dev/null".into()] {
        let error = Config::load(&searched.clone().with_file(&missing)).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("can't be read") && text.contains(missing.to_str().unwrap()), "{text}");
    }
}
