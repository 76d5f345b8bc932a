//! Everything that a campaign is played with: application, daemon, network and server.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::Value;
use tempfile::TempDir;

use super::compare::Difference;
use super::fault::Fault;
use super::writer::Writer;
use crate::support::daemon::{Daemon, Line, Mark};
use crate::support::mongo::Mongo;
use crate::support::mongod::Mongod;
use crate::support::proxy::Proxy;
use crate::support::sqlite::{App, TABLE};
use crate::support::wait::{eventually, poll};

/// The daemon's own default.
const DATABASE: &str = "inquiryassistant";

/// How long a row may take from its commit to the collection on a busy machine, once everything is healed.
const ARRIVAL: Duration = Duration::from_secs(40);

/// What is added to it for each document.
const PER_DOCUMENT: Duration = Duration::from_millis(5);

/// How the campaign ended.
#[derive(Debug)]
pub(super) struct End {
    /// Rows in SQLite.
    pub(super) rows: u64,
    /// Documents in the collection.
    pub(super) written: u64,
    /// Documents whose insertion the exports that came to an end have counted.
    pub(super) counted: u64,
    /// Changes that the application made.
    pub(super) updates: u64,
    pub(super) difference: Difference,
}

/// Application, daemon, network and server.
pub(super) struct Stage {
    writer: Writer,
    daemon: Daemon,
    proxy: Proxy,
    mongod: Mongod,
    /// The way around the proxy, to look.
    mongo: Mongo,
    /// How many documents each export has said to have inserted, as far as the log was read.
    counted: HashMap<String, u64>,
    read: Mark,
    _directory: TempDir,
}

impl Stage {
    pub(super) fn set(rng: &mut Rng) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("mongo-uplink-campaign-")
            .tempdir()
            .expect("a temporary directory");
        let app = App::create(directory.path());
        let mongod = Mongod::start();
        let proxy = Proxy::start(mongod.port());
        let daemon = Daemon::builder(app.path(), &proxy.uri())
            .set("mongodb.operation_timeout", "1s")
            .set("probe.timeout", "1s")
            .set("probe.max_interval", "300ms")
            .set("export.batch_size", rng.u16(5..100))
            .start();
        let writer = Writer::start(app, rng.fork());
        let (mongo, read) = (mongod.client(), daemon.log().mark());
        let counted = HashMap::new();
        Self { writer, daemon, proxy, mongod, mongo, counted, read, _directory: directory }
    }

    /// Lets a fault happen, waits until it is over, and heals what it broke.
    pub(super) fn suffer(&mut self, fault: Fault, rng: &mut Rng) {
        match fault {
            Fault::KillDaemon { down_for } => {
                self.kill_daemon(rng);
                self.writer.wait_for_commits(down_for);
                self.daemon.start();
            }
            Fault::RestartDaemon => self.daemon.restart(),
            Fault::DeleteLedger => {
                self.kill_daemon(rng);
                self.delete_ledger();
                self.daemon.start();
            }
            Fault::TruncateLedger { percent } => {
                self.kill_daemon(rng);
                self.truncate_ledger(percent);
                self.daemon.start();
            }
            Fault::CutReply { command, bytes } => {
                self.proxy.cut_reply_of(command, bytes);
                self.writer.wait_for_commits(3);
            }
            Fault::CutAnyReply { bytes } => {
                self.proxy.cut_reply_after(bytes);
                self.writer.wait_for_commits(3);
            }
            Fault::Stall { length } => {
                self.proxy.stall();
                self.writer.wait_for_commits(length * 5);
            }
            Fault::Refuse { length } => {
                self.proxy.refuse();
                self.proxy.cut_all();
                self.writer.wait_for_commits(length);
            }
            Fault::Flap { times } => {
                for time in 0..times {
                    if time % 2 == 0 {
                        self.proxy.cut_all()
                    } else {
                        self.proxy.close_all()
                    }
                    self.writer.wait_for_commits(1);
                }
            }
            Fault::FreezeServer { length } => {
                self.mongod.freeze();
                self.writer.wait_for_commits(length * 5);
                self.mongod.thaw();
            }
            Fault::KillServer { down_for } => {
                self.mongod.kill();
                self.writer.wait_for_commits(down_for);
                self.mongod.launch();
            }
        }
        self.proxy.open();
        let unread = self.daemon.log().mark();
        count(&mut self.counted, &self.daemon.log().since(self.read));
        self.read = unread;
    }

    /// Waits until rows arrive: the application goes on writing new ones.
    #[track_caller]
    pub(super) fn wait_for_arrival(&self) {
        let before = self.mongo.count(DATABASE, TABLE);
        let arrived = poll(patience(before), || (self.mongo.count(DATABASE, TABLE) > before).then_some(()));
        assert!(arrived.is_some(), "no row arrived; the daemon's log:\n{}", self.daemon.log().tail());
    }

    /// Ends all faults and the application, waits until everything has arrived, and compares.
    pub(super) fn heal_and_compare(mut self) -> End {
        let (mut app, updates) = self.writer.stop();
        let mut difference = Difference::default();
        let settled = poll(patience(app.count()), || {
            difference = Difference::between(&mut app, &self.mongo.find_all(DATABASE, TABLE));
            difference.is_empty().then_some(())
        });
        if settled.is_none() {
            eprintln!("the daemon's log:\n{}", self.daemon.log().tail());
        }
        // A manual export looks at every row: it finds nothing to write.
        let before = self.mongo.find_all(DATABASE, TABLE);
        if difference.is_empty() {
            let (code, started) = eventually(ARRIVAL, "a manual export", || {
                let answer = self.daemon.post("/api/export/sqlite-to-mongodb?batch_size=500");
                (answer.0 == 200).then_some(answer)
            });
            assert_eq!(code, 200, "{started}");
            let id = started["data"]["export_id"].clone();
            let status = self.daemon.wait_status("the manual export's end", |status| {
                status["export_id"] == id && status["status"] != "running"
            });
            assert_eq!(status["status"], "completed", "{status}");
            assert_eq!(status["successful_records"], 0, "{status}");
            assert_eq!(
                self.mongo.find_all(DATABASE, TABLE),
                before,
                "a manual export changes nothing any more"
            );
        }
        self.daemon.terminate();
        count(&mut self.counted, &self.daemon.log().since(self.read));
        let counted = self.counted.values().sum();
        End { rows: app.count(), written: before.len() as u64, counted, updates, difference }
    }

    /// At a moment that is no boundary of anything.
    fn kill_daemon(&self, rng: &mut Rng) {
        let moment = Instant::now() + Duration::from_micros(rng.u64(..40_000));
        while Instant::now() < moment {
            std::thread::yield_now();
        }
        self.daemon.kill();
    }

    fn delete_ledger(&self) {
        let state = self.daemon.directory().join("state");
        for entry in fs::read_dir(&state).expect("the daemon has made it") {
            let path = entry.expect("a readable directory").path();
            fs::remove_file(path).expect("the daemon is down");
        }
    }

    fn truncate_ledger(&self, percent: u8) {
        let path = self.daemon.directory().join("state/state.db");
        let file = OpenOptions::new().write(true).open(path).expect("the daemon has made it");
        let length = file.metadata().expect("an open file").len();
        file.set_len(length * u64::from(percent) / 100).expect("the daemon is down");
    }
}

/// How long an arrival may take: without its ledger the daemon asks MongoDB about every row first.
fn patience(rows: u64) -> Duration {
    ARRIVAL + PER_DOCUMENT * u32::try_from(rows).expect("few rows")
}

/// Takes down what the exports have told of themselves. A line that is read twice counts once.
fn count(counted: &mut HashMap<String, u64>, lines: &[Line]) {
    let number = |line: &Line, name| line.field(name).and_then(Value::as_u64);
    for line in lines {
        if let (Some(id), Some(successful), Some(updated)) =
            (line.field("export_id"), number(line, "successful"), number(line, "updated"))
        {
            counted.insert(id.to_string(), successful - updated);
        }
    }
}
