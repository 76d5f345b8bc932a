//! What is wrong with a configuration is told in words that an operator can act on, and with an exit code that keeps a
//! service manager from trying again.

use std::process::{Command, Output, Stdio};

use crate::scene::Scene;
use crate::support::daemon::Daemon;
use crate::support::sqlite::TABLE;
use crate::support::wait::{PATIENCE, poll};

/// A daemon's settings that are right; nothing is started.
fn settings() -> crate::support::daemon::Builder {
    Daemon::builder("inquiries.db".as_ref(), "mongodb://127.0.0.1:1")
}

#[track_caller]
fn run(mut command: Command) -> (Option<i32>, String, String) {
    let mut process = command.spawn().expect("the program starts");
    // What is accepted though it is wrong would run for ever.
    if poll(PATIENCE, || process.try_wait().expect("our own child can be asked")).is_none() {
        process.kill().expect("our own child can be killed");
    }
    let Output { status, stdout, stderr } = process.wait_with_output().expect("a process that has ended");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("readable output");
    (status.code(), text(stdout), text(stderr))
}

/// Wrong values: the key, the value as TOML, the value as a text, how it is shown, a part of what is allowed.
const WRONG: [(&str, &str, &str, &str, &str); 15] = [
    ("export.batch_size", "0", "0", "0", "from 1 to 1000"),
    ("export.batch_size", "1001", "1001", "1001", "from 1 to 1000"),
    ("export.batch_size", "\"many\"", "many", "\"many\"", "from 1 to 1000"),
    ("export.skip_duplicates", "\"perhaps\"", "perhaps", "\"perhaps\"", "true or false"),
    ("export.duplicate_key", "[\"e.mail\"]", "e.mail", "[\"e.mail\"]", "without dots"),
    ("export.updates", "\"sometimes\"", "sometimes", "\"sometimes\"", "newer, always, never"),
    ("probe.timeout", "\"5\"", "5", "\"5\"", "\"10s\""),
    ("probe.timeout", "\"-5s\"", "-5s", "\"-5s\"", "\"10s\""),
    ("probe.multiplier", "0.5", "0.5", "0.5", "from 1.0 to 10.0"),
    ("probe.randomization_factor", "1.5", "1.5", "1.5", "from 0.0 to 0.9"),
    ("probe.initial_interval", "\"2m\"", "2m", "\"2m\"", "up to max_interval"),
    ("http.listen", "\"0.0.0.0:8000\"", "0.0.0.0:8000", "\"0.0.0.0:8000\"", "loopback"),
    ("log.format", "\"xml\"", "xml", "\"xml\"", "json"),
    ("log.filter", "\"infos\"", "infos", "\"infos\"", "debug or trace"),
    ("mongodb.database", "\"a b\"", "a b", "\"a b\"", "63 bytes"),
];

#[track_caller]
fn assert_refused(command: Command, key: &str, shown: &str, source: &str, allowed: &str) {
    let (code, stdout, stderr) = run(command);
    assert_eq!(code, Some(78), "{key}: {stderr}");
    assert_eq!(stdout, "", "{key}");
    let named = format!("{key} = {shown} ({source}");
    assert!(stderr.contains(&named), "{named}: {stderr}");
    let told = stderr.split_once("allowed: ").is_some_and(|(_, told)| told.contains(allowed));
    assert!(told, "{key} allows {allowed}: {stderr}");
}

#[test]
fn a_wrong_value_ends_it_with_78_naming_key_value_source_and_what_is_allowed() {
    for (key, toml, text, shown, allowed) in WRONG {
        let wrong: serde_json::Value = serde_json::from_str(toml).expect("a JSON value");
        let daemon = settings().set(key, wrong).prepare();
        assert_refused(daemon.command(), key, shown, "file ", allowed);

        let variable = format!("MONGO_UPLINK_{}", key.replace('.', "__").to_uppercase());
        let daemon = settings().unset(key).env(&variable, text).prepare();
        assert_refused(daemon.command(), key, shown, &format!("environment variable {variable}"), allowed);

        let daemon = settings().unset(key).prepare();
        let mut command = daemon.command();
        command.args(["check", "--set", &format!("{key}={text}")]);
        assert_refused(command, key, shown, "command line", allowed);
    }
}

#[test]
fn what_means_nothing_is_refused_by_name() {
    for (daemon, arguments, named) in [
        (settings().set("export.batch_sice", 5).prepare(), vec![], "did you mean export.batch_size?"),
        (settings().set("exports.batch_size", 5).prepare(), vec![], "exports"),
        (
            settings().env("MONGO_UPLINK_PROBE__TIMEOT", "5s").prepare(),
            vec![],
            "did you mean MONGO_UPLINK_PROBE__TIMEOUT?",
        ),
        (settings().prepare(), vec!["--set", "probe.timeot=5s"], "did you mean probe.timeout?"),
        (settings().prepare(), vec!["--set", "nothing"], "command line"),
    ] {
        let mut command = daemon.command();
        command.args(arguments);
        let (code, _, stderr) = run(command);
        assert_eq!(code, Some(78), "{stderr}");
        assert!(stderr.contains(named), "{named}: {stderr}");
    }
    let daemon = settings().prepare();
    std::fs::write(daemon.directory().join("config.toml"), "[export\nbatch_size = 5").expect("our own file");
    let (code, _, stderr) = run(daemon.command());
    assert_eq!(code, Some(78), "{stderr}");
    assert!(stderr.contains("config.toml"), "{stderr}");
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let daemon = settings().set("export.batch_size", 0).set("probe.timeout", 5).set("log.format", "xml");
    let (code, _, stderr) = run(daemon.prepare().command());
    assert_eq!(code, Some(78));
    for key in ["export.batch_size", "probe.timeout", "log.format"] {
        assert!(stderr.contains(key), "{key}: {stderr}");
    }
}

#[test]
fn numeric_texts_from_the_environment_stay_texts() {
    let mut scene = Scene::new("numeric");
    scene.app.insert_inquiries(1);
    let builder = scene
        .daemon()
        .env("MONGO_UPLINK_SQLITE__SOURCE_ID", "0123456")
        .env("MONGO_UPLINK_MONGODB__COLLECTION", "007")
        .env("MONGO_UPLINK_EXPORT__DUPLICATE_KEY", "email,mobile");
    let prepared = builder.clone().prepare();
    let mut command = prepared.command();
    command.args(["check", "--configuration"]);
    let (code, stdout, _) = run(command);
    assert_eq!(code, Some(0));
    assert!(stdout.contains("sqlite.source_id = \"0123456\" (environment"), "{stdout}");
    assert!(stdout.contains("mongodb.collection = \"007\" (environment"), "{stdout}");
    let daemon = builder.start();
    crate::scene::wait_completed(&daemon);
    let documents = scene.mongo.find_all(&scene.database, "007");
    let metadata = documents[0].get_document("export_metadata").expect("metadata");
    assert_eq!(metadata.get_str("source").ok(), Some(format!("0123456:inquiries.db:{TABLE}").as_str()));
}

#[test]
fn check_prints_every_key_with_its_source_and_hides_secrets() {
    let secret = "s3nt1nelPassw0rd";
    let daemon = settings()
        .set("mongodb.uri", format!("mongodb://somebody:{secret}@db.example.com"))
        .set("mongodb.fallback_uris", vec![format!("mongodb://somebody:{secret}@db2.example.com")])
        .env("MONGO_UPLINK_PROBE__TIMEOUT", "7s")
        .prepare();
    let mut command = daemon.command();
    command.args(["check", "--configuration", "--set", "export.batch_size=50"]);
    let (code, stdout, stderr) = run(command);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for hidden in [secret, "somebody", "example.com"] {
        assert!(!stdout.contains(hidden), "{stdout}");
    }
    for line in [
        "mongodb.uri = [secret] (file ",
        "probe.timeout = \"7s\" (environment variable MONGO_UPLINK_PROBE__TIMEOUT)",
        "export.batch_size = 50 (command line)",
        "export.updates = \"newer\" (default)",
        "The configuration is valid.",
    ] {
        assert!(stdout.contains(line), "{line}: {stdout}");
    }
}

#[test]
fn a_connection_string_in_the_wrong_place_is_refused_and_not_quoted() {
    let secret = "mongodb://somebody:s3nt1nelPassw0rd@db.example.com";
    let daemon = settings().prepare();
    let with = |arguments: &[&str]| {
        let mut command = daemon.command();
        command.args(arguments);
        command
    };
    for (command, expected) in [
        (with(&[secret]), 2),
        (with(&["run", secret]), 2),
        (with(&["run", "--config", secret]), 78),
        (with(&["--set", secret]), 78),
        (with(&["--set", &format!("sqlite.path={secret}")]), 78),
        (with(&["--set", &format!("state.directory={secret}")]), 78),
        (with(&["--set", &format!("http.listen={secret}")]), 78),
        (with(&["--set", &format!("log.filter={secret}")]), 78),
        (with(&["--set", &format!("mongodb.database={secret}")]), 78),
        (with(&["--set", &format!("mongodb.uri_file={secret}")]), 78),
        (with(&["--set", &format!("{secret}=1")]), 78),
        (with(&["--set", "mongodb.uri=somebody:s3nt1nelPassw0rd@db.example.com"]), 78),
    ] {
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let (code, stdout, stderr) = run(command);
        assert_eq!(code, Some(expected), "{arguments:?}: {stderr}");
        for hidden in ["s3nt1nel", "somebody", "example.com"] {
            assert!(!stdout.contains(hidden) && !stderr.contains(hidden), "{arguments:?}: {stderr}");
        }
    }
}

#[test]
fn the_exit_code_tells_where_nobody_reads() {
    let daemon = settings().set("export.batch_size", 0).prepare();
    let mut command = daemon.command();
    command.stderr(closed());
    assert_eq!(run(command).0, Some(78));
    let daemon = settings().prepare();
    let mut command = daemon.command();
    command.args(["check", "--configuration"]).stdout(closed());
    assert_eq!(run(command).0, Some(1));
}

/// A pipe that nobody reads.
pub(crate) fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

#[test]
fn the_documented_configuration_is_accepted() {
    let daemon = settings().prepare();
    let documented = include_str!("../../config.toml");
    std::fs::write(daemon.directory().join("config.toml"), documented).expect("our own file");
    let mut command = daemon.command();
    command.args(["check", "--configuration"]);
    let (code, stdout, stderr) = run(command);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
}
