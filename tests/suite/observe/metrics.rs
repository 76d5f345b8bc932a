//! `GET /metrics`, on a daemon at work.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mongodb::bson::doc;

use crate::scene::{Scene, wait_completed, wait_link};
use crate::support::daemon::Daemon;
use crate::support::metrics::{Samples, is_content, promtool};
use crate::support::mongod::shared_mongod;
use crate::support::proxy::Proxy;
use crate::support::sqlite::TABLE;
use crate::support::wait::{PATIENCE, eventually};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/observability")
}

#[track_caller]
fn text(daemon: &Daemon) -> String {
    let (code, text) = daemon.get_text("/metrics");
    assert_eq!(code, 200, "{text}");
    text
}

fn samples(daemon: &Daemon) -> Samples {
    Samples::read(&text(daemon))
}

#[test]
fn rows_that_wait_are_counted_while_mongodb_is_away_and_gone_when_they_have_arrived() {
    let proxy = Proxy::start(shared_mongod().port());
    proxy.refuse();
    let mut scene = Scene::new("metrics").by(proxy.uri());
    scene.app.insert_inquiries(40);
    scene.app.insert_duplicates(3);
    let daemon = scene.daemon().set("probe.max_interval", "200ms").start();
    wait_link(&daemon, "an outage", |link| link["state"] == "offline");
    let waiting = |rows: f64| {
        eventually(PATIENCE, "the rows that wait", || {
            let samples = samples(&daemon);
            (samples.get("pending_rows") == rows).then_some(samples)
        })
    };
    let first = waiting(43.0);
    assert_eq!(first.get("connectivity_state{state=\"offline\"}"), 1.0);
    assert_eq!(first.get("connectivity_failure_reason{reason=\"refused\"}"), 1.0);
    assert_eq!(first.get("connectivity_transitions_total{to=\"offline\"}"), 1.0);
    scene.app.insert_inquiries(5);
    let second = waiting(48.0);
    assert!(second.get("oldest_pending_age_seconds") > first.get("oldest_pending_age_seconds"));
    assert!(second.get("probe_failures_total{reason=\"refused\"}") >= 1.0);
    let status = daemon.status();
    assert_eq!(status["pending_records"], 48);
    assert!(status["oldest_pending_time"].is_string(), "{status}");

    proxy.open();
    wait_completed(&daemon);
    wait_link(&daemon, "a link", |link| link["state"] == "online");
    let done = waiting(0.0);
    for (series, value) in [
        ("oldest_pending_age_seconds", 0.0),
        ("rows_total{outcome=\"exported\"}", 45.0),
        ("rows_total{outcome=\"duplicate\"}", 3.0),
        ("rows_total{outcome=\"rejected\"}", 0.0),
        ("connectivity_state{state=\"online\"}", 1.0),
        ("connectivity_transitions_total{to=\"online\"}", 1.0),
    ] {
        assert_eq!(done.get(series), value, "{series}");
    }
    assert!(done.get("probe_attempts_total") > done.get("probe_failures_total{reason=\"refused\"}"));
    assert!(done.get("batch_duration_seconds_count") >= 1.0);
    assert!(done.get("export_duration_seconds_count{result=\"completed\"}") >= 1.0);
    // A document of these rows has some 600 bytes.
    let bytes = done.get("exported_bytes_total") / 45.0;
    assert!((300.0..1_500.0).contains(&bytes), "{bytes} a row");
    for of in ["link", "export"] {
        assert!(done.get(&format!("last_success_timestamp_seconds{{of=\"{of}\"}}")) > 1.7e9);
    }

    // A change is an update, and a refused row is a rejected one.
    scene
        .mongo
        .run(&scene.database, doc! { "collMod": TABLE, "validator": { "city": { "$ne": "nowhere" } } });
    scene.app.execute(
        "UPDATE chat_inquiry_information SET city = 'elsewhere', updated_at = '2099-01-01' WHERE id = 1",
    );
    scene.app.execute(
        "UPDATE chat_inquiry_information SET city = 'nowhere', updated_at = '2099-01-01' WHERE id = 2",
    );
    eventually(PATIENCE, "an update and a refusal", || {
        let samples = samples(&daemon);
        let counted =
            ["updated", "rejected"].map(|of| samples.get(&format!("rows_total{{outcome=\"{of}\"}}")));
        (counted == [1.0, 1.0]).then_some(())
    });
}

#[test]
fn a_paused_daemon_tells_of_the_rows_that_wait() {
    let mut scene = Scene::new("paused_metrics");
    let daemon = scene.daemon().start();
    wait_link(&daemon, "a link", |link| link["state"] == "online");
    assert_eq!(daemon.post("/api/export/pause").0, 200);
    scene.app.insert_inquiries(7);
    eventually(PATIENCE, "seven rows", || {
        let samples = samples(&daemon);
        (samples.get("pending_rows") == 7.0 && samples.get("export_paused") == 1.0).then_some(())
    });
    assert_eq!(daemon.post("/api/export/resume").0, 200);
    scene.wait_count(7);
    eventually(PATIENCE, "none", || (samples(&daemon).get("pending_rows") == 0.0).then_some(()));
}

#[test]
fn prometheus_takes_the_metrics_and_the_rules_for_good() {
    let promtool = promtool();
    let mut scene = Scene::new("promtool");
    scene.app.insert_inquiries(3);
    let daemon = scene.daemon().start();
    scene.wait_count(3);
    wait_completed(&daemon);
    is_content(&promtool, &examples(), &["check", "metrics"], &text(&daemon));
    is_content(&promtool, &examples(), &["check", "config", "prometheus.yml"], "");
    is_content(&promtool, &examples(), &["test", "rules", "alerts_test.yml"], "");
}

#[test]
fn rules_and_dashboard_name_nothing_that_is_not_served() {
    let mut scene = Scene::new("named_metrics");
    scene.app.insert_inquiries(3);
    let daemon = scene.daemon().start();
    scene.wait_count(3);
    wait_completed(&daemon);
    let samples = samples(&daemon);
    let served: BTreeSet<&str> = samples.names().collect();
    let mut named = 0;
    for file in ["alerts.yml", "alerts_test.yml", "dashboard.json"] {
        let text = fs::read_to_string(examples().join(file)).expect("it is there");
        for (at, _) in text.match_indices("mongo_uplink_") {
            let end =
                text[at..].find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(text.len() - at);
            let name = &text[at..at + end];
            assert!(served.contains(name), "{file} names {name}, which isn't served");
            named += 1;
        }
    }
    assert!(named > 20, "{named}");
    let dashboard = fs::read_to_string(examples().join("dashboard.json")).expect("it is there");
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).expect("JSON");
    assert!(dashboard["panels"].as_array().is_some_and(|panels| panels.len() > 8));
}
