//! Names and routes that come, go and change while the daemon runs. Each test has a view of the host of its own.

use std::fs;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::daemon::{Daemon, Mark};
use crate::support::dns::{Dns, Mood};
use crate::support::mongod::{fresh_database, shared_mongod};
use crate::support::sandbox::{Sandbox, is_possible};
use crate::support::sqlite::{App, TABLE};
use crate::support::wait::{PATIENCE, eventually};

/// Waits until the loss of the connection is told, which must have this reason.
#[track_caller]
fn lost(daemon: &Daemon, mark: Mark, reason: &str) -> String {
    let line = daemon.wait_log_after(mark, "connectivity_lost");
    assert_eq!(line.field("reason").and_then(Value::as_str), Some(reason), "{}", line.text());
    line.field("detail").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The error of the test endpoint, and how long it took.
#[track_caller]
fn tested(daemon: &Daemon) -> (String, Duration) {
    let asked = Instant::now();
    let (_, body) = daemon.post("/api/export/test-mongodb-connection");
    (body["error"].as_str().unwrap_or_default().to_owned(), asked.elapsed())
}

fn threads(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("the daemon is running");
    let line = status.lines().find_map(|line| line.strip_prefix("Threads:")).expect("a process has threads");
    line.trim().parse().expect("a number")
}

#[test]
fn a_host_that_boots_without_dns_exports_as_soon_as_there_is_some() {
    let (true, Some(dns)) = (is_possible(), Dns::start()) else { return };
    let sandbox = Sandbox::with_own_etc();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut app = App::create(directory.path());
    app.insert_inquiries(3);
    let database = fresh_database("srv");
    let uri = "mongodb+srv://cluster.example.test/?tls=false";
    let daemon = Daemon::builder(app.path(), uri)
        .set("mongodb.database", database.as_str())
        .program(sandbox.program())
        .start();
    println!("{}", lost(&daemon, Mark::default(), "dns"));
    // A server that has not heard of the zone yet.
    dns.set_mood(Mood::NothingExists);
    sandbox.set_dns(Some(&dns.address()));
    let (error, took) = tested(&daemon);
    println!("{took:?} {error}");
    assert!(error.starts_with("dns: "), "{error}");
    // One that knows the service, but not its host.
    dns.set_srv("_mongodb._tcp.cluster.example.test", "node.example.test", shared_mongod().port());
    dns.set_mood(Mood::Right);
    let (error, took) = tested(&daemon);
    println!("{took:?} {error}");
    assert!(error.starts_with("dns: "), "{error}");
    dns.set_a("node.example.test", Ipv4Addr::LOCALHOST);
    daemon.wait_log("connectivity_restored");
    let client = shared_mongod().client();
    eventually(PATIENCE, "the rows", || (client.count(&database, TABLE) == 3).then_some(()));
}

#[test]
fn a_dns_server_that_does_not_answer_holds_up_neither_answers_nor_the_end() {
    let (true, Some(dns)) = (is_possible(), Dns::start()) else { return };
    dns.set_mood(Mood::Silent);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let app = App::create(directory.path());
    for uri in ["mongodb://node.example.test", "mongodb+srv://cluster.example.test/?tls=false"] {
        let sandbox = Sandbox::with_own_etc();
        sandbox.set_dns(Some(&dns.address()));
        let daemon =
            Daemon::builder(app.path(), uri).set("probe.timeout", "500ms").program(sandbox.program()).start();
        println!("{}", lost(&daemon, Mark::default(), "dns"));
        let before = threads(&daemon);
        for _ in 0..10 {
            let (error, took) = tested(&daemon);
            assert!(error.starts_with("dns: "), "{error}");
            assert!(took < Duration::from_secs(1), "{took:?}");
        }
        let after = threads(&daemon);
        println!("{before} threads, later {after}");
        assert!(after <= before + 2, "{before} threads, later {after}");
        assert_eq!(daemon.get("/api/export/sqlite-data").0, 200, "SQLite is read meanwhile");
        assert!(daemon.terminate().success());
    }
}

#[test]
fn a_server_that_moves_to_another_address_is_found_at_the_next_probe() {
    if !is_possible() {
        return;
    }
    let sandbox = Sandbox::with_own_etc();
    sandbox.set_hosts("127.0.0.1 db.example.test\n");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut app = App::create(directory.path());
    let database = fresh_database("moves");
    let port = shared_mongod().port();
    let daemon =
        Daemon::builder(app.path(), &format!("mongodb://db.example.test:{port}/?directConnection=true"))
            .set("mongodb.database", database.as_str())
            .set("mongodb.idle_disconnect", "50ms")
            .program(sandbox.program())
            .start();
    app.insert_inquiries(1);
    let client = shared_mongod().client();
    eventually(PATIENCE, "the first row", || (client.count(&database, TABLE) == 1).then_some(()));
    let mark = daemon.log().mark();
    sandbox.set_hosts("127.0.0.99 db.example.test\n");
    // Until the old connection is closed, a row may still get through.
    eventually(PATIENCE, "the loss", || {
        app.insert_inquiries(1);
        daemon.log().find(mark, "connectivity_lost")
    });
    sandbox.set_hosts("127.0.0.1 db.example.test\n");
    daemon.wait_log_after(mark, "connectivity_restored");
    eventually(PATIENCE, "all rows", || (client.count(&database, TABLE) == app.count()).then_some(()));
}

#[test]
fn a_host_without_a_way_to_mongodb_says_unreachable_and_lost_packets_are_a_timeout() {
    if !is_possible() {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let app = App::create(directory.path());
    let silent = "ip tuntap add dev t0 mode tap\nip addr add 10.9.0.1/24 dev t0\nip link set t0 up\n\
                  ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev t0";
    for (script, address, reason) in [
        ("", "10.1.0.1", "unreachable"),
        ("ip route add unreachable 10.1.0.0/16", "10.1.0.1", "unreachable"),
        ("ip route add prohibit 10.1.0.0/16", "10.1.0.1", "unreachable"),
        ("ip route add blackhole 10.1.0.0/16", "10.1.0.1", "unreachable"),
        (silent, "10.9.0.2", "timeout"),
    ] {
        let sandbox = Sandbox::with_own_network(script);
        let daemon = Daemon::builder(app.path(), &format!("mongodb://{address}"))
            .set("probe.timeout", "500ms")
            .program(sandbox.program())
            .prepare();
        let begun = Instant::now();
        daemon.launch();
        let detail = lost(&daemon, Mark::default(), reason);
        println!("{reason:>15} {:?} after the start: {detail}", begun.elapsed());
    }
}
