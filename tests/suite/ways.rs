//! The ways to MongoDB: fallbacks, the return to the first way, connection strings that change while the daemon runs.

use std::fs;
use std::time::Duration;

use mongo_uplink::config::{Config, Sources};
use mongo_uplink::report::{Failure, Reason};
use mongo_uplink::target::Ways;
use mongodb::bson::doc;
use serde_json::Value;

use crate::support::daemon::Daemon;
use crate::support::mongod::{Mongod, ReplicaSet, fresh_database, shared_mongod};
use crate::support::proxy::Proxy;
use crate::support::runtime::wait_for;
use crate::support::sqlite::{App, TABLE};
use crate::support::wait::{PATIENCE, eventually};

const BUDGET: Duration = Duration::from_secs(2);

fn ways(uris: &[&str], return_after: Duration) -> Ways {
    let sources = Sources::default()
        .with_override(format!("mongodb.uri={}", uris[0]))
        .with_override(format!("mongodb.fallback_uris={}", uris[1..].join(" ")));
    Ways::new(Config::load(&sources).expect("a valid configuration").mongodb, return_after)
}

/// Connects, and tells which way it was.
#[track_caller]
fn connect(ways: &Ways) -> Result<usize, Failure> {
    let ways = ways.clone();
    wait_for(PATIENCE, "connect", async move {
        let target = ways.connect(BUDGET).await?;
        target.close().await;
        Ok(ways.last())
    })
}

#[test]
fn a_fallback_is_used_while_the_first_way_fails_and_left_when_it_is_time() {
    let port = shared_mongod().port();
    let (first, second) = (Proxy::start(port), Proxy::start(port));
    let (uri, fallback) = (first.uri(), second.uri());
    let patient = ways(&[&uri, &fallback], Duration::from_secs(3600));
    let eager = ways(&[&uri, &fallback], Duration::ZERO);
    assert_eq!((connect(&patient), connect(&eager)), (Ok(0), Ok(0)));
    first.refuse();
    first.cut_all();
    assert_eq!((connect(&patient), connect(&eager)), (Ok(1), Ok(1)));
    first.open();
    assert_eq!((connect(&patient), connect(&eager)), (Ok(1), Ok(0)));
    second.refuse();
    assert_eq!(connect(&patient), Ok(0), "the fallback failed, so that the first way is tried");
    first.refuse();
    for ways in [patient, eager] {
        assert_eq!(connect(&ways).map_err(|failure| failure.reason), Err(Reason::Refused));
    }
}

#[test]
fn an_idle_daemon_returns_from_the_fallback_to_the_first_way() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut app = App::create(directory.path());
    app.insert_inquiries(3);
    let database = fresh_database("returns");
    let port = shared_mongod().port();
    let (first, second) = (Proxy::start(port), Proxy::start(port));
    first.refuse();
    let daemon = Daemon::builder(app.path(), &first.uri())
        .set("mongodb.fallback_uris", vec![second.uri()])
        .set("mongodb.database", database.as_str())
        .set("probe.online_interval", "300ms")
        .start();
    daemon.wait_status("an export", |status| status["successful_records"] == 3);
    assert!(second.counters().open > 0);
    first.open();
    eventually(PATIENCE, "the first way", || (first.counters().open > 0).then_some(()));
    eventually(PATIENCE, "the fallback's end", || (second.counters().open == 0).then_some(()));
    app.insert_inquiries(1);
    let client = shared_mongod().client();
    eventually(PATIENCE, "the new row", || (client.count(&database, TABLE) == 4).then_some(()));
}

/// A server on which `writer` has the password `right`, and on which a connection without login may do all the same.
fn with_user() -> Mongod {
    let mongod = Mongod::start();
    let client = mongod.client();
    client.run("admin", doc! { "createUser": "writer", "pwd": "right", "roles": ["readWriteAnyDatabase"] });
    client.close();
    mongod
}

fn login(mongod: &Mongod, password: &str) -> String {
    format!("mongodb://writer:{password}@127.0.0.1:{}/?directConnection=true", mongod.port())
}

#[test]
fn a_password_corrected_in_the_file_heals_without_a_restart() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut app = App::create(directory.path());
    app.insert_inquiries(3);
    let mongod = with_user();
    let file = directory.path().join("uri");
    fs::write(&file, login(&mongod, "wrong") + "\n").expect("our own directory");
    let daemon = Daemon::builder(app.path(), "mongodb://unused")
        .unset("mongodb.uri")
        .set("mongodb.uri_file", file.to_str().expect("a readable name"))
        .start();
    let line = daemon.wait_log("connectivity_lost");
    assert_eq!(line.field("reason").and_then(Value::as_str), Some("auth"), "{}", line.text());
    // Somebody who is just writing it.
    fs::write(&file, "mongo").expect("our own directory");
    let mark = daemon.log().mark();
    let test = daemon.post("/api/export/test-mongodb-connection").1;
    assert!(test["error"].as_str().is_some_and(|error| error.starts_with("auth: ")), "{test}");
    fs::write(&file, login(&mongod, "right") + "\n").expect("our own directory");
    daemon.wait_log_after(mark, "connectivity_restored");
    daemon.wait_status("an export", |status| status["successful_records"] == 3);
}

#[test]
fn a_user_that_is_dropped_and_made_again_costs_nothing_but_time() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut app = App::create(directory.path());
    app.insert_inquiries(3);
    let mongod = with_user();
    let proxy = Proxy::start(mongod.port());
    let uri = format!("mongodb://writer:right@127.0.0.1:{}/?directConnection=true", proxy.port());
    let daemon = Daemon::builder(app.path(), &uri).set("mongodb.idle_disconnect", "100ms").start();
    daemon.wait_status("an export", |status| status["successful_records"] == 3);
    // This server asks who one is, but not at each step: the next connection has to log in.
    eventually(PATIENCE, "no connection", || (proxy.counters().open == 0).then_some(()));
    let (client, mark) = (mongod.client(), daemon.log().mark());
    client.run("admin", doc! { "dropUser": "writer" });
    app.insert_inquiries(3);
    let line = daemon.wait_log_after(mark, "connectivity_lost");
    assert_eq!(line.field("reason").and_then(Value::as_str), Some("auth"), "{}", line.text());
    let status = daemon.status();
    assert_eq!((&status["failed_records"], &status["skipped_records"]), (&0.into(), &0.into()), "{status}");
    client.run("admin", doc! { "createUser": "writer", "pwd": "right", "roles": ["readWriteAnyDatabase"] });
    eventually(PATIENCE, "all rows", || (client.count("inquiryassistant", TABLE) == 6).then_some(()));
}

#[test]
fn a_primary_that_moves_is_found_by_way_of_the_one_member_that_is_named() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut app = App::create(directory.path());
    app.insert_inquiries(3);
    let set = ReplicaSet::start(3);
    let primary = set.primary_index();
    let named = set.member((primary + 1) % 3);
    let uri = format!("mongodb://127.0.0.1:{}/?replicaSet=rs", named.port());
    let daemon = Daemon::builder(app.path(), &uri).start();
    daemon.wait_status("an export", |status| status["successful_records"] == 3);
    set.member(primary).kill();
    app.insert_inquiries(3);
    let client = set.client();
    eventually(Duration::from_secs(60), "all rows", || {
        let found = client.count("inquiryassistant", TABLE);
        (found == 6).then_some(())
    });
}
