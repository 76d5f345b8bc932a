//! A pass that hangs: it is told, broken off and begun anew; and if that doesn't help, the service manager is no longer
//! told that all is well.

use std::fs::OpenOptions;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{fs, thread};

use crate::support::daemon::{Builder, Daemon};
use crate::support::mongod::{fresh_database, shared_mongod};
use crate::support::proxy::Proxy;
use crate::support::sqlite::{App, Journal, TABLE};
use crate::support::wait::{PATIENCE, eventually, poll};

/// What the service manager would do: after this long without a sign of life it kills the daemon.
const WATCHDOG: Duration = Duration::from_millis(400);

/// Stands in for the service manager.
struct Manager {
    path: PathBuf,
    ticks: Arc<AtomicUsize>,
}

impl Manager {
    fn listen(directory: &Path) -> Self {
        let path = directory.join("notify");
        let socket = UnixDatagram::bind(&path).expect("a temporary directory is writable");
        let ticks = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&ticks);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Ends with the test's process.
            while let Ok(length) = socket.recv(&mut buffer) {
                let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
                counter.fetch_add(
                    message.lines().filter(|line| *line == "WATCHDOG=1").count(),
                    Ordering::SeqCst,
                );
            }
        });
        Self { path, ticks }
    }

    fn watches(&self, settings: Builder) -> Builder {
        let watchdog = WATCHDOG.as_micros().to_string();
        settings
            .env("NOTIFY_SOCKET", self.path.to_str().expect("a readable name"))
            .env("WATCHDOG_USEC", &watchdog)
    }

    fn ticks(&self) -> usize {
        self.ticks.load(Ordering::SeqCst)
    }

    /// Whether the daemon would be alive for this long.
    fn is_content_for(&self, length: Duration) -> bool {
        poll(length, || (!self.hears_a_tick()).then_some(())).is_none()
    }

    fn hears_a_tick(&self) -> bool {
        let before = self.ticks();
        poll(WATCHDOG, || (self.ticks() > before).then_some(())).is_some()
    }
}

/// A file that nobody ever writes to: whoever opens it for reading hangs, as on a network file system that is gone.
struct Trap(PathBuf);

impl Trap {
    /// Where SQLite, and whoever reads its files, looks for a rollback journal.
    #[track_caller]
    fn set(database: &Path) -> Self {
        let path = PathBuf::from(format!("{}-journal", database.display()));
        assert!(Command::new("mkfifo").arg(&path).status().is_ok_and(|status| status.success()), "mkfifo");
        Self(path)
    }

    /// Lets everybody go who hangs, and is gone.
    #[track_caller]
    fn open(self) {
        let released = OpenOptions::new().read(true).write(true).open(&self.0);
        fs::remove_file(&self.0).expect("our own file");
        drop(released.expect("our own file"));
    }
}

#[test]
fn a_pass_that_hangs_is_told_and_broken_off_and_leaves_the_watchdog_hungry_until_it_gets_on() {
    let (database, proxy) = (fresh_database("hangs"), Proxy::start(shared_mongod().port()));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut app = App::create_with(directory.path(), Journal::Delete);
    let manager = Manager::listen(directory.path());
    proxy.refuse();
    let settings = Daemon::builder(app.path(), &proxy.uri())
        .set("mongodb.database", database.as_str())
        // A pass may be without progress six times as long, and at least a second.
        .set("mongodb.operation_timeout", "200ms")
        .set("probe.max_interval", "100ms");
    let daemon = manager.watches(settings).start();
    assert!(manager.is_content_for(3 * WATCHDOG), "MongoDB being away is no reason to be restarted");

    app.insert_inquiries(20);
    let trap = Trap::set(app.path());
    proxy.open();
    let first = daemon.wait_log("stalled");
    assert_eq!(first.field("stalls").and_then(serde_json::Value::as_u64), Some(1));
    let status = daemon.wait_status("the reason", |status| !status["waiting_for"].is_null());
    assert!(status["waiting_for"].as_str().is_some_and(|text| text.contains("no progress")), "{status}");
    let connections = proxy.counters().accepted;
    eventually(PATIENCE, "a new connection", || (proxy.counters().accepted > connections).then_some(()));
    eventually(PATIENCE, "a hungry watchdog", || (!manager.hears_a_tick()).then_some(()));
    assert!(!manager.hears_a_tick(), "it stays hungry");
    assert_eq!(daemon.get("/live").0, 200, "the rest of the daemon answers all the same");

    trap.open();
    let client = shared_mongod().client();
    eventually(PATIENCE, "all rows", || (client.count(&database, TABLE) == 20).then_some(()));
    eventually(PATIENCE, "a fed watchdog", || manager.hears_a_tick().then_some(()));
    daemon.wait_status("no trouble", |status| status["waiting_for"].is_null());
}

#[test]
fn a_daemon_that_hangs_in_a_pass_still_stops_in_time() {
    let database = fresh_database("hangsandstops");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut app = App::create_with(directory.path(), Journal::Delete);
    app.insert_inquiries(20);
    let trap = Trap::set(app.path());
    let daemon = Daemon::builder(app.path(), &shared_mongod().uri())
        .set("mongodb.database", database.as_str())
        .set("mongodb.operation_timeout", "200ms")
        .start();
    daemon.wait_log("stalled");
    assert!(daemon.terminate().success());
    trap.open();
}

#[test]
fn a_busy_daemon_and_an_idle_one_feed_the_watchdog() {
    let database = fresh_database("fed");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut app = App::create(directory.path());
    app.insert_inquiries(5_000);
    let manager = Manager::listen(directory.path());
    let settings =
        Daemon::builder(app.path(), &shared_mongod().uri()).set("mongodb.database", database.as_str());
    let _daemon = manager.watches(settings).start();
    let client = shared_mongod().client();
    eventually(3 * PATIENCE, "all rows", || {
        assert!(manager.hears_a_tick(), "while it exports");
        (client.count(&database, TABLE) == 5_000).then_some(())
    });
    assert!(manager.is_content_for(4 * WATCHDOG), "while it has nothing to do");
}
