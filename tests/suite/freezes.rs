//! A server that freezes with its connections open: noticed within the operation's deadline, healed by itself.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::daemon::{Builder, Daemon};
use crate::support::mongod::Mongod;
use crate::support::sqlite::{App, TABLE};
use crate::support::talker::{Manner, Talker};
use crate::support::wait::{PATIENCE, eventually};

/// The daemon's deadlines in these tests.
const OPERATION: Duration = Duration::from_secs(2);
const PROBE: Duration = Duration::from_secs(1);

/// Promised: noticed this much after the operation's deadline.
const NOTICED: Duration = Duration::from_secs(1);

/// Promised: status answers within this time, whatever hangs.
const STATUS: Duration = Duration::from_millis(100);

/// What hangs, hangs for longer than this; a single slow answer may be the machine's fault.
const HANGING: Duration = Duration::from_secs(1);

fn daemon(app: &App, uri: &str) -> Builder {
    Daemon::builder(app.path(), uri)
        .set("mongodb.operation_timeout", "2s")
        .set("probe.timeout", "1s")
        .set("export.batch_size", 10)
}

/// Asks for the status until `event` is logged; tells how long that took. The answers must be quick.
#[track_caller]
fn watched_until(daemon: &Daemon, event: &str, limit: Duration) -> Duration {
    let (mark, begun) = (daemon.log().mark(), Instant::now());
    let mut answers = Vec::new();
    eventually(limit, event, || {
        let asked = Instant::now();
        daemon.status();
        answers.push(asked.elapsed());
        daemon.log().find(mark, event)
    });
    let took = begun.elapsed();
    answers.sort_unstable();
    let (median, longest) = (answers[answers.len() / 2], answers[answers.len() - 1]);
    assert!(median < STATUS && longest < HANGING, "the status took {median:?}, at worst {longest:?}");
    took
}

#[test]
fn a_server_that_is_frozen_at_the_start_is_noticed_and_used_when_it_goes_on() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut app = App::create(directory.path());
    app.insert_inquiries(25);
    let mongod = Mongod::start();
    mongod.freeze();
    let daemon = daemon(&app, &mongod.uri()).start();
    let line = daemon.wait_log("connectivity_lost");
    assert_eq!(line.field("reason").and_then(Value::as_str), Some("timeout"), "{}", line.text());
    mongod.thaw();
    daemon.wait_status("an export", |status| status["status"] == "completed");
    assert_eq!(mongod.client().count("inquiryassistant", TABLE), 25);
}

#[test]
fn a_server_that_freezes_while_rows_are_sent_is_noticed_and_nothing_is_lost_or_doubled() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut app = App::create(directory.path());
    app.insert_inquiries(1_000);
    let mongod = Mongod::start();
    let daemon = daemon(&app, &mongod.uri()).start();
    daemon.wait_status("some rows", |status| status["processed_records"].as_u64() > Some(50));
    mongod.freeze();
    let took = watched_until(&daemon, "connectivity_lost", OPERATION + NOTICED + PROBE);
    println!("noticed after {took:?}");
    assert!(took < OPERATION + NOTICED, "noticed after {took:?}");
    mongod.thaw();
    let client = mongod.client();
    daemon.wait_status("the end", |status| {
        status["status"] == "completed" && client.count("inquiryassistant", TABLE) == 1_000
    });
    assert_eq!(client.count("inquiryassistant", TABLE), 1_000);
}

#[test]
fn a_server_that_freezes_while_nothing_is_to_be_sent_is_noticed_with_the_next_row() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut app = App::create(directory.path());
    app.insert_inquiries(5);
    let mongod = Mongod::start();
    let daemon = daemon(&app, &mongod.uri()).start();
    daemon.wait_status("an export", |status| status["status"] == "completed");
    mongod.freeze();
    app.insert_inquiries(1);
    // Looking for new rows takes up to half a second.
    let took = watched_until(&daemon, "connectivity_lost", OPERATION + NOTICED + PROBE);
    println!("noticed after {took:?}");
    assert!(took < OPERATION + NOTICED, "noticed after {took:?}");
    mongod.thaw();
    let client = mongod.client();
    eventually(PATIENCE, "the row", || (client.count("inquiryassistant", TABLE) == 6).then_some(()));
}

#[test]
fn the_test_endpoint_answers_within_the_probe_s_timeout_and_half_a_second() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let app = App::create(directory.path());
    let (silent, deaf) = (Talker::start(Manner::Silent), Talker::start(Manner::Deaf));
    for port in [silent.port(), deaf.port()] {
        let uri = format!(
            "mongodb://127.0.0.1:{port}/?serverSelectionTimeoutMS=60000&connectTimeoutMS=60000&directConnection=true"
        );
        let fallback = uri.clone();
        let daemon = daemon(&app, &uri).set("mongodb.fallback_uris", vec![fallback]).start();
        let asked = Instant::now();
        let (code, body) = daemon.post("/api/export/test-mongodb-connection");
        let took = asked.elapsed();
        println!("{took:?}: {body}");
        assert!(took < PROBE + Duration::from_millis(500), "{took:?}");
        assert_eq!((code, &body["success"]), (503, &Value::Bool(false)), "{body}");
        assert_eq!(body["message"], "MongoDB connection test failed");
        assert!(body["error"].as_str().is_some_and(|error| error.starts_with("timeout: ")), "{body}");
    }
}
