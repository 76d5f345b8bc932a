//! From a row in SQLite to a document in MongoDB, whenever MongoDB is there.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::scene::{Scene, median, quickest, wait_completed, wait_link};
use crate::support::daemon::Daemon;
use crate::support::mongod::{Mongod, shared_mongod};
use crate::support::proxy::Proxy;
use crate::support::sqlite::{App, TABLE};
use crate::support::wait::{PATIENCE, eventually};

#[test]
fn with_nothing_there_it_is_ready_within_a_second_and_waits_and_heals() {
    let promised = Duration::from_secs(1);
    let mongod = Mongod::reserve();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let database = directory.path().join("inquiries.db");
    let daemon = Daemon::builder(&database, &mongod.uri()).prepare();
    let attempt = || {
        if daemon.log().find(mark_of_all(), "started").is_some() {
            daemon.terminate();
        }
        let begun = Instant::now();
        daemon.start();
        assert_eq!(daemon.get("/ready").0, 200);
        begun.elapsed()
    };
    let took = quickest(3, attempt, promised);
    println!("ready with nothing there after {took:?}");
    assert!(took < promised, "{took:?}");

    let lost = daemon.wait_log("connectivity_lost");
    assert_eq!(lost.field("reason"), Some(&Value::from("refused")), "{}", lost.text());
    assert!(lost.field("hint").is_some(), "{}", lost.text());
    let link = wait_link(&daemon, "a few probes", |link| link["attempts"].as_u64() > Some(3));
    assert_eq!((&link["state"], &link["reason"]), (&"offline".into(), &"refused".into()));
    assert!(link["next_probe"].is_string(), "{link}");
    assert_eq!(daemon.status()["status"], "idle");
    let (code, body) = daemon.get("/api/export/sqlite-data");
    assert_eq!(code, 503, "{body}");

    mongod.launch();
    daemon.wait_log("connectivity_restored");
    let waiting = daemon.wait_status("what it waits for", |status| status["waiting_for"].is_string());
    assert!(waiting["waiting_for"].as_str().is_some_and(|text| text.contains("no such file")), "{waiting}");

    let mut app = App::create(directory.path());
    app.insert_inquiries(3);
    let completed = wait_completed(&daemon);
    assert_eq!(completed["successful_records"], 3);
    let healed = daemon.wait_status("no cause to wait", |status| status["waiting_for"].is_null());
    assert_eq!(healed["status"], "completed");
    assert_eq!(mongod.client().count("inquiryassistant", TABLE), 3);
}

/// The log's very beginning.
fn mark_of_all() -> crate::support::daemon::Mark {
    crate::support::daemon::Log::default().mark()
}

#[test]
fn rows_are_exported_by_themselves_as_soon_as_mongodb_appears() {
    let mut times = Vec::new();
    for _ in 0..5 {
        let proxy = Proxy::start(shared_mongod().port());
        proxy.refuse();
        let mut scene = Scene::new("appears").by(proxy.uri());
        scene.app.insert_inquiries(250);
        let daemon = scene.daemon().start();
        wait_link(&daemon, "a long outage", |link| link["attempts"].as_u64() > Some(5));
        assert_eq!(scene.count(), 0);
        let mark = daemon.log().mark();
        proxy.open();
        let begun = Instant::now();
        daemon.wait_log_after(mark, "connectivity_restored");
        let noticed = begun.elapsed();
        eventually(PATIENCE, "a document", || (scene.count() > 0).then_some(()));
        println!("from an open port to its notice {noticed:?}, to the first document {:?}", begun.elapsed());
        times.push(begun.elapsed());
        scene.wait_count(250);
        let status = wait_completed(&daemon);
        assert_eq!((&status["successful_records"], &status["trigger"]), (&250.into(), &"automatic".into()));
    }
    println!("from an open port to the first document of a new collection: median {:?}", median(times));
}

#[test]
fn new_rows_arrive_within_two_seconds_while_online() {
    let mut scene = Scene::new("online");
    scene.app.insert_inquiries(10);
    let _daemon = scene.daemon().start();
    scene.wait_count(10);
    let mut times = Vec::new();
    for number in 11..=25 {
        scene.app.insert_inquiries(1);
        times.push(scene.wait_count(number));
    }
    let (middle, longest) = (median(times.clone()), times.iter().max().copied().expect("some"));
    println!("from a row's commit to its document: median {middle:?}, longest {longest:?}");
    assert!(middle < Duration::from_secs(2), "{times:?}");
}

#[test]
fn after_an_outage_what_came_meanwhile_is_sent_and_only_that() {
    let mongod = Mongod::start();
    let mut scene = Scene::on(&mongod, "outage");
    scene.app.insert_inquiries(300);
    let daemon = scene.daemon().start();
    scene.wait_count(300);
    wait_completed(&daemon);
    let before = scene.documents();

    mongod.kill();
    scene.app.insert_inquiries(200);
    let mark = daemon.log().mark();
    daemon.wait_log("connectivity_lost");
    wait_link(&daemon, "an outage", |link| link["attempts"].as_u64() > Some(2));
    mongod.restart();
    let took = scene.wait_count(500);
    println!("from a writable primary to all of 200 rows: {took:?}");
    daemon.wait_log_after(mark, "connectivity_restored");
    let status = daemon.wait_status("the run of the 200", |status| {
        status["status"] == "completed" && status["successful_records"] == 200
    });
    assert_eq!((&status["processed_records"], &status["total_records"]), (&200.into(), &200.into()));
    assert_eq!(scene.count(), scene.app.count());
    let after = scene.documents();
    assert!(before.iter().all(|document| after.contains(document)), "what was there is as it was");
}

#[test]
fn the_backoff_grows_to_its_cap_and_begins_anew_after_a_success() {
    let proxy = Proxy::start(shared_mongod().port());
    let scene = Scene::new("backoff").by(proxy.uri());
    proxy.refuse();
    let daemon = scene
        .daemon()
        .set("probe.initial_interval", "20ms")
        .set("probe.max_interval", "200ms")
        .set("probe.randomization_factor", 0.0)
        .set("log.filter", "debug")
        .start();
    let delays = |mark| -> Vec<u64> {
        let lines = daemon.log().since(mark);
        let failed = lines.iter().filter(|line| line.event() == Some("probe_failed"));
        failed.filter_map(|line| line.field("next_in_ms")?.as_u64()).collect()
    };
    // The first failure is told as the loss of the connection.
    let grown = |delays: &[u64]| delays.len() >= 5;
    let start = mark_of_all();
    eventually(PATIENCE, "five more failures", || grown(&delays(start)).then_some(()));
    // A delay is told in whole milliseconds, a moment after it was drawn.
    let expected = [40, 80, 160, 200, 200];
    assert!(close(&delays(start)[..5], &expected), "{:?}", delays(start));

    proxy.open();
    daemon.wait_log("connectivity_restored");
    let mark = daemon.log().mark();
    proxy.refuse();
    proxy.cut_all();
    assert_eq!(daemon.post("/api/export/sqlite-to-mongodb").0, 200);
    daemon.wait_log_after(mark, "connectivity_lost");
    eventually(PATIENCE, "failures anew", || grown(&delays(mark)).then_some(()));
    // The first may be the export's own, which was lost; then those of the probes follow.
    let anew = delays(mark);
    assert!(anew[0] <= 40 && anew[4] >= 2 * anew[1] && anew[4] <= 200, "{anew:?}");
}

fn close(told: &[u64], drawn: &[u64]) -> bool {
    told.iter().zip(drawn).all(|(told, drawn)| told.abs_diff(*drawn) <= 1)
}
