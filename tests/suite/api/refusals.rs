//! What is refused or can't be had is told with its reason, and changes nothing.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{DATA, RESET, START, STATUS, TEST, by_hand, failure, start};
use crate::scene::{Scene, quickest};
use crate::support::mongod::Mongod;
use crate::support::proxy::Proxy;
use crate::support::sqlite::TABLE;

#[test]
fn a_wrong_parameter_is_refused_by_name_and_changes_nothing() {
    let mut scene = Scene::new("parameter");
    scene.app.insert_inquiries(5);
    let daemon = by_hand(&scene);
    let before = daemon.status();
    for (query, name, value) in [
        ("batch_size=0", "batch_size", "\"0\""),
        ("batch_size=1001", "batch_size", "\"1001\""),
        ("batch_size=-1", "batch_size", "\"-1\""),
        ("batch_size=1.5", "batch_size", "\"1.5\""),
        ("batch_size=many", "batch_size", "\"many\""),
        ("batch_size=", "batch_size", "empty"),
        ("batch_size=5&batch_size=6", "batch_size", "more than once"),
        ("batch_size=99999999999999999999", "batch_size", "99999"),
        ("skip_duplicates=2", "skip_duplicates", "\"2\""),
        ("skip_duplicates=perhaps", "skip_duplicates", "\"perhaps\""),
        ("batch_size=50&skip_duplicates=", "skip_duplicates", "empty"),
    ] {
        let error = failure(daemon.post(&format!("{START}?{query}")), 422, "Invalid request");
        assert!(
            error.contains(name) && error.contains(value) && error.contains("allowed"),
            "{query}: {error}"
        );
    }
    assert_eq!(daemon.status(), before);
    assert_eq!(scene.count(), 0);
    assert_eq!(start(&daemon, "?batch_size=1000&skip_duplicates=False&other=1")["batch_size"], 1000);
    scene.wait_count(5);
}

#[test]
fn what_is_not_there_or_takes_another_method_is_told_in_the_same_form() {
    let daemon = by_hand(&Scene::new("absent"));
    for path in ["/api/export", "/api/export/", "/api/export/statuses", "/nothing", "/api/export/status/"] {
        failure(daemon.get(path), 404, "Not found");
    }
    for path in [DATA, STATUS] {
        failure(daemon.post(path), 405, "Method not allowed");
    }
    for path in [TEST, START, RESET] {
        failure(daemon.get(path), 405, "Method not allowed");
    }
    assert_eq!(daemon.status()["status"], "idle", "GET starts nothing");
}

#[test]
fn the_connection_test_fails_within_its_timeout_and_half_a_second() {
    let limit = Duration::from_millis(1_500);
    let closed = Proxy::start(1);
    closed.refuse();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let frozen = Mongod::start();
    frozen.freeze();
    let silent_port = silent.local_addr().expect("it is bound").port();
    for (port, reason) in [(closed.port(), "refused"), (silent_port, "timeout"), (frozen.port(), "timeout")] {
        let uri = format!("mongodb://sentinel:s3nt1nel@127.0.0.1:{port}/?directConnection=true");
        let scene = Scene::new("away").by(uri);
        let daemon = scene.daemon().set("probe.timeout", "1s").start();
        let attempt = || {
            let begun = Instant::now();
            let error = failure(daemon.post(TEST), 503, "MongoDB connection test failed");
            let took = begun.elapsed();
            assert!(error.starts_with(reason), "{error}");
            assert!(!error.contains("entinel") && !error.contains("://"), "{error}");
            took
        };
        let took = quickest(3, attempt, limit);
        println!("the connection test with a timeout of 1 s, {reason} on {port}: {took:?}");
        assert!(took < limit, "{reason}: {took:?}");
    }
    frozen.thaw();
}

#[test]
fn sqlite_data_that_can_not_be_read_is_told_with_the_reason() {
    let scene = Scene::new("unreadable");
    let text = scene.directory.path().join("text.db");
    std::fs::write(&text, "This is no database, but a text of some length.\n".repeat(100)).expect("written");
    for (path, table, reason) in [
        (scene.directory.path().join("missing.db"), TABLE, "no such file"),
        (scene.app.path().to_owned(), "absent", "no table \"absent\""),
        (text, TABLE, "not a SQLite database"),
    ] {
        let path = path.to_str().expect("a readable name");
        let daemon = scene.daemon().set("sqlite.path", path).set("sqlite.table", table).start();
        let error = failure(daemon.get(DATA), 503, "SQLite data is not available");
        assert!(error.contains(reason), "{error}");
        let status = daemon.wait_status("the reason", |status| status["waiting_for"].is_string());
        assert!(status["waiting_for"].as_str().is_some_and(|text| text.contains(reason)), "{status}");
        let line = daemon.wait_log("source_unavailable");
        assert!(line.field("error").and_then(Value::as_str).is_some_and(|text| text.contains(reason)));
        start(&daemon, "");
        let failed = daemon.wait_status("a failed export", |status| status["status"] == "failed");
        assert!(failed["error_message"].as_str().is_some_and(|text| text.contains(reason)), "{failed}");
        assert_eq!(failed["reason"], Value::Null, "MongoDB is well");
    }
}
