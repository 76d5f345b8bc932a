//! Past exports and rows that are not in the collection.

use super::*;
use crate::report::{Outcome, Progress, Reason, Remark, Timestamp, Trigger};

fn past(export_id: &str) -> PastExport {
    let mut past = PastExport {
        export_id: export_id.into(),
        trigger: Trigger::Automatic,
        status: RunState::Failed,
        total_records: 0,
        processed_records: 0,
        successful_records: 0,
        failed_records: 0,
        skipped_records: 0,
        updated_records: 0,
        duplicate_records: 0,
        kept_records: 0,
        start_time: Timestamp::from_millis(1_727_447_422_123),
        end_time: None,
        reason: Some(Reason::Refused),
        error_message: Some("broken off".into()),
    };
    past.set_progress(&Progress {
        total: 9,
        successful: 4,
        failed: 1,
        skipped: 2,
        updated: 1,
        duplicates: 1,
        kept: 0,
    });
    past
}

#[test]
fn the_history_is_told_with_the_fields_of_the_status() {
    let server = Server::start();
    *server.checks.past.lock().unwrap() = vec![past("export_20240927_143022")];
    server.ask("GET", "/api/export/history").is(
        200,
        &json!({
            "success": true,
            "message": "Export history retrieved successfully",
            "data": { "exports": [{
                "export_id": "export_20240927_143022",
                "trigger": "automatic",
                "status": "failed",
                "total_records": 9,
                "processed_records": 7,
                "successful_records": 4,
                "failed_records": 1,
                "skipped_records": 2,
                "updated_records": 1,
                "duplicate_records": 1,
                "kept_records": 0,
                "start_time": "2024-09-27T14:30:22.123Z",
                "end_time": null,
                "reason": "refused",
                "error_message": "broken off"
            }] },
            "error": null
        }),
    );
}

#[test]
fn the_history_is_as_long_as_was_asked_and_fifty_if_nothing_was() {
    let server = Server::start();
    *server.checks.past.lock().unwrap() = (0..60).map(|number| past(&number.to_string())).collect();
    for (query, length) in [("", 50), ("?limit=1", 1), ("?limit=1000", 60), ("?other=0", 50)] {
        let reply = server.ask("GET", &format!("/api/export/history{query}")).json();
        assert_eq!(reply["data"]["exports"].as_array().map(Vec::len), Some(length), "{query}");
    }
}

#[test]
fn the_records_are_told_with_the_cursor_of_the_next_page() {
    let server = Server::start();
    let at = Timestamp::from_millis(1_727_447_422_123);
    let remark = |key: &str, outcome, duplicate_of| Remark {
        key: key.into(),
        outcome,
        reason: "because".into(),
        code: (outcome == Outcome::Rejected).then_some(121),
        duplicate_of,
        attempts: 2,
        first_at: at,
        last_at: at,
    };
    *server.checks.remarks.lock().unwrap() = Remarks {
        records: vec![
            remark("7", Outcome::Rejected, None),
            remark("8", Outcome::Duplicate, Some(json!({ "$oid": "507f1f77bcf86cd799439011" }))),
        ],
        next: Some("8".into()),
    };
    let time = "2024-09-27T14:30:22.123Z";
    server.ask("GET", "/api/export/records?outcome=rejected&after=X%2700%27&limit=2").is(
        200,
        &json!({
            "success": true,
            "message": "Export records retrieved successfully",
            "data": {
                "records": [
                    { "key": "7", "outcome": "rejected", "reason": "because", "code": 121, "duplicate_of": null,
                      "attempts": 2, "first_at": time, "last_at": time },
                    { "key": "8", "outcome": "duplicate", "reason": "because", "code": null,
                      "duplicate_of": { "$oid": "507f1f77bcf86cd799439011" },
                      "attempts": 2, "first_at": time, "last_at": time }
                ],
                "next": "8"
            },
            "error": null
        }),
    );
    assert_eq!(server.ask("GET", "/api/export/records?outcome=duplicate").status, 200);
    assert_eq!(server.ask("GET", "/api/export/records").status, 200);
    let query =
        |outcome, after: Option<&str>, limit| RemarkQuery { outcome, after: after.map(Into::into), limit };
    assert_eq!(
        *server.checks.asked.lock().unwrap(),
        [
            query(Some(Outcome::Rejected), Some("X'00'"), 2),
            query(Some(Outcome::Duplicate), None, 100),
            query(None, None, 100)
        ]
    );
}

#[test]
fn a_wrong_limit_outcome_or_cursor_is_refused_by_name() {
    let server = Server::start();
    let limit = "an integer from 1 to 1000 is allowed";
    for (path, error) in [
        ("history?limit=0", format!(r#"limit is "0": {limit}"#)),
        ("history?limit=1001", format!(r#"limit is "1001": {limit}"#)),
        ("history?limit=ten", format!(r#"limit is "ten": {limit}"#)),
        ("records?limit=", format!("limit is empty: {limit}")),
        (
            "records?outcome=exported",
            r#"outcome is "exported": rejected, duplicate or held is allowed"#.to_owned(),
        ),
        (
            "records?after=nonsense",
            r#"after is "nonsense": what a page of records gave as next is allowed"#.to_owned(),
        ),
        (
            "records?after=1&after=2",
            "after is given more than once: what a page of records gave as next is allowed, once".to_owned(),
        ),
    ] {
        server.ask("GET", &format!("/api/export/{path}")).fails(422, "Invalid request", &error);
    }
    assert!(server.checks.asked.lock().unwrap().is_empty());
}

#[test]
fn a_retry_tells_how_many_rows_were_released_and_is_no_get() {
    let server = Server::start();
    server.ask("POST", "/api/export/records/retry").is(
        200,
        &json!({
            "success": true,
            "message": "Rejected records will be retried",
            "data": { "released": 3 },
            "error": null
        }),
    );
    assert_eq!(server.ask("GET", "/api/export/records/retry").status, 405);
    assert_eq!(server.ask("POST", "/api/export/records").status, 405);
}

#[test]
fn a_ledger_that_is_gone_is_unavailable() {
    let server = Server::start();
    server.checks.ledger_is_gone.store(true, Ordering::SeqCst);
    for (method, path) in [("GET", "history"), ("GET", "records"), ("POST", "records/retry")] {
        server.ask(method, &format!("/api/export/{path}")).fails(
            503,
            "The ledger is not available",
            "the disk is full",
        );
    }
}
