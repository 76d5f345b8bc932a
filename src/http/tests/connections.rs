//! Connections: kept, slow, silent, and ended.

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// Reads one answer from a connection that stays open.
fn read_one(stream: &mut TcpStream) -> Reply {
    let mut text = Vec::new();
    loop {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).expect("the server answers"), 1, "it closed");
        text.push(byte[0]);
        let reply =
            std::str::from_utf8(&text).ok().filter(|text| text.contains("\r\n\r\n")).map(Reply::parse);
        if let Some(reply) = reply {
            let length = reply.header("content-length").and_then(|length| length.parse().ok());
            if length == Some(reply.body.len()) {
                return reply;
            }
        }
    }
}

fn get(host: SocketAddr) -> String {
    format!("GET /live HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[test]
fn a_connection_serves_many_requests() {
    let server = Server::start();
    let mut stream = server.connect();
    for _ in 0..5 {
        stream.write_all(get(server.address).as_bytes()).expect("it is open");
        assert_eq!(read_one(&mut stream).status, 200);
    }
}

#[test]
fn a_body_is_never_taken_for_the_next_request() {
    let server = Server::start();
    let mut stream = server.connect();
    let host = server.address;
    let inner = get(host);
    let head =
        format!("POST /api/export/status HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n", inner.len());
    stream.write_all(format!("{head}\r\n{inner}").as_bytes()).expect("it is open");
    assert_eq!(read_one(&mut stream).status, 405);
    stream.write_all(format!("GET /ready HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).expect("it is open");
    assert_eq!(read_one(&mut stream).json()["message"], "Ready");
}

#[test]
fn a_client_that_closes_its_side_still_gets_its_answer() {
    let server = Server::start();
    let held = server.checks.gate.blocking_lock();
    let mut stream = server.connect();
    let head =
        format!("POST /api/export/test-mongodb-connection HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    stream.write_all(head.as_bytes()).expect("it is open");
    stream.shutdown(std::net::Shutdown::Write).expect("it is open");
    // The server gets round to noticing it.
    for _ in 0..20 {
        assert_eq!(server.ask("GET", "/live").status, 200);
    }
    drop(held);
    assert_eq!(Reply::read(stream).status, 200);
}

#[test]
fn a_refused_body_ends_its_connection() {
    let server = Server::start();
    let mut stream = server.connect();
    let head = format!("POST /live HTTP/1.1\r\nHost: {}\r\nContent-Length: 9999999\r\n\r\n", server.address);
    stream.write_all(head.as_bytes()).expect("it is open");
    let reply = Reply::read(stream);
    assert_eq!((reply.status, reply.header("connection")), (413, Some("close")));
}

#[test]
fn an_idle_connection_costs_the_shutdown_no_time() {
    let mut server = Server::start();
    let mut stream = server.connect();
    stream.write_all(get(server.address).as_bytes()).expect("it is open");
    assert_eq!(read_one(&mut stream).status, 200);
    let begin = Instant::now();
    server.stop();
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[test]
fn idle_slow_and_silent_clients_do_not_hold_the_shutdown() {
    let mut server = Server::start();
    let host = server.address;
    let silent = server.connect();
    let mut idle = server.connect();
    idle.write_all(get(host).as_bytes()).expect("it is open");
    assert_eq!(read_one(&mut idle).status, 200);
    let mut slow_head = server.connect();
    slow_head.write_all(b"GET /live HTTP/1.1\r\nHos").expect("it is open");
    let mut slow_body = server.connect();
    let head = format!("POST /live HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10\r\n\r\nx");
    slow_body.write_all(head.as_bytes()).expect("it is open");
    // They were accepted in their order, so this one's answer says that all are served.
    assert_eq!(server.ask("GET", "/live").status, 200);

    let begin = Instant::now();
    server.stop();
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    for mut stream in [silent, idle, slow_head, slow_body] {
        let mut rest = Vec::new();
        // Closed or reset, but not left open.
        let open =
            stream.read_to_end(&mut rest).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!open);
    }
    assert!(TcpStream::connect(host).is_err(), "newcomers are refused");
}

#[test]
fn a_request_under_way_is_answered_before_the_end() {
    let mut server = Server::start();
    let host = server.address;
    let mut stream = server.connect();
    let head =
        format!("POST /live HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("it is open");
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).expect("the handler reads the body");
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    let _ = server.stop.take().expect("stopped once").send(());
    while TcpStream::connect(host).is_ok() {
        std::thread::yield_now();
    }
    stream.write_all(b"ok").expect("it is open");
    // Answered, and the connection closed: whether the answer announced it depends on which task ran first.
    assert_eq!(Reply::read(stream).status, 405);
}

#[test]
fn noise_is_no_harm() {
    let server = Server::start();
    for noise in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"\r\n\r\n\r\n",
        b"GET\r\n\r\n",
        b"\0\0\0\0",
        b"GET / HTTP/9.9\r\n\r\n",
    ] {
        let mut stream = server.connect();
        stream.write_all(noise).expect("it is open");
        stream.shutdown(std::net::Shutdown::Write).expect("it is open");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{noise:?}");
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(20_000));
    let mut stream = server.connect();
    let _ = stream.write_all(long.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 2"));
    assert_eq!(server.ask("GET", "/live").status, 200);
}

/// How long one answer to `path` takes, over a connection of its own.
fn time_of(server: &Server, path: &str) -> Duration {
    let begin = Instant::now();
    assert_eq!(server.ask("GET", path).status, 200);
    begin.elapsed()
}

#[test]
fn hundreds_of_slow_clients_do_not_keep_the_status_from_being_answered() {
    let server = Server::start();
    let host = server.address;
    let beginnings = [
        String::new(),
        "GET /live HTTP/1.1\r\nHos".to_owned(),
        format!("POST /live HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10\r\n\r\nx"),
        // Never reads its answers.
        get(host).repeat(50),
    ];
    let mut crowd = Vec::new();
    let mut times = Vec::new();
    for round in 0..20 {
        for beginning in &beginnings {
            crowd.extend((0..5).map(|_| {
                let mut stream = server.connect();
                // It may have lost its place already.
                let _ = stream.write_all(beginning.as_bytes());
                stream
            }));
        }
        times.push(time_of(&server, "/api/export/status"));
        println!("{} slow clients: {:?}", crowd.len(), times[round]);
    }
    assert!(crowd.len() >= 400);
    times.sort();
    // None waited for a place: that would take until the first slow client loses its own, ten seconds.
    assert!(times[19] < Duration::from_secs(5), "{times:?}");
    assert!(times[10] < Duration::from_millis(100), "{times:?}");
}

#[test]
fn what_takes_long_leaves_room_for_the_status() {
    let server = Server::start();
    let held = server.checks.gate.blocking_lock();
    let head =
        format!("POST /api/export/test-mongodb-connection HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    let mut crowd: Vec<_> = (0..200).map(|_| server.connect()).collect();
    for stream in &mut crowd {
        let _ = stream.write_all(head.as_bytes());
    }
    let times: Vec<_> = (0..20).map(|_| time_of(&server, "/api/export/status")).collect();
    assert!(times.iter().all(|time| *time < Duration::from_secs(5)), "{times:?}");
    drop(held);
    let statuses: Vec<_> = crowd.into_iter().filter_map(|mut stream| read_status(&mut stream)).collect();
    assert!(statuses.iter().filter(|status| **status == 200).count() <= crate::http::places::AT_WORK);
    assert!(
        statuses.contains(&200) && statuses.iter().all(|status| [200, 503].contains(status)),
        "{statuses:?}"
    );
    assert_eq!(server.ask("POST", "/api/export/test-mongodb-connection").status, 200, "there is room again");
}

/// The status of the answer on a connection that stays open; `None` if it was closed.
fn read_status(stream: &mut TcpStream) -> Option<u16> {
    let mut line = [0; 12];
    stream.read_exact(&mut line).ok()?;
    std::str::from_utf8(&line).ok()?.rsplit(' ').next()?.parse().ok()
}

#[test]
fn more_clients_than_places_are_served() {
    let server = Server::start();
    let _crowd: Vec<TcpStream> = (0..200).map(|_| server.connect()).collect();
    let mut late = server.connect();
    late.write_all(get(server.address).as_bytes()).expect("it is open");
    assert_eq!(read_one(&mut late).status, 200);
}

/// What the server says to `bytes` and then silence, and after how long it closes. The clock jumps to the next timer
/// whenever nothing else is to be done.
pub(super) fn after_silence(bytes: &str) -> (String, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let (status, link, backlog) =
            (watch::Sender::default(), watch::Sender::default(), watch::Sender::default());
        let snapshots = snapshots(&status, &link, &backlog);
        let deadlines = Deadlines {
            command: PATIENCE,
            test_connection: PATIENCE,
            summary: PATIENCE,
            ledger: PATIENCE,
            rollback: PATIENCE,
        };
        let (control, _commands) = Control::new(snapshots, Arc::new(Checks::default()), deadlines);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let serving = tokio::spawn(crate::http::serve(
            Entrance::over(listener),
            open(),
            control,
            std::future::pending(),
        ));

        let begin = tokio::time::Instant::now();
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("the server accepts");
        stream.write_all(bytes.as_bytes()).await.expect("it is open");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("it is closed");
        serving.abort();
        (String::from_utf8(answer).expect("text"), begin.elapsed())
    })
}

#[test]
fn a_client_that_falls_silent_loses_its_connection() {
    for bytes in ["", "GET /live HTTP/1.1\r\nHo", "GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let (_, open) = after_silence(bytes);
        assert!((10..30).contains(&open.as_secs()), "{bytes:?}: open for {open:?}");
    }
}

#[test]
fn a_body_that_does_not_come_is_408() {
    let (answer, open) =
        after_silence("POST /live HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nx");
    Reply::parse(&answer).fails(408, "Request timeout", "the body did not arrive within 5 s");
    assert!(open < Duration::from_secs(10), "open for {open:?}");
}
