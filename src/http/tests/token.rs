//! The token: who must show it, and what happens to those who don't.

use std::fs;

use super::*;

const SENTINEL: &str = "S3nt1nelT0ken";

/// A server with these settings of its configuration.
fn server(settings: &[&str]) -> Server {
    let sources =
        settings.iter().fold(Sources::default(), |sources, setting| sources.with_override(*setting));
    Server::start_with(Policy::new(&Config::load(&sources).expect("valid settings").http))
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

#[test]
fn with_a_token_everything_but_the_page_and_the_checks_of_life_needs_it() {
    let server = server(&[&format!("http.token={SENTINEL}")]);
    for (method, path) in [
        ("GET", "/api/export/status"),
        ("HEAD", "/api/export/status"),
        ("POST", "/api/export/sqlite-to-mongodb"),
        ("POST", "/api/export/sqlite-to-mongodb?batch_size=0"),
        ("DELETE", "/api/export/status"),
        ("GET", "/nowhere"),
        ("GET", "/live/"),
        ("GET", "//live"),
    ] {
        let missing = server.ask(method, path);
        assert_eq!(missing.status, 401, "{method} {path}");
        assert_eq!(missing.header("www-authenticate"), Some(r#"Bearer realm="mongo-uplink""#));
        missing.is_proper();
        for wrong in ["x", "S3nt1nelT0ke", "S3nt1nelT0kenn", "s3nt1nelt0ken"] {
            let reply = server.ask_with(method, path, &bearer(wrong));
            assert_eq!(reply.status, 401, "{method} {path} {wrong}");
            let challenge = r#"Bearer realm="mongo-uplink", error="invalid_token""#;
            assert_eq!(reply.header("www-authenticate"), Some(challenge));
            assert!(!(reply.head + &reply.body).contains(SENTINEL));
        }
        assert_ne!(server.ask_with(method, path, &bearer(SENTINEL)).status, 401, "{method} {path}");
    }
    let missing = "a token is needed: send it as Authorization: Bearer TOKEN";
    server.ask("GET", "/api/export/status").fails(401, "Unauthorized", missing);
    let reply = server.ask_with("GET", "/api/export/status", &bearer("x"));
    reply.fails(401, "Unauthorized", "this isn't the token");
    for path in ["/", "/page.css", "/page.js", "/live", "/ready"] {
        assert_ne!(server.ask("GET", path).status, 401, "{path}");
    }
    assert_eq!(server.starts().len(), 1, "those without the token started nothing");
}

#[test]
fn a_token_does_not_make_up_for_a_foreign_host_or_origin() {
    let server = server(&[&format!("http.token={SENTINEL}")]);
    for wrong in ["Origin: https://example.com\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
        let reply = server.ask_with("GET", "/api/export/status", &(bearer(SENTINEL) + wrong));
        assert_eq!(reply.status, 403, "{wrong}");
    }
    let request = format!("GET /live HTTP/1.1\r\nHost: example.com\r\n{}\r\n", bearer(SENTINEL));
    assert_eq!(server.send(&request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")).status, 403);
}

#[test]
fn hosts_that_are_configured_are_let_in() {
    let server = server(&["http.allowed_hosts=kiosk.example"]);
    let ask = |host| {
        server.send(&format!("GET /live HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).status
    };
    assert_eq!((ask("kiosk.example:8000"), ask("other.example:8000")), (200, 403));
}

#[test]
fn a_token_in_a_file_is_read_again_and_a_file_that_holds_none_changes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("token");
    fs::write(&path, "first\n").expect("our own file");
    let server = server(&[&format!("http.token_file={}", path.display())]);
    let ask = |token| server.ask_with("GET", "/api/export/status", &bearer(token)).status;
    assert_eq!((ask("first"), ask("second")), (200, 401));
    fs::write(&path, "second\n").expect("our own file");
    let begin = std::time::Instant::now();
    while ask("second") == 401 {
        assert!(begin.elapsed() < PATIENCE, "the new token never counts");
    }
    assert_eq!(ask("first"), 401, "the old one doesn't count any more");
    for content in [Some(""), Some("\n"), Some("two words"), None] {
        match content {
            Some(content) => fs::write(&path, content).expect("our own file"),
            None => fs::remove_file(&path).expect("our own file"),
        }
        // Longer than a look at the file is good for.
        let begin = std::time::Instant::now();
        while begin.elapsed() < Duration::from_millis(1_200) {
            assert_eq!(ask("second"), 200, "{content:?}");
            assert_eq!(ask(""), 401, "{content:?}");
        }
    }
}
