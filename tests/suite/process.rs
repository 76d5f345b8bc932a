//! A process among others: it starts, is told things by signals, and stops when told.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::scene::{Scene, wait_completed, wait_link};
use crate::support::daemon::Daemon;
use crate::support::mongod::{Mongod, shared_mongod};
use crate::support::proxy::Proxy;
use crate::support::wait::{PATIENCE, eventually, poll};

/// Promised: within this time after a signal it has ended.
const TERMINATION: Duration = Duration::from_secs(5);

/// Ends the daemon and tells how long that took.
#[track_caller]
fn stop(daemon: &Daemon, signal: Signal) -> Duration {
    let begun = Instant::now();
    daemon.signal(signal);
    let status = daemon.wait_exit(TERMINATION);
    let took = begun.elapsed();
    assert_eq!(status.code(), Some(0), "{status}; log:\n{}", daemon.log().tail());
    took
}

/// A client that asked once and keeps its connection.
fn idle_client(daemon: &Daemon) -> TcpStream {
    let mut client = TcpStream::connect(daemon.address()).expect("the daemon listens");
    client.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
    client.write_all(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("the daemon reads");
    assert!(client.read(&mut [0; 512]).expect("an answer") > 0);
    client
}

/// Waits until an export is under way.
#[track_caller]
fn wait_running(daemon: &Daemon) -> Value {
    daemon.wait_status("a running export", |status| {
        status["status"] == "running" && status["processed_records"].as_u64() > Some(0)
    })
}

#[test]
fn idle_it_stops_at_once_with_exit_code_0() {
    let mut scene = Scene::new("idle");
    scene.app.insert_inquiries(1);
    for signal in [Signal::TERM, Signal::INT] {
        let daemon = scene.daemon().start();
        wait_completed(&daemon);
        let client = idle_client(&daemon);
        let took = stop(&daemon, signal);
        println!("{signal:?} while idle with a keep-alive client: {took:?}");
        drop(client);
        for event in ["stopping", "stopped"] {
            daemon.wait_log_of_the_dead(event);
        }
    }
}

#[test]
fn offline_it_stops_at_once_with_exit_code_0() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = silent.local_addr().expect("it is bound").port();
    let scene = Scene::new("offline").by(format!("mongodb://127.0.0.1:{port}/?directConnection=true"));
    let daemon = scene.daemon().start();
    let took = stop(&daemon, Signal::TERM);
    println!("SIGTERM in the middle of a probe without an answer: {took:?}");
}

#[test]
fn in_the_middle_of_an_export_it_stops_at_a_batch_boundary_and_goes_on_after_a_start() {
    let proxy = Proxy::start(shared_mongod().port());
    let mut scene = Scene::new("middle").by(proxy.uri());
    scene.app.insert_inquiries(1_000);
    let daemon = scene.daemon().set("export.batch_size", 10).prepare();
    for signal in [Signal::TERM, Signal::INT] {
        proxy.delay(Duration::from_millis(10));
        daemon.start();
        wait_running(&daemon);
        let took = stop(&daemon, signal);
        println!("{signal:?} in the middle of an export: {took:?}");
        let there = scene.count();
        assert!((1..1_000).contains(&there), "{there} documents");
    }
    proxy.open();
    daemon.start();
    scene.wait_count(1_000);
    wait_completed(&daemon);
    assert_eq!(scene.count(), 1_000);
}

#[test]
fn with_a_frozen_server_an_idle_and_a_slow_client_it_stops_within_five_seconds() {
    let mongod = Mongod::start();
    let proxy = Proxy::start(mongod.port());
    proxy.delay(Duration::from_millis(10));
    let mut scene = Scene::on(&mongod, "frozen").by(proxy.uri());
    scene.app.insert_inquiries(1_000);
    let daemon = scene.daemon().set("export.batch_size", 10).start();
    wait_running(&daemon);
    mongod.freeze();
    let _idle = idle_client(&daemon);
    let mut slow = TcpStream::connect(daemon.address()).expect("the daemon listens");
    slow.write_all(b"GET /live HTTP/1.1\r\nHost: loc").expect("the daemon reads");
    let took = stop(&daemon, Signal::TERM);
    println!("SIGTERM with a frozen server, an idle and a slow client: {took:?}");
    mongod.thaw();
    proxy.open();
    daemon.start();
    scene.wait_count(1_000);
    wait_completed(&daemon);
    assert_eq!(scene.count(), 1_000);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mongod = Mongod::start();
    let mut scene = Scene::on(&mongod, "twice");
    scene.app.insert_inquiries(200);
    let proxy = Proxy::start(mongod.port());
    proxy.delay(Duration::from_millis(10));
    let scene = scene.by(proxy.uri());
    let daemon = scene.daemon().set("export.batch_size", 1).start();
    wait_running(&daemon);
    mongod.freeze();
    daemon.signal(Signal::TERM);
    daemon.wait_log("stopping");
    let begun = Instant::now();
    daemon.signal(Signal::TERM);
    let status = daemon.wait_exit(TERMINATION);
    println!("a second SIGTERM: {:?}", begun.elapsed());
    assert_eq!(status.code(), Some(143), "{status}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
fn a_hangup_does_no_harm() {
    let mut scene = Scene::new("hangup");
    let daemon = scene.daemon().start();
    let pid = daemon.pid();
    daemon.signal(Signal::HUP);
    daemon.wait_log("reloaded");
    scene.app.insert_inquiries(2);
    scene.wait_count(2);
    assert_eq!(daemon.pid(), pid);
}

#[test]
fn sigusr1_probes_at_once_however_long_the_backoff_is() {
    let proxy = Proxy::start(shared_mongod().port());
    proxy.refuse();
    let mut scene = Scene::new("usr1").by(proxy.uri());
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
    assert_eq!(scene.count(), 0);
    daemon.signal(Signal::USR1);
    let took = scene.wait_count(5);
    println!("from SIGUSR1 to all rows: {took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn the_service_manager_is_told_when_it_is_ready_what_it_does_and_when_it_stops() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket in our own directory");
    socket.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
    let mut scene = Scene::new("notify");
    scene.app.insert_inquiries(4);
    let daemon = scene
        .daemon()
        .env("NOTIFY_SOCKET", path.to_str().expect("a readable name"))
        .env("WATCHDOG_USEC", "400000")
        .start();
    let mut told: Vec<String> = Vec::new();
    let mut wait_told = |wanted: &str| {
        eventually(PATIENCE, wanted, || {
            let mut buffer = [0; 2_048];
            let length = socket.recv(&mut buffer).expect("the daemon tells in time");
            told.extend(String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned));
            told.iter().any(|line| line.starts_with(wanted)).then_some(())
        });
        told.clone()
    };
    wait_told("READY=1");
    wait_told("STATUS=online; last export completed: 4 sent, 0 skipped, 0 rejected");
    wait_told("WATCHDOG=1");
    daemon.signal(Signal::TERM);
    let all = wait_told("STOPPING=1");
    assert_eq!(all.iter().filter(|line| *line == "READY=1").count(), 1);
    assert_eq!(daemon.wait_exit(TERMINATION).code(), Some(0));
}

#[test]
fn a_closed_standard_error_costs_the_log_and_nothing_else() {
    let mut scene = Scene::new("closed");
    scene.app.insert_inquiries(3);
    let settings = scene.daemon().prepare();
    let mut command = settings.command();
    command.stderr(crate::configuration::closed()).stdout(crate::configuration::closed());
    let mut process = command.spawn().expect("the program starts");
    let counted = poll(PATIENCE, || (scene.count() == 3).then_some(()));
    process.kill().expect("our own child can be killed");
    process.wait().expect("our own child can be waited for");
    assert!(counted.is_some(), "no rows arrived");
}

#[test]
fn a_port_in_use_ends_it_with_exit_code_1_and_a_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let scene = Scene::new("taken");
    let daemon = scene.daemon().set("http.listen", address.as_str()).prepare();
    daemon.launch();
    assert_eq!(daemon.wait_exit(TERMINATION).code(), Some(1));
    let line = daemon.wait_log_of_the_dead("failed");
    let error = line.field("error").and_then(Value::as_str).unwrap_or_default().to_owned();
    assert!(error.contains("http.listen") && error.contains(&address), "{error}");
}
