//! The documented examples, key by key and in their order.

use super::*;
use crate::report::{LinkState, Reason, Timestamp, Trigger};

const START: &str = "/api/export/sqlite-to-mongodb";

fn map(value: Value) -> serde_json::Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

#[test]
fn sqlite_data_is_as_documented() {
    let server = Server::start();
    let sample = json!({
        "id": "1", "user_id": null, "parentType": "New Parent", "schoolType": "Day School",
        "firstName": "John Doe", "mobile": "9876543210", "email": "john@example.com", "city": "New York",
        "childName": "Alice", "grade": "Grade 5", "academicYear": "2024-2025", "dateOfBirth": "2015-03-10",
        "schoolName": "Greenwood Academy", "status": "new", "source": "api",
        "created_at": "2023-10-27T10:00:00.000Z", "updated_at": "2023-10-27T10:00:00.000Z"
    });
    let statistics = json!({
        "unique_user_ids": 15,
        "parent_type_distribution": { "New Parent": 20, "Existing Parent": 9 },
        "school_type_distribution": { "Day School": 18, "Boarding School": 11 }
    });
    server.summary_is(Ok(Summary {
        total_records: 29,
        sample_records: vec![map(sample.clone())],
        statistics: map(statistics.clone()),
    }));
    server.ask("GET", "/api/export/sqlite-data").is(
        200,
        &json!({
            "success": true,
            "message": "Found 29 records in SQLite",
            "data": { "total_records": 29, "sample_records": [sample], "statistics": statistics },
            "error": null
        }),
    );
}

#[test]
fn an_empty_table_is_as_documented() {
    Server::start().ask("GET", "/api/export/sqlite-data").is(
        200,
        &json!({
            "success": true,
            "message": "No data found in SQLite",
            "data": { "total_records": 0, "sample_records": [] },
            "error": null
        }),
    );
}

#[test]
fn test_mongodb_connection_is_as_documented() {
    Server::start().ask("POST", "/api/export/test-mongodb-connection").is(
        200,
        &json!({
            "success": true,
            "message": "MongoDB connection successful",
            "data": {
                "connection_status": "connected",
                "database": "inquiryassistant",
                "collection": "chat_inquiry_information",
                "existing_records": 0
            },
            "error": null
        }),
    );
}

fn idle(message: &str) -> Value {
    json!({
        "success": true,
        "message": message,
        "data": {
            "status": "idle",
            "total_records": 0,
            "processed_records": 0,
            "successful_records": 0,
            "failed_records": 0,
            "skipped_records": 0,
            "start_time": null,
            "end_time": null,
            "error_message": null,
            // Beside the document:
            "export_id": null,
            "trigger": null,
            "updated_records": 0,
            "duplicate_records": 0,
            "kept_records": 0,
            "reason": null,
            "waiting_for": null,
            "paused": false,
            "ledger": "kept",
            "pending_records": 0,
            "oldest_pending_time": null
        },
        "error": null
    })
}

#[test]
fn status_and_reset_are_as_documented_and_extras_follow_the_nine_fields() {
    let server = Server::start();
    server.ask("GET", "/api/export/status").is(200, &idle("Export status retrieved successfully"));
    server.status.send_modify(|status| status.status = RunState::Failed);
    server.ask("POST", "/api/export/reset-export-status").is(200, &idle("Export status reset successfully"));
}

#[test]
fn a_status_with_values_has_the_documented_types() {
    let server = Server::start();
    server.status.send_replace(ExportStatus {
        status: RunState::Failed,
        total_records: 29,
        start_time: Some(Timestamp::from_millis(1_727_447_422_123)),
        error_message: Some("refused: nothing listens".into()),
        trigger: Some(Trigger::Automatic),
        reason: Some(Reason::Refused),
        ..ExportStatus::default()
    });
    let data = &server.ask("GET", "/api/export/status").json()["data"];
    assert_eq!(data["status"], "failed");
    assert_eq!(data["total_records"], 29);
    assert_eq!(data["start_time"], "2024-09-27T14:30:22.123Z");
    assert_eq!(data["error_message"], "refused: nothing listens");
    assert_eq!(data["trigger"], "automatic");
    assert_eq!(data["reason"], "refused");
}

#[test]
fn starting_an_export_is_as_documented() {
    let server = Server::start();
    server.ask("POST", &format!("{START}?batch_size=50&skip_duplicates=true")).is(
        200,
        &json!({
            "success": true,
            "message": "Export started successfully",
            "data": {
                "export_id": "export_20240927_143022",
                "batch_size": 50,
                "skip_duplicates": true,
                "status": "started"
            },
            "error": null
        }),
    );
    assert_eq!(server.starts(), [(Some(50), Some(true))]);
}

#[test]
fn parameters_are_optional_and_unknown_ones_ignored() {
    let queries = [
        ("", (None, None)),
        ("?", (None, None)),
        ("?batch_size=25", (Some(25), None)),
        ("?skip_duplicates=False&verbose=1", (None, Some(false))),
    ];
    for (query, expected) in queries {
        let server = Server::start();
        assert_eq!(server.ask("POST", &format!("{START}{query}")).status, 200, "{query}");
        assert_eq!(server.starts(), [expected], "{query}");
    }
}

#[test]
fn connectivity_is_told_in_the_envelope() {
    let server = Server::start();
    server.link.send_replace(Link {
        state: LinkState::Offline,
        reason: Some(Reason::Dns),
        hint: Some(Reason::Dns.hint()),
        attempts: 3,
        ..Link::default()
    });
    let reply = server.ask("GET", "/api/export/connectivity");
    reply.is_proper();
    let body = reply.json();
    assert_eq!(body["message"], "Connectivity status retrieved successfully");
    assert_eq!(body["data"]["state"], "offline");
    assert_eq!(body["data"]["reason"], "dns");
    assert_eq!(body["data"]["attempts"], 3);
}

#[test]
fn ready_is_the_loop_and_live_is_the_process() {
    let mut server = Server::start();
    assert_eq!(server.ask("GET", "/ready").status, 200);
    server.kill_driver();
    server.ask("GET", "/ready").fails(503, "Not ready", "the daemon is stopping");
    assert_eq!(server.ask("GET", "/live").status, 200);
    assert_eq!(server.ask("GET", "/api/export/status").status, 200, "snapshots need no loop");
}

#[test]
fn what_waits_is_told_with_the_status() {
    let server = Server::start();
    server.backlog.send_replace(Backlog { rows: 12, oldest: Some(std::time::Instant::now()) });
    let data = &server.ask("GET", "/api/export/status").json()["data"];
    assert_eq!(data["pending_records"], 12);
    assert!(data["oldest_pending_time"].as_str().is_some_and(|time| time.ends_with('Z')), "{data}");
    let reset = &server.ask("POST", "/api/export/reset-export-status").json()["data"];
    assert_eq!(reset["pending_records"], 12, "what waits is no export's own");
}

#[test]
fn metrics_are_text_and_the_description_is_json() {
    let server = Server::start();
    let metrics = server.ask("GET", "/metrics");
    assert_eq!((metrics.status, metrics.header("content-type")), (200, Some("text/plain; version=0.0.4")));
    assert!(metrics.body.contains("# TYPE mongo_uplink_rows_total counter"), "{}", metrics.body);
    let description = server.ask("GET", "/openapi.json");
    description.is_proper();
    assert_eq!(description.json()["info"]["title"], "mongo-uplink");
}
