//! Who is let in to the daemon over HTTP, and by which way: with a token, by TLS, by the socket in the file system.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use crate::support::certs::{Authority, Validity};
use crate::support::daemon::{Builder, Daemon};
use crate::support::sqlite::App;
use crate::support::wait::{PATIENCE, eventually};

const TOKEN: &str = "0012345678";

/// A daemon without anything to carry, or anywhere to carry it.
fn quiet(directory: &Path) -> Builder {
    Daemon::builder(App::create(directory).path(), "mongodb://127.0.0.1:1")
}

/// Status and body of what a stream answers to a request.
fn ask_over(mut stream: impl Read + Write, head: &str) -> Option<(u16, String)> {
    stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).ok()?;
    let mut bytes = Vec::new();
    // A server that closes without TLS's own goodbye has answered all the same.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

fn tcp(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the daemon listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

fn ask(daemon: &Daemon, target: &str, token: &str) -> (u16, Value) {
    let head = format!("{target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n");
    let (status, body) = ask_over(tcp(daemon.address()), &head).expect("an answer");
    (status, serde_json::from_str(&body).expect("JSON"))
}

#[test]
fn a_token_of_digits_from_the_environment_is_needed_and_shown_nowhere() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let daemon = quiet(directory.path())
        .env("MONGO_UPLINK_HTTP__TOKEN", TOKEN)
        .set("http.listen", "0.0.0.0:0")
        .set("log.filter", "trace,hyper=trace,axum=trace,tokio=trace,mio=trace")
        .start();
    let port = daemon.address().port();
    let at = format!("Host: 127.0.0.1:{port}\r\n");
    let status = format!("GET /api/export/status HTTP/1.1\r\n{at}");
    let local = SocketAddr::from(([127, 0, 0, 1], port));
    let mut said = String::new();
    for (headers, expected) in [
        (String::new(), 401),
        ("Authorization: Bearer 12345678\r\n".to_owned(), 401),
        (format!("Authorization: Basic {TOKEN}\r\n"), 401),
        (format!("Authorization: Bearer {TOKEN}\r\n"), 200),
    ] {
        let (code, body) = ask_over(tcp(local), &format!("{status}{headers}")).expect("an answer");
        assert_eq!(code, expected, "{headers}");
        said += &body;
    }
    let query = format!("GET /api/export/history?limit={TOKEN} HTTP/1.1\r\n{at}");
    assert_eq!(ask_over(tcp(local), &query).expect("an answer").0, 401);
    for path in ["/live", "/ready"] {
        let head = format!("GET {path} HTTP/1.1\r\n{at}");
        assert_eq!(ask_over(tcp(local), &head).expect("an answer").0, 200);
    }
    let line = daemon.wait_log("http_refused");
    assert!(
        line.text().contains("/api/export/status") && line.text().contains("127.0.0.1"),
        "{}",
        line.text()
    );
    daemon.wait_log("http_unencrypted");
    let check = daemon.command().arg("check").output().expect("the program starts");
    said += &String::from_utf8_lossy(&[check.stdout, check.stderr].concat());
    let command_line = fs::read(format!("/proc/{}/cmdline", daemon.pid())).expect("it runs");
    said += &String::from_utf8_lossy(&command_line);
    daemon.terminate();
    said += &daemon.log().text();
    assert!(!said.contains(TOKEN), "{said}");
}

#[test]
fn without_a_token_it_does_not_listen_where_others_can_reach_it() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let daemon = quiet(directory.path()).set("http.listen", "0.0.0.0:0").prepare();
    let output = daemon.command().output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{said}");
    for word in ["http.listen", "0.0.0.0:0", "http.token", "http.allow_unauthenticated"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let open = quiet(directory.path())
        .set("http.listen", "0.0.0.0:0")
        .set("http.allow_unauthenticated", true)
        .start();
    assert_eq!(open.get("/api/export/status").0, 403, "0.0.0.0 is no name of this host");
    let (code, _) = ask(&open, "GET /api/export/status", "");
    assert_eq!(code, 200);
}

#[test]
fn a_credential_is_found_by_itself_and_a_new_token_counts_without_a_restart() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let credential = directory.path().join("http-token");
    fs::write(&credential, "first\n").expect("our own file");
    let place = directory.path().to_str().expect("a readable name");
    let daemon = quiet(directory.path()).env("CREDENTIALS_DIRECTORY", place).start();
    let codes = |tokens: [&str; 2]| tokens.map(|token| ask(&daemon, "GET /api/export/status", token).0);
    assert_eq!(codes(["first", "second"]), [200, 401]);
    fs::write(&credential, "second\n").expect("our own file");
    eventually(PATIENCE, "the new token", || (codes(["first", "second"]) == [401, 200]).then_some(()));
}

#[test]
fn the_documented_calls_need_nothing_on_the_default_configuration() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let daemon = quiet(directory.path()).start();
    let port = daemon.address().port();
    for (method, path, expected) in [
        ("GET", "/api/export/sqlite-data", 200),
        ("POST", "/api/export/test-mongodb-connection", 503),
        ("GET", "/api/export/status", 200),
        ("POST", "/api/export/sqlite-to-mongodb?batch_size=50&skip_duplicates=true", 200),
    ] {
        // As curl asks.
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n"
        );
        assert_eq!(ask_over(tcp(daemon.address()), &head).expect("an answer").0, expected, "{path}");
    }
    let line = daemon.wait_log("http_request");
    for (field, value) in [("method", "POST"), ("path", "/api/export/test-mongodb-connection")] {
        let told = line.field(field).and_then(Value::as_str);
        assert!(told == Some(value) || told == Some("/api/export/sqlite-to-mongodb"), "{}", line.text());
    }
}

/// Asks by TLS, trusting this authority; `None` if there is no handshake.
fn ask_by_tls(address: SocketAddr, authority: &Authority, path: &str) -> Option<(u16, Vec<u8>)> {
    let mut roots = RootCertStore::empty();
    let own = CertificateDer::from_pem_file(authority.ca_file()).expect("openssl made it");
    roots.add(own).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the usual versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::from(address.ip());
    let mut connection = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut socket = tcp(address);
    connection.complete_io(&mut socket).ok()?;
    let shown =
        connection.peer_certificates().and_then(|chain| chain.first()).expect("it showed one").to_vec();
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n");
    let (status, _) = ask_over(StreamOwned::new(connection, socket), &head)?;
    Some((status, shown))
}

#[test]
fn tls_is_served_with_the_newest_certificate_that_can_be_used_and_nothing_in_the_clear() {
    let authority = Authority::new();
    let issue = |file| authority.issue(file, "IP:127.0.0.1", Validity::Now);
    let (first, second) = (issue("first"), issue("second"));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("server.pem");
    let named = file.to_str().expect("a readable name");
    let daemon = quiet(directory.path())
        .set("http.tls_certificate_file", named)
        .set("http.tls_key_file", named)
        .start();
    let address = daemon.address();
    let ask = || ask_by_tls(address, &authority, "/api/export/status");
    daemon.wait_log("http_certificate_unavailable");
    assert_eq!(ask(), None, "there is no certificate yet");
    let put = |from: &Path| {
        let fresh = directory.path().join("fresh.pem");
        fs::copy(from, &fresh).expect("our own directory");
        fs::rename(&fresh, &file).expect("our own directory");
    };
    put(&first);
    let (status, shown) = eventually(PATIENCE, "a certificate", ask);
    assert_eq!(status, 200);
    let clear = "GET /api/export/status HTTP/1.1\r\nHost: localhost\r\n";
    assert_eq!(ask_over(tcp(address), clear), None, "nothing is served in the clear");
    put(&second);
    eventually(PATIENCE, "the second certificate", || {
        let (status, now) = ask().expect("a handshake: one of the two is there at all times");
        assert_eq!(status, 200);
        (now != shown).then_some(())
    });
    fs::write(&file, "nonsense").expect("our own file");
    let mark = daemon.log().mark();
    eventually(PATIENCE, "the news of it", || {
        assert_eq!(ask().expect("the last one is served").0, 200);
        daemon.log().find(mark, "http_certificate_unavailable")
    });
    assert!(!daemon.log().text().contains("nonsense"));
}

#[test]
fn the_socket_is_for_user_and_group_and_asks_for_no_token() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("http.sock");
    let daemon = quiet(directory.path())
        .set("http.socket", path.to_str().expect("a readable name"))
        .set("http.token", TOKEN)
        .start();
    let mode = fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let ask_there = |host: &str| {
        let stream = UnixStream::connect(&path).expect("the daemon listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        ask_over(stream, &format!("GET /api/export/status HTTP/1.1\r\nHost: {host}\r\n"))
            .expect("an answer")
            .0
    };
    assert_eq!((ask_there("localhost"), ask_there("example.com")), (200, 403));
    assert_eq!(ask(&daemon, "GET /api/export/status", "").0, 401, "the port still asks");
    daemon.kill();
    assert!(path.exists(), "it was left behind");
    daemon.start();
    assert_eq!(ask_there("localhost"), 200);
    daemon.terminate();
    assert!(!path.exists());
}

#[test]
fn two_hundred_slow_clients_do_not_keep_the_daemons_status_waiting() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let daemon = quiet(directory.path()).start();
    let crowd: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = tcp(daemon.address());
            let _ = stream.write_all(b"GET /api/export/status HTTP/1.1\r\nHost: loc");
            stream
        })
        .collect();
    let took = crate::scene::quickest(
        5,
        || {
            let begun = std::time::Instant::now();
            assert_eq!(daemon.get("/api/export/status").0, 200);
            begun.elapsed()
        },
        Duration::from_millis(100),
    );
    println!("answered in {took:?} beside {} slow clients", crowd.len());
    assert!(took < Duration::from_millis(100), "{took:?}");
}
