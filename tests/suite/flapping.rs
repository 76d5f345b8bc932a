//! A link that flaps, in every way that a connection can break: the daemon is never stuck, never hot, and in the end
//! everything is there once.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use mongodb::bson::doc;

use crate::support::daemon::Daemon;
use crate::support::mongod::{fresh_database, shared_mongod};
use crate::support::proxy::Proxy;
use crate::support::sqlite::{App, TABLE};
use crate::support::usage::cpu_time;
use crate::support::wait::{PATIENCE, eventually, poll};

/// Without jitter, so that it is the shortest time between two scheduled probes.
const INITIAL_INTERVAL: Duration = Duration::from_millis(500);

/// Connections that one probe and the pass after it may open: the look whether the port is open, the monitor's two, and
/// those of a look-up and its inserts.
const CONNECTIONS_A_PROBE: u64 = 5;

/// The CPU time that a link which flaps may cost, in percent: most of it for new connections and for comparing the table
/// after each. Unoptimized code, as tests have it, takes a few times as long for that.
const CPU_PERCENT: u32 = if cfg!(debug_assertions) { 10 } else { 5 };

/// The longest that a part of a flap lasts.
const LONGEST: u64 = 150;

fn setting<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Breaks what is open, in one of the ways.
fn flap(proxy: &Proxy, rng: &mut fastrand::Rng) {
    match rng.u32(..6) {
        0 => proxy.cut_all(),
        1 => proxy.close_all(),
        2 => proxy.stall(),
        3 => proxy.cut_reply_after(rng.u64(..600)),
        4 => proxy.cut_reply_of("insert", rng.u64(..80)),
        _ => {
            proxy.refuse();
            proxy.cut_all();
        }
    }
}

fn meanwhile(length: Duration) {
    poll(length, || None::<()>);
}

#[test]
fn a_link_that_flaps_makes_the_daemon_neither_stuck_nor_hot_and_everything_arrives_once() {
    let (flaps, seed) = (setting("UPLINK_FLAPS", 100), setting("UPLINK_SEED", 7615));
    let mut rng = fastrand::Rng::with_seed(seed);
    let (database, proxy) = (fresh_database("flapping"), Proxy::start(shared_mongod().port()));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut app = App::create(directory.path());
    let daemon = Daemon::builder(app.path(), &proxy.uri())
        .set("mongodb.database", database.as_str())
        .set("mongodb.operation_timeout", "1s")
        .set("probe.initial_interval", "500ms")
        .set("probe.max_interval", "2s")
        .set("probe.randomization_factor", 0.0)
        .set("probe.timeout", "1s")
        .start();
    daemon.wait_log("connectivity_established");
    let (begun, worked, accepted) = (Instant::now(), cpu_time(daemon.pid()), proxy.counters().accepted);
    let mut slowest = Duration::ZERO;
    for number in 0..flaps {
        if number % 10 == 0 {
            app.insert_inquiries(1);
        }
        flap(&proxy, &mut rng);
        meanwhile(Duration::from_millis(rng.u64(..LONGEST)));
        let asked = Instant::now();
        daemon.status();
        slowest = slowest.max(asked.elapsed());
        proxy.open();
        meanwhile(Duration::from_millis(rng.u64(..LONGEST)));
    }
    let (took, worked) = (begun.elapsed(), cpu_time(daemon.pid()) - worked);
    let accepted = proxy.counters().accepted - accepted;
    let probes = took.div_duration_f64(INITIAL_INTERVAL).ceil() as u64 + 1;
    println!(
        "{flaps} flaps (seed {seed}) in {took:.1?}: {accepted} connections ({:.2} per initial interval), {worked:?} of \
         CPU ({:.1} %), slowest status {slowest:?}",
        accepted as f64 / probes as f64,
        100.0 * worked.as_secs_f64() / took.as_secs_f64()
    );
    assert!(accepted <= probes * CONNECTIONS_A_PROBE, "{accepted} connections, seed {seed}");
    assert!(worked <= took * CPU_PERCENT / 100, "{worked:?} of CPU in {took:?}, seed {seed}");
    assert!(slowest < Duration::from_secs(2), "the status took {slowest:?}");

    let client = shared_mongod().client();
    eventually(2 * PATIENCE, "all rows", || (client.count(&database, TABLE) == app.count()).then_some(()));
    let rows: HashSet<String> = client
        .find(&database, TABLE, doc! {})
        .iter()
        .map(|document| {
            let metadata = document.get_document("export_metadata").expect("each document has them");
            metadata.get_str("original_sqlite_id").expect("a text").to_owned()
        })
        .collect();
    assert_eq!(rows.len() as u64, app.count(), "each row once, seed {seed}");
    daemon.wait_status("nothing left", |status| status["status"] == "completed");
}
