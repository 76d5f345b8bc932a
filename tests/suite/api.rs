//! The documented endpoints, field by field, on a daemon at work.

mod refusals;

use std::time::{Duration, Instant};

use mongodb::bson::doc;
use serde_json::{Value, json};

use crate::scene::{Scene, names, wait_completed, wait_link};
use crate::support::daemon::Daemon;
use crate::support::mongod::{Mongod, shared_mongod};
use crate::support::proxy::Proxy;
use crate::support::sqlite::{Inquiry, TABLE};
use crate::support::wait::{PATIENCE, poll};

const DATA: &str = "/api/export/sqlite-data";
const TEST: &str = "/api/export/test-mongodb-connection";
const STATUS: &str = "/api/export/status";
const START: &str = "/api/export/sqlite-to-mongodb";
const RESET: &str = "/api/export/reset-export-status";

const DOCUMENTED: [&str; 9] = [
    "status",
    "total_records",
    "processed_records",
    "successful_records",
    "failed_records",
    "skipped_records",
    "start_time",
    "end_time",
    "error_message",
];

/// The `data` of a success, whose envelope is as documented.
#[track_caller]
fn success((code, mut body): (u16, Value), message: &str) -> Value {
    assert_eq!(names(&body), ["success", "message", "data", "error"], "{body}");
    assert_eq!((code, &body["success"], &body["message"]), (200, &json!(true), &json!(message)), "{body}");
    assert_eq!(body["error"], Value::Null);
    body["data"].take()
}

/// The `error` of a failure, whose envelope is as documented.
#[track_caller]
fn failure((code, body): (u16, Value), expected: u16, message: &str) -> String {
    assert_eq!(names(&body), ["success", "message", "data", "error"], "{body}");
    assert_eq!(
        (code, &body["success"], &body["message"]),
        (expected, &json!(false), &json!(message)),
        "{body}"
    );
    assert_eq!(body["data"], Value::Null);
    body["error"].as_str().expect("a reason").to_owned()
}

#[track_caller]
fn start(daemon: &Daemon, query: &str) -> Value {
    success(daemon.post(&format!("{START}{query}")), "Export started successfully")
}

/// Starts an export and waits until it has gone through.
#[track_caller]
fn export(daemon: &Daemon, query: &str) -> Value {
    let id = start(daemon, query)["export_id"].take();
    daemon.wait_status("the end of the export", |status| {
        status["export_id"] == id && status["status"] == "completed"
    })
}

/// By hand only, so that nothing happens that the test didn't ask for.
#[track_caller]
fn by_hand(scene: &Scene) -> Daemon {
    scene.daemon().set("export.automatic", false).start()
}

#[track_caller]
fn assert_counters_add_up(status: &Value) {
    let [total, processed, successful, failed, skipped] =
        [1, 2, 3, 4, 5].map(|at| status[DOCUMENTED[at]].as_u64().expect("a counter"));
    assert!(processed == successful + failed + skipped && processed <= total, "{status}");
}

#[test]
fn sqlite_data_is_summarized_field_by_field() {
    let mut scene = Scene::new("data");
    let daemon = by_hand(&scene);
    let empty = success(daemon.get(DATA), "No data found in SQLite");
    assert_eq!(empty, json!({ "total_records": 0, "sample_records": [] }));

    let status = export(&daemon, "");
    let counters = ["total_records", "processed_records", "successful_records"];
    assert_eq!(counters.map(|name| &status[name]), [0, 0, 0], "an export of nothing");

    scene.app.insert_inquiries(29);
    let data = success(daemon.get(DATA), "Found 29 records in SQLite");
    assert_eq!(names(&data), ["total_records", "sample_records", "statistics"]);
    assert_eq!(data["total_records"], 29);
    let samples = data["sample_records"].as_array().expect("a list");
    assert_eq!(samples.len(), 5);
    let person = Inquiry::number(0);
    let expected = json!({
        "id": "1", "user_id": person.user_id, "parentType": person.parent_type, "schoolType": person.school_type,
        "firstName": person.first_name, "mobile": person.mobile, "email": person.email, "city": person.city,
        "childName": person.child_name, "grade": person.grade, "academicYear": person.academic_year,
        "dateOfBirth": person.date_of_birth, "schoolName": person.school_name, "status": person.status,
        "source": person.source, "created_at": person.created_at, "updated_at": person.created_at,
    });
    assert_eq!(samples[0], expected);
    assert_eq!(names(&samples[0]), names(&expected), "in the table's order");
    let ids: Vec<&Value> = samples.iter().map(|sample| &sample["id"]).collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5"]);

    let statistics = &data["statistics"];
    let expected = ["unique_user_ids", "parent_type_distribution", "school_type_distribution"];
    assert_eq!(names(statistics), expected);
    assert_eq!(statistics["unique_user_ids"], 19, "NULL is nobody");
    assert_eq!(statistics["parent_type_distribution"], json!({ "New Parent": 20, "Existing Parent": 9 }));
    assert_eq!(statistics["school_type_distribution"], json!({ "Day School": 22, "Boarding School": 7 }));

    scene.app.execute("UPDATE chat_inquiry_information SET parentType = NULL WHERE id <= 4");
    let data = success(daemon.get(DATA), "Found 29 records in SQLite");
    let distribution = data["statistics"]["parent_type_distribution"].as_object().expect("an object");
    assert_eq!(distribution["null"], 4);
    assert_eq!(distribution.values().filter_map(Value::as_u64).sum::<u64>(), 29);
}

#[test]
fn the_connection_test_tells_database_collection_and_documents() {
    let scene = Scene::new("connection");
    scene.mongo.insert_many(&scene.database, TABLE, vec![doc! {}, doc! {}]);
    let daemon = by_hand(&scene);
    let data = success(daemon.post(TEST), "MongoDB connection successful");
    assert_eq!(names(&data), ["connection_status", "database", "collection", "existing_records"]);
    let expected = json!({
        "connection_status": "connected", "database": scene.database, "collection": TABLE, "existing_records": 2,
    });
    assert_eq!(data, expected);
}

#[test]
fn an_export_goes_from_idle_by_running_to_completed_and_is_reset_to_idle() {
    let proxy = Proxy::start(shared_mongod().port());
    let mut scene = Scene::new("course").by(proxy.uri());
    scene.app.insert_inquiries(29);
    let daemon = by_hand(&scene);
    let idle = success(daemon.get(STATUS), "Export status retrieved successfully");
    assert_eq!(names(&idle)[..9], DOCUMENTED);
    let zero = json!(["idle", 0, 0, 0, 0, 0, null, null, null]);
    assert_eq!(DOCUMENTED.map(|name| idle[name].clone()).to_vec(), *zero.as_array().expect("a list"));

    proxy.delay(Duration::from_millis(40));
    let started = start(&daemon, "?batch_size=10&skip_duplicates=true");
    assert_eq!(names(&started), ["export_id", "batch_size", "skip_duplicates", "status"]);
    let id = started["export_id"].as_str().expect("a text").to_owned();
    assert_eq!(
        started,
        json!({
            "export_id": id, "batch_size": 10, "skip_duplicates": true, "status": "started",
        })
    );
    let form = jiff::civil::DateTime::strptime("export_%Y%m%d_%H%M%S", &id);
    assert!(form.is_ok() && id.len() == "export_20240927_143022".len(), "{id}");
    let running = daemon.status();
    assert_eq!((&running["status"], &running["end_time"]), (&json!("running"), &Value::Null), "{running}");
    let error = failure(daemon.post(START), 409, "Export is already running");
    assert_eq!(error, "Another export operation is in progress");
    let error = failure(daemon.post(RESET), 409, "Export is already running");
    assert!(error.contains("stop it first"), "{error}");

    let completed = wait_completed(&daemon);
    assert_eq!(names(&completed)[..9], DOCUMENTED);
    assert_eq!((&completed["export_id"], &completed["trigger"]), (&json!(id), &json!("manual")));
    let counters = ["total_records", "processed_records", "successful_records"];
    assert_eq!(counters.map(|name| &completed[name]), [29, 29, 29]);
    for name in ["start_time", "end_time"] {
        let time = completed[name].as_str().expect("a time");
        assert!(time.parse::<jiff::Timestamp>().is_ok() && time.len() == 24 && time.ends_with('Z'), "{time}");
    }
    assert!(completed["start_time"].as_str() <= completed["end_time"].as_str());
    assert_eq!(completed["error_message"], Value::Null);

    let reset = success(daemon.post(RESET), "Export status reset successfully");
    assert_eq!(names(&reset)[..9], DOCUMENTED);
    assert_eq!(DOCUMENTED.map(|name| reset[name].clone()).to_vec(), *zero.as_array().expect("a list"));
    assert_eq!(daemon.status(), reset);
}

#[test]
fn a_manual_export_brings_back_what_somebody_deleted_and_doubles_nothing() {
    let mut scene = Scene::new("deleted");
    scene.app.insert_inquiries(120);
    let daemon = scene.daemon().start();
    scene.wait_count(120);
    wait_completed(&daemon);
    assert_eq!(scene.mongo.delete(&scene.database, TABLE, doc! {}), 120);
    let status = export(&daemon, "?batch_size=50");
    assert_eq!((&status["successful_records"], &status["skipped_records"]), (&json!(120), &json!(0)));
    assert_eq!(scene.count(), 120);
    let status = export(&daemon, "");
    assert_eq!((&status["successful_records"], &status["skipped_records"]), (&json!(0), &json!(120)));
    assert_eq!((&status["duplicate_records"], scene.count()), (&json!(0), 120));
}

#[test]
fn duplicates_are_exported_if_they_are_not_to_be_skipped() {
    let mut scene = Scene::new("duplicates");
    scene.app.insert_inquiries(20);
    scene.app.insert_duplicates(5);
    let daemon = by_hand(&scene);
    let status = export(&daemon, "");
    let counters = ["successful_records", "skipped_records", "duplicate_records", "processed_records"];
    assert_eq!(counters.map(|name| &status[name]), [20, 5, 5, 25]);
    assert_eq!(scene.count(), 20);
    let status = export(&daemon, "?skip_duplicates=false");
    assert_eq!(counters.map(|name| &status[name]), [5, 20, 0, 25]);
    assert_eq!(scene.count(), 25);
    let status = export(&daemon, "?skip_duplicates=true");
    assert_eq!((&status["successful_records"], scene.count()), (&json!(0), 25));
}

#[test]
fn a_reset_forgets_no_delivery() {
    let mut scene = Scene::new("reset");
    scene.app.insert_inquiries(30);
    let daemon = scene.daemon().start();
    scene.wait_count(30);
    wait_completed(&daemon);
    success(daemon.post(RESET), "Export status reset successfully");
    scene.app.insert_inquiries(3);
    let status = wait_completed(&daemon);
    let counters = ["total_records", "processed_records", "successful_records", "skipped_records"];
    assert_eq!(counters.map(|name| &status[name]), [3, 3, 3, 0]);
    assert_eq!(scene.count(), 33);
}

#[test]
fn a_manual_start_without_mongodb_fails_with_the_reason_and_resumes_by_itself() {
    let proxy = Proxy::start(shared_mongod().port());
    proxy.refuse();
    let mut scene = Scene::new("resumes").by(proxy.uri());
    scene.app.insert_inquiries(40);
    let daemon = by_hand(&scene);
    wait_link(&daemon, "an outage", |link| link["state"] == "offline");
    let id = start(&daemon, "?batch_size=7")["export_id"].take();
    let failed = daemon.wait_status("a failed export", |status| status["status"] == "failed");
    assert_eq!((&failed["export_id"], &failed["reason"]), (&id, &json!("refused")));
    assert!(failed["error_message"].as_str().is_some_and(|text| text.contains("refused")), "{failed}");
    assert!(failed["end_time"].is_string());
    proxy.open();
    let completed = wait_completed(&daemon);
    let counters = ["total_records", "processed_records", "successful_records"];
    assert_eq!(counters.map(|name| &completed[name]), [40, 40, 40]);
    assert_eq!((&completed["trigger"], scene.count()), (&json!("manual"), 40));
}

#[test]
fn counters_add_up_in_every_snapshot() {
    let proxy = Proxy::start(shared_mongod().port());
    let mut scene = Scene::new("snapshots").by(proxy.uri());
    scene.app.insert_inquiries(400);
    scene.app.insert_duplicates(100);
    let daemon = by_hand(&scene);
    proxy.delay(Duration::from_millis(3));
    start(&daemon, "?batch_size=5");
    let mut snapshots = Vec::new();
    poll(PATIENCE, || {
        for _ in 0..5 {
            let status = daemon.status();
            assert_counters_add_up(&status);
            snapshots.push((status["processed_records"].as_u64(), status["status"] == "completed"));
        }
        snapshots.last().is_some_and(|(_, completed)| *completed).then_some(())
    })
    .expect("the export goes through");
    assert!(snapshots.is_sorted(), "counters never fall");
    let seen: std::collections::BTreeSet<_> = snapshots.iter().collect();
    println!("{} snapshots, {} different", snapshots.len(), seen.len());
    let status = daemon.status();
    assert_eq!((&status["successful_records"], &status["skipped_records"]), (&json!(400), &json!(100)));
    assert_eq!(scene.count(), 400);
}

#[test]
fn the_status_answers_within_100_ms_while_mongodb_is_frozen() {
    let mongod = Mongod::start();
    let proxy = Proxy::start(mongod.port());
    proxy.delay(Duration::from_millis(5));
    let mut scene = Scene::on(&mongod, "status").by(proxy.uri());
    scene.app.insert_inquiries(600);
    let daemon = scene.daemon().set("export.batch_size", 10).set("mongodb.operation_timeout", "2s").start();
    daemon.wait_status("a running export", |status| status["processed_records"].as_u64() > Some(0));
    mongod.freeze();
    let mut times = Vec::new();
    let failed = poll(PATIENCE, || {
        let begun = Instant::now();
        let status = daemon.status();
        times.push(begun.elapsed());
        assert_counters_add_up(&status);
        (status["status"] == "failed").then_some(status)
    })
    .expect("the operation's deadline ends the run");
    assert_eq!(failed["reason"], "timeout", "{failed}");
    times.sort_unstable();
    let (most, longest) = (times[times.len() * 9 / 10], times[times.len() - 1]);
    println!("{} answers while frozen: nine tenths within {most:?}, longest {longest:?}", times.len());
    assert!(most < Duration::from_millis(100), "{most:?}");
    mongod.thaw();
    proxy.open();
    scene.wait_count(600);
    wait_completed(&daemon);
}

#[test]
fn a_connection_test_or_a_start_by_hand_ends_a_long_backoff() {
    for hint in [TEST, START] {
        let proxy = Proxy::start(shared_mongod().port());
        proxy.refuse();
        let mut scene = Scene::new("hint").by(proxy.uri());
        scene.app.insert_inquiries(5);
        let daemon = scene
            .daemon()
            .set("probe.initial_interval", "20ms")
            .set("probe.max_interval", "10m")
            .set("probe.multiplier", 10.0)
            .set("probe.randomization_factor", 0.0)
            .start();
        // After 20 ms, 200 ms and 2 s the next one is 20 s away.
        wait_link(&daemon, "a long backoff", |link| link["attempts"].as_u64() >= Some(4));
        proxy.open();
        assert_eq!(daemon.post(hint).0, 200);
        let took = scene.wait_count(5);
        println!("from {hint} to all rows: {took:?}");
        assert!(took < Duration::from_secs(10), "{took:?}");
        let link = wait_link(&daemon, "the link", |link| link["state"] == "online");
        assert_eq!((&link["attempts"], &link["reason"]), (&json!(0), &Value::Null));
    }
}
