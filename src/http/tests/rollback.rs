use serde_json::{Value, json};

use super::Server;
use crate::report::{ExportStatus, RunState};

const PATH: &str = "/api/export/rollback?export_id=export_20240927_143022";

fn success(message: &str, data: &Value) -> Value {
    json!({ "success": true, "message": message, "data": data, "error": null })
}

#[test]
fn an_export_is_taken_back_or_it_is_told_what_that_would_do() {
    let server = Server::start();
    let planned = "Rollback planned, nothing was changed";
    let answer = server.ask("POST", &format!("{PATH}&dry_run=true"));
    answer.is(200, &success(planned, &json!({ "documents": 5, "changed": 2 })));
    let answer = server.ask("POST", &format!("{PATH}&dry_run=1&changed_too=yes"));
    answer.is(200, &success(planned, &json!({ "documents": 5, "changed": 5 })));
    let done = json!({ "deleted": 3, "kept": 2, "held": 1 });
    server.ask("POST", PATH).is(200, &success("Export rolled back successfully", &done));
}

#[test]
fn nothing_is_taken_back_while_an_export_runs_or_without_an_id_that_is_one() {
    let server = Server::start();
    let allowed = "an id of an export, as export_20240927_143022 is allowed";
    for (query, error) in [
        ("", format!("export_id is empty: {allowed}")),
        ("?export_id=all", format!("export_id is \"all\": {allowed}")),
        (
            "?export_id=export_1&dry_run=perhaps",
            "dry_run is \"perhaps\": true or false is allowed".to_owned(),
        ),
        // A slip of the pen must not delete anything.
        (
            "?export_id=export_20240927_143022&dryrun=true",
            "\"dryrun\" isn't known here: export_id, changed_too, dry_run are allowed".to_owned(),
        ),
    ] {
        server.ask("POST", &format!("/api/export/rollback{query}")).fails(422, "Invalid request", &error);
    }
    let failing = server.ask("POST", "/api/export/rollback?export_id=export_20240927_000000");
    failing.fails(503, "Rollback failed", "the disk is full");
    assert_eq!(server.ask("GET", PATH).status, 405);

    server.status.send_replace(ExportStatus { status: RunState::Running, ..ExportStatus::default() });
    let error = "an export operation is in progress: stop it first, or wait for its end";
    server.ask("POST", PATH).fails(409, "Export is already running", error);
    assert_eq!(server.ask("POST", &format!("{PATH}&dry_run=true")).status, 200);
}
