//! Server-sent events: what is told, to how many, and for how long.

use std::io::BufRead as _;
use std::io::BufReader;
use std::time::Instant;

use super::connections::after_silence;
use super::*;
use crate::report::LinkState;

const EVENTS: &str = "/api/export/events";

/// As many as may listen.
const MOST: usize = 16;

/// A listener that has read the head of its answer.
fn listen(server: &Server) -> BufReader<TcpStream> {
    let mut stream = server.connect();
    let host = server.address;
    stream
        .write_all(format!("GET {EVENTS} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())
        .expect("it is open");
    let mut stream = BufReader::new(stream);
    let head = until_blank(&mut stream);
    assert!(head[0].starts_with("HTTP/1.1 200"), "{head:?}");
    assert!(head.iter().any(|line| line == "content-type: text/event-stream"), "{head:?}");
    assert!(head.iter().any(|line| line == "cache-control: no-store"), "{head:?}");
    stream
}

fn until_blank(stream: &mut BufReader<TcpStream>) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        assert_ne!(stream.read_line(&mut line).expect("it is told"), 0, "the stream ended: {lines:?}");
        match line.trim_end() {
            "" => return lines,
            line => lines.push(line.to_owned()),
        }
    }
}

/// The next event: its name and its data.
fn next(stream: &mut BufReader<TcpStream>) -> (String, Value) {
    loop {
        let lines = until_blank(stream);
        let field = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name));
        if let (Some(event), Some(data)) = (field("event: "), field("data: ")) {
            return (event.to_owned(), serde_json::from_str(data).expect("JSON"));
        }
    }
}

#[test]
fn both_are_told_at_once_and_each_when_it_changes() {
    let server = Server::start();
    let mut stream = listen(&server);
    let (event, data) = next(&mut stream);
    assert_eq!((event.as_str(), &data), ("status", &server.ask("GET", "/api/export/status").json()["data"]));
    let (event, data) = next(&mut stream);
    assert_eq!(
        (event.as_str(), &data),
        ("connectivity", &server.ask("GET", "/api/export/connectivity").json()["data"])
    );
    server.link.send_modify(|link| link.state = LinkState::Online);
    let (event, data) = next(&mut stream);
    assert_eq!((event.as_str(), &data["state"]), ("connectivity", &json!("online")));
    server.backlog.send_modify(|backlog| backlog.rows = 5);
    let (event, data) = next(&mut stream);
    assert_eq!((event.as_str(), &data["pending_records"]), ("status", &json!(5)));
}

#[test]
fn what_changes_quickly_is_told_by_its_latest_state() {
    let server = Server::start();
    let mut stream = listen(&server);
    let _first = (next(&mut stream), next(&mut stream));
    let begin = Instant::now();
    for processed in 1..=10_000 {
        server.status.send_modify(|status| status.processed_records = processed);
    }
    let mut told = 0;
    loop {
        told += 1;
        let (event, data) = next(&mut stream);
        assert_eq!(event, "status");
        if data["processed_records"] == 10_000 {
            break;
        }
    }
    let most = 2 + begin.elapsed().as_millis() / 250;
    assert!(u128::from(told as u64) <= most, "{told} events in {:?}", begin.elapsed());
}

#[test]
fn so_many_may_listen_and_nobody_else_waits_for_them() {
    let server = Server::start();
    let mut crowd: Vec<_> = (0..MOST).map(|_| listen(&server)).collect();
    let metrics = server.ask("GET", "/metrics").body;
    assert!(metrics.contains(&format!("mongo_uplink_event_listeners {MOST}\n")), "{metrics}");
    server.ask("GET", EVENTS).fails(503, "Service unavailable", "as many listen already as may");
    assert_eq!(server.ask("GET", "/api/export/status").status, 200);
    // Whoever goes makes room.
    drop(crowd.pop());
    let begin = Instant::now();
    loop {
        // It is noticed when something is to be told.
        server.status.send_modify(|status| status.processed_records += 1);
        let head = server.ask("HEAD", EVENTS);
        if head.status == 200 {
            break;
        }
        assert!(begin.elapsed() < PATIENCE);
    }
}

#[test]
fn a_stream_ends_when_the_loop_does() {
    let mut server = Server::start();
    let mut stream = listen(&server);
    let _first = (next(&mut stream), next(&mut stream));
    server.kill_driver();
    let mut rest = Vec::new();
    stream.read_until(b'X', &mut rest).expect("it ends");
    assert!(rest.ends_with(b"0\r\n\r\n"), "{rest:?}: ended, not cut off");
}

#[test]
fn a_listener_does_not_hold_the_shutdown() {
    let mut server = Server::start();
    let mut streams: Vec<_> = (0..MOST).map(|_| listen(&server)).collect();
    let _first = next(&mut streams[0]);
    let begin = Instant::now();
    server.stop();
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
}

#[test]
fn a_quiet_stream_beats_and_ends_before_its_connection_would() {
    let head = format!("GET {EVENTS} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let (text, open) = after_silence(&head);
    let beats = text.matches("\n:\n\n").count();
    assert!((14..=17).contains(&beats), "{beats}");
    assert!((240..250).contains(&open.as_secs()), "{open:?}");
    assert!(text.ends_with("0\r\n\r\n"), "ended, not cut off");
}
