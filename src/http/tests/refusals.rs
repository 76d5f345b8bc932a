//! Everything that isn't answered with 200.

use super::*;
use crate::report::Reason;

const START: &str = "/api/export/sqlite-to-mongodb";
const GETS: [&str; 6] = [
    "/openapi.json",
    "/api/export/sqlite-data",
    "/api/export/status",
    "/api/export/connectivity",
    "/live",
    "/ready",
];
const POSTS: [&str; 3] = ["/api/export/test-mongodb-connection", START, "/api/export/reset-export-status"];

#[test]
fn a_second_export_and_a_reset_are_refused_while_one_runs() {
    let server = Server::start();
    assert_eq!(server.ask("POST", START).status, 200);
    let refusal = "Another export operation is in progress";
    server.ask("POST", START).fails(409, "Export is already running", refusal);
    let refusal = "An export operation is in progress: stop it first, or wait for its end";
    server.ask("POST", "/api/export/reset-export-status").fails(409, "Export is already running", refusal);
    assert_eq!(server.starts().len(), 1);
}

#[test]
fn a_failed_connection_test_says_why() {
    let server = Server::start();
    *server.checks.connection.lock().expect("no test panics with it") =
        Err(Failure::new(Reason::Tls, "the handshake failed"));
    server.ask("POST", "/api/export/test-mongodb-connection").fails(
        503,
        "MongoDB connection test failed",
        "tls: the handshake failed",
    );
}

#[test]
fn a_source_that_cannot_be_read_says_why() {
    let server = Server::start();
    server.summary_is(Err(SourceUnavailable::new("there is no such file")));
    let reply = server.ask("GET", "/api/export/sqlite-data");
    reply.fails(503, "SQLite data is not available", "there is no such file");
}

#[test]
fn a_loop_that_is_gone_is_503() {
    let mut server = Server::start();
    server.kill_driver();
    for path in [START, "/api/export/reset-export-status"] {
        server.ask("POST", path).fails(503, "Service unavailable", "the daemon is stopping");
    }
}

#[test]
fn a_wrong_parameter_is_refused_by_name_and_changes_nothing() {
    let server = Server::start();
    let batch_sizes = [
        "0",
        "1001",
        "-1",
        "+5",
        "%2B5",
        "5.0",
        "1e2",
        "0x10",
        "ten",
        "",
        "%20",
        "5%20",
        "65537",
        "99999999999999999999",
        "%D9%A5",
        "5,6",
        "%FF",
        "null",
    ];
    let booleans = ["", "2", "-1", "maybe", "nul", "true%20", "truefalse", "%00"];
    let repeated = ["batch_size=5&batch_size=5", "skip_duplicates=true&batch_size=1&skip_duplicates=true"];
    let queries = batch_sizes
        .iter()
        .map(|value| format!("batch_size={value}"))
        .chain(booleans.iter().map(|value| format!("skip_duplicates={value}")))
        .chain(repeated.map(str::to_owned))
        .chain(["batch_size".to_owned(), "skip_duplicates&batch_size=5".to_owned()]);
    for query in queries {
        let reply = server.ask("POST", &format!("{START}?{query}"));
        assert_eq!(reply.status, 422, "{query}");
        reply.is_proper();
        let body = reply.json();
        assert_eq!((&body["message"], &body["data"]), (&json!("Invalid request"), &Value::Null), "{query}");
        let name = query.split(['=', '&']).next().expect("a name");
        assert!(body["error"].as_str().is_some_and(|error| error.starts_with(name)), "{query}: {body}");
    }
    assert_eq!(server.starts(), []);
    assert_eq!(server.status.borrow().status, RunState::Idle);
}

#[test]
fn an_unknown_path_is_404_in_the_envelope() {
    let server = Server::start();
    for path in [
        "/page",
        "/api",
        "/api/export",
        "/api/export/",
        "/api/export/status/",
        "/API/export/status",
        "//live",
    ] {
        server.ask("GET", path).fails(404, "Not found", "there is no such path");
        assert_eq!(server.ask("POST", path).status, 404, "{path}");
    }
}

#[test]
fn a_wrong_method_is_405_with_those_allowed() {
    let server = Server::start();
    let error = "this path takes another method: see the Allow header";
    for (paths, methods, allowed) in [
        (&GETS[..], ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"], "GET,HEAD"),
        (&POSTS[..], ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"], "POST"),
    ] {
        for path in paths {
            for method in methods {
                let reply = server.ask(method, path);
                reply.fails(405, "Method not allowed", error);
                assert_eq!(reply.header("allow"), Some(allowed), "{method} {path}");
            }
        }
    }
    assert_eq!(server.starts(), []);
}

#[test]
fn head_works_where_get_does_and_nowhere_else() {
    let server = Server::start();
    for path in GETS {
        let (get, head) = (server.ask("GET", path), server.ask("HEAD", path));
        assert_eq!((head.status, head.body.as_str()), (get.status, ""), "{path}");
        assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
        head.is_proper();
    }
    for path in POSTS {
        assert_eq!(server.ask("HEAD", path).status, 405, "{path}");
    }
    assert_eq!(server.starts(), []);
}

#[test]
fn hosts_and_origins_that_are_not_ours_are_forbidden() {
    let server = Server::start();
    let host = "the Host header must name this host: localhost, its address, or one of http.allowed_hosts";
    for head in ["Host: example.com\r\n", "", "Host: localhost\r\nHost: localhost\r\n"] {
        for (method, path) in [("GET", "/live"), ("POST", START), ("GET", "/nowhere")] {
            let request = format!("{method} {path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n");
            server.send(&request).fails(403, "Forbidden", host);
        }
    }
    server.send("GET /live HTTP/1.0\r\n\r\n").fails(403, "Forbidden", host);
    assert_eq!(server.send("GET /live HTTP/1.0\r\nHost: localhost\r\n\r\n").status, 200);

    let origin = server.ask_with("POST", START, "Origin: https://example.com\r\n");
    origin.fails(403, "Forbidden", "the Origin header names another origin");
    let site = server.ask_with("POST", START, "Sec-Fetch-Site: cross-site\r\n");
    site.fails(403, "Forbidden", "the Sec-Fetch-Site header says that another site sent this");
    assert_eq!(server.starts(), []);
    let own = format!("Origin: http://{}\r\nSec-Fetch-Site: same-origin\r\n", server.address);
    assert_eq!(server.ask_with("POST", START, &own).status, 200);
}

#[test]
fn bodies_are_ignored_up_to_a_limit() {
    let server = Server::start();
    let host = server.address;
    let post = |length: usize, body: &str| {
        let head = format!(
            "POST {START} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n"
        );
        server.send(&format!("{head}\r\n{body}"))
    };
    let error = "the body is over 65536 bytes: none is needed";
    post(65_537, &"x".repeat(65_537)).fails(413, "Payload too large", error);
    post(900_000, &"x".repeat(900_000)).fails(413, "Payload too large", error);
    // Refused by its announcement, before it is sent.
    post(10_000_000_000, "").fails(413, "Payload too large", error);
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let head = format!(
        "POST {START} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
    );
    server.send(&format!("{head}\r\n{chunk}{chunk}0\r\n\r\n")).fails(413, "Payload too large", error);
    server.send(&format!("{head}\r\nnonsense\r\n")).fails(400, "Bad request", "the body can't be read");
    assert_eq!(server.starts(), []);

    assert_eq!(post(65_536, &"x".repeat(65_536)).status, 200);
    assert_eq!(server.starts(), [(None, None)]);
}

#[test]
fn a_panic_is_500_and_ends_nothing_else() {
    let server = Server::start();
    server.summary_is(Ok(Summary { total_records: 666, ..Summary::default() }));
    for _ in 0..3 {
        let reply = server.ask("GET", "/api/export/sqlite-data");
        reply.fails(500, "Internal server error", "an unexpected error: see the daemon's log");
    }
    server.summary_is(Ok(Summary::default()));
    assert_eq!(server.ask("GET", "/api/export/sqlite-data").status, 200);
}
