//! A network that comes back, with nobody there but the daemon: the next probe is an hour of patience away, and rows
//! arrive at once all the same.

mod namespaces;

use std::time::{Duration, Instant};

use rustix::process::Signal;

use self::namespaces::Cable;
use crate::support::daemon::{Daemon, Line, Mark};
use crate::support::mongod::Mongod;
use crate::support::sqlite::{App, TABLE};
use crate::support::wait::{PATIENCE, eventually, poll};

const DATABASE: &str = "network";

/// From "link up" to the first acknowledged document.
const PROMISED: Duration = Duration::from_secs(2);

/// Failed attempts in a row before the link comes up: the backoff is at its cap long before.
const ATTEMPTS: u64 = 20;

/// How often the link comes up; more often, and with the default's first delay, if `UPLINK_LINK_UPS` says so.
fn repetitions() -> (usize, Duration) {
    let long = std::env::var("UPLINK_LINK_UPS").ok().and_then(|text| text.parse().ok());
    long.map_or((3, Duration::from_millis(100)), |count| (count, Duration::from_secs(1)))
}

#[test]
fn rows_arrive_within_two_seconds_of_the_link_coming_up_however_long_it_was_down() {
    namespaces::in_a_network_of_its_own(|| {
        let mongod = Mongod::builder().arg("--bind_ip_all").start();
        let cable = Cable::lay();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut app = App::create(directory.path());
        let (repetitions, initial_interval) = repetitions();
        let uri = format!("mongodb://{}:{}/?directConnection=true", Cable::NEAR_END, mongod.port());
        let daemon = Daemon::builder(app.path(), &uri)
            .program(cable.program_at_the_far_end(directory.path()))
            .set("mongodb.database", DATABASE)
            .set("mongodb.operation_timeout", "1s")
            .set("probe.initial_interval", format!("{}ms", initial_interval.as_millis()))
            .set("probe.max_interval", "60s")
            .set("log.filter", "info,mongo_uplink=debug")
            .prepare();
        cable.unplug();
        daemon.start();
        let client = mongod.client();
        let mut took = Vec::new();
        for _ in 0..repetitions {
            let before = client.count(DATABASE, TABLE);
            let mark = daemon.log().mark();
            app.insert_inquiries(10);
            fail_until(&daemon, mark, ATTEMPTS);
            // At the cap the last probe is long ago; one that was asked for just now would put the next one off.
            poll(initial_interval * 3, || None::<()>);
            let plugged = Instant::now();
            cable.plug();
            let arrived = || (client.count(DATABASE, TABLE) > before).then(|| plugged.elapsed());
            took.push(eventually(PATIENCE, "a document after the link came up", arrived));
            eventually(PATIENCE, "all of them", || {
                (client.count(DATABASE, TABLE) == app.count()).then_some(())
            });
            assert!(daemon.log().since(mark).iter().any(is_network_hint), "nobody told the daemon");
            cable.unplug();
        }
        took.sort();
        let (median, p95) = (took[took.len() / 2], took[(took.len() * 95).div_ceil(100) - 1]);
        println!("link up to first document, {} times: median {median:?}, p95 {p95:?}", took.len());
        assert!(p95 < PROMISED, "{took:?}");
    });
}

#[test]
fn the_server_returning_without_any_hint_is_met_within_the_cap() {
    let mongod = Mongod::start();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut app = App::create(directory.path());
    let daemon = Daemon::builder(app.path(), &mongod.uri())
        .set("mongodb.database", DATABASE)
        .set("probe.max_interval", "1s")
        .set("log.filter", "info,mongo_uplink=debug")
        .start();
    daemon.wait_log("connectivity_established");
    let mark = daemon.log().mark();
    mongod.kill();
    app.insert_inquiries(10);
    fail_until_by_itself(&daemon, mark, 8);
    let restored = daemon.log().mark();
    mongod.launch();
    let back = Instant::now();
    daemon.wait_log_after(restored, "connectivity_restored");
    // The cap with its jitter, and something for the probe itself on a busy machine.
    assert!(back.elapsed() < Duration::from_millis(1_500 + 1_000), "{:?}", back.elapsed());
    let client = mongod.client();
    eventually(PATIENCE, "all rows", || (client.count(DATABASE, TABLE) == 10).then_some(()));
}

/// Has the daemon try in vain until so many attempts in a row have failed, by signals that ask for the next one.
fn fail_until(daemon: &Daemon, mark: Mark, attempts: u64) {
    let reached = poll(PATIENCE * 10, || {
        daemon.signal(Signal::USR1);
        (failed_attempts(daemon, mark) >= attempts).then_some(())
    });
    assert!(reached.is_some(), "no {attempts} failed attempts; log:\n{}", daemon.log().tail());
}

fn fail_until_by_itself(daemon: &Daemon, mark: Mark, attempts: u64) {
    eventually(PATIENCE, "failed attempts", || (failed_attempts(daemon, mark) >= attempts).then_some(()));
}

/// The number of the last failed attempt in a row.
fn failed_attempts(daemon: &Daemon, mark: Mark) -> u64 {
    let lines = daemon.log().since(mark);
    let failed = lines.iter().rev().find(|line| line.event() == Some("probe_failed"));
    failed.and_then(|line| line.field("attempts")?.as_u64()).unwrap_or(0)
}

fn is_network_hint(line: &Line) -> bool {
    line.event() == Some("hint") && line.field("kind").is_some_and(|kind| kind == "network")
}
