//! What hundreds of failed probes leave behind: nothing.

use std::fs;
use std::time::Duration;

use crate::support::daemon::Daemon;
use crate::support::mongod::shared_mongod;
use crate::support::sqlite::App;
use crate::support::talker::{Manner, Talker};
use crate::support::wait::{PATIENCE, eventually};

/// Failed probes before the first and between the two looks.
const FEW: usize = 20;
const MANY: usize = 200;

/// The longest that so many may take, with the deadline of each.
const LONG: Duration = Duration::from_secs(90);

#[derive(Clone, Copy, Debug)]
struct Held {
    files: usize,
    threads: u64,
    kib: u64,
}

fn held(daemon: &Daemon) -> Held {
    let process = format!("/proc/{}", daemon.pid());
    let status = fs::read_to_string(format!("{process}/status")).expect("the daemon is running");
    let line = status.lines().find_map(|line| line.strip_prefix("Threads:")).expect("a process has threads");
    Held {
        files: fs::read_dir(format!("{process}/fd")).expect("the daemon is running").count(),
        threads: line.trim().parse().expect("a number"),
        kib: daemon.rss_kib(),
    }
}

fn failed_probes(daemon: &Daemon) -> usize {
    let told = |line: &crate::support::daemon::Line| {
        matches!(line.event(), Some("connectivity_lost" | "probe_failed"))
    };
    daemon.log().all().iter().filter(|line| told(line)).count()
}

#[test]
fn two_hundred_failed_probes_leave_no_threads_sockets_or_memory_behind() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let app = App::create(directory.path());
    let (silent, http) = (Talker::start(Manner::Silent), Talker::start(Manner::Http));
    let set = format!("mongodb://127.0.0.1:{}/?replicaSet=other", shared_mongod().port());
    let direct = |port| format!("mongodb://127.0.0.1:{port}/?directConnection=true");
    for (what, uri) in [("silent", direct(silent.port())), ("http", direct(http.port())), ("set", set)] {
        let daemon = Daemon::builder(app.path(), &uri)
            .set("probe.timeout", "100ms")
            .set("probe.initial_interval", "10ms")
            .set("probe.max_interval", "10ms")
            .set("log.filter", "debug")
            .start();
        eventually(LONG, "a few failed probes", || (failed_probes(&daemon) >= FEW).then_some(()));
        let before = held(&daemon);
        eventually(LONG, "many failed probes", || (failed_probes(&daemon) >= FEW + MANY).then_some(()));
        println!("{what}: {before:?}, then {:?}", held(&daemon));
        eventually(PATIENCE, "no more files, threads and memory than before", || {
            let now = held(&daemon);
            let same = now.files <= before.files + 4 && now.threads <= before.threads + 2;
            (same && now.kib <= before.kib + 4 * 1024).then_some(())
        });
        assert!(daemon.terminate().success());
    }
}
