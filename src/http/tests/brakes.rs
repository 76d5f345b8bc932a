//! Pausing, resuming and stopping.

use super::*;

fn answered(message: &str, data: Value) -> Value {
    json!({ "success": true, "message": message, "data": data, "error": null })
}

#[test]
fn pausing_and_resuming_tell_what_holds_and_for_how_long() {
    let server = Server::start();
    let paused = json!({ "paused": true, "survives_restart": true });
    server.ask("POST", "/api/export/pause").is(200, &answered("Export paused successfully", paused));
    assert_eq!(server.ask("GET", "/api/export/status").json()["data"]["paused"], true);
    let resumed = json!({ "paused": false, "survives_restart": false });
    server
        .ask("POST", "/api/export/resume")
        .is(200, &answered("Export resumed until the daemon ends", resumed));
    assert_eq!(server.ask("GET", "/api/export/status").json()["data"]["paused"], false);
}

#[test]
fn stopping_names_the_export_and_is_refused_if_there_is_none() {
    let server = Server::start();
    let refused = ("Export is not running", "No export operation is in progress");
    server.ask("POST", "/api/export/stop").fails(409, refused.0, refused.1);
    server.ask("POST", "/api/export/sqlite-to-mongodb");
    let stopping = json!({ "export_id": "export_20240927_143022", "status": "stopping" });
    server.ask("POST", "/api/export/stop").is(200, &answered("Export is stopping", stopping));
}

#[test]
fn the_brakes_work_by_post_only_and_need_the_loop() {
    let mut server = Server::start();
    for path in ["/api/export/pause", "/api/export/resume", "/api/export/stop"] {
        let refused = server.ask("GET", path);
        assert_eq!((refused.status, refused.header("allow")), (405, Some("POST")), "{path}");
    }
    server.kill_driver();
    for path in ["/api/export/pause", "/api/export/resume", "/api/export/stop"] {
        server.ask("POST", path).fails(503, "Service unavailable", "the daemon is stopping");
    }
}
