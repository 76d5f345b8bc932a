//! No read ever shows a state that wasn't committed: against transactions that are written out before they are over,
//! rolled back, vacuumed, checkpointed, and closed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fastrand::Rng;
use mongo_uplink::config::{Config, Sources};
use mongo_uplink::source::{Reader, SourceError};
use rusqlite::Connection;

use super::reader::{How, Reading};

const ROWS: i64 = 200;
const SUM: i64 = 1_000_000;
const LASTS: Duration = Duration::from_secs(5);

#[test]
fn every_read_is_a_committed_state_in_wal_mode() {
    torture("wal", 1);
}

#[test]
fn every_read_is_a_committed_state_in_delete_mode() {
    torture("delete", 2);
}

#[test]
fn every_read_is_a_committed_state_in_truncate_mode() {
    torture("truncate", 3);
}

#[test]
fn every_read_is_a_committed_state_in_persist_mode() {
    torture("persist", 4);
}

#[test]
fn every_read_is_a_committed_state_without_a_journal_on_disk() {
    torture("memory", 5);
}

#[test]
fn every_read_is_a_committed_state_while_the_journal_mode_changes() {
    torture("all", 6);
}

#[test]
fn a_transaction_left_behind_by_a_crash_is_not_read_as_if_it_were_committed() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("a.db");
    let connection = Writer::open(&path, "delete");
    connection
        .execute_batch("PRAGMA cache_size = 5; BEGIN; UPDATE account SET amount = 7, filler = 'torn'")
        .expect("nobody is in the way");
    let crashed = directory.path().join("crashed");
    // Another process: a descriptor of ours that is closed would take the writer's locks with it.
    let status = Command::new("sh")
        .args(["-c", "mkdir $1 && cp $0 $0-journal $1"])
        .args([&path, &crashed])
        .status()
        .expect("`sh` starts");
    assert!(status.success());
    let config = config(&crashed.join("a.db"));
    match Reader::open(&config.sqlite, &[]).map(drop) {
        Err(SourceError::Busy(_)) => {}
        other => panic!("{other:?}"),
    }
    // The application comes back and rolls it back.
    let sum: i64 = Connection::open(crashed.join("a.db"))
        .and_then(|app| app.query_row("SELECT sum(amount) FROM account", [], |row| row.get(0)))
        .expect("its own database");
    assert_eq!(sum, SUM);
    let mut reader = Reader::open(&config.sqlite, &[]).expect("nothing is in the way any more");
    assert_eq!(reader.count(None).expect("it can be read"), ROWS.unsigned_abs());
}

fn torture(mode: &str, seed: u64) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("a.db");
    let mut writer =
        Writer { connection: Some(Writer::open(&path, mode)), path: path.clone(), rng: Rng::with_seed(seed) };
    let reading = Reading::start(&path, How::Quietly, ROWS.unsigned_abs(), SUM);
    let began = Instant::now();
    let mut steps = 0;
    while began.elapsed() < LASTS {
        writer.step(mode);
        steps += 1;
    }
    let report = reading.stop();
    eprintln!("{mode}: {steps} steps, {report:?}");
    assert_eq!(report.wrong, [] as [String; 0], "{mode}, seed {seed}");
    assert!(report.states > 5, "{mode}: it reads while it is written to: {report:?}");
}

struct Writer {
    connection: Option<Connection>,
    path: PathBuf,
    rng: Rng,
}

impl Writer {
    fn open(path: &Path, mode: &str) -> Connection {
        let connection = Connection::open(path).expect("our own directory");
        let is_any = mode == "all";
        let mode = if is_any { "delete" } else { mode };
        connection.busy_timeout(Duration::from_secs(5)).expect("a valid timeout");
        let set = connection.pragma_update(None, "journal_mode", mode);
        // Leaving WAL mode is refused while somebody reads; then it stays as it is.
        assert!(set.is_ok() || is_any, "{set:?}");
        connection
            .execute_batch(&format!(
                // So few pages in memory that a transaction is written out long before its end.
                "PRAGMA cache_size = 4; PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 7;
                 CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY, amount INTEGER, filler TEXT);
                 WITH RECURSIVE n(id) AS (VALUES (1) UNION ALL SELECT id + 1 FROM n WHERE id < {ROWS})
                 INSERT OR IGNORE INTO account SELECT id, {SUM} / {ROWS}, hex(zeroblob(100)) FROM n"
            ))
            .expect("nobody is in the way");
        connection
    }

    fn step(&mut self, mode: &str) {
        match self.rng.u32(0..100) {
            0..70 => self.transfer(),
            70..84 => self.run("SELECT count(*) FROM account"),
            84..90 => {
                let kind = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"][self.rng.usize(0..4)];
                self.run(&format!("PRAGMA wal_checkpoint({kind})"));
            }
            90..93 => self.run("VACUUM"),
            93..95 => {
                let size = [512, 1024, 4096, 8192][self.rng.usize(0..4)];
                self.run(&format!("PRAGMA page_size = {size}; VACUUM"));
            }
            95..97 if mode == "all" => {
                let mode = ["wal", "delete", "truncate", "persist", "memory"][self.rng.usize(0..5)];
                // Leaving WAL mode is refused while we read; then it stays as it is.
                let _refused = self.connection().pragma_update(None, "journal_mode", mode);
            }
            95..98 => {
                self.connection.take().expect("it is open").close().expect("nothing is left open");
                self.connection = Some(Self::open(&self.path, mode));
            }
            _ => std::thread::sleep(Duration::from_millis(self.rng.u64(1..30))),
        }
        if self.rng.u32(0..3) == 0 {
            std::thread::sleep(Duration::from_micros(self.rng.u64(0..3_000)));
        }
    }

    /// Moves amounts between accounts, many or few, and keeps it or not.
    fn transfer(&mut self) {
        self.run("BEGIN IMMEDIATE");
        let many = if self.rng.u32(0..4) == 0 { 100 } else { 3 };
        for _ in 0..self.rng.u32(1..=many) {
            let (from, to) = (self.rng.i64(1..=ROWS), self.rng.i64(1..=ROWS));
            let (amount, filler) = (self.rng.i64(1..1000), self.rng.u32(1..300));
            self.run(&format!("UPDATE account SET amount = amount - {amount}, filler = hex(zeroblob({filler})) WHERE id = {from}"));
            self.run(&format!("UPDATE account SET amount = amount + {amount} WHERE id = {to}"));
        }
        let end = if self.rng.u32(0..3) == 0 { "ROLLBACK" } else { "COMMIT" };
        self.run(end);
    }

    fn run(&self, sql: &str) {
        self.connection().execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("it is open")
    }
}

fn config(path: &Path) -> Config {
    let sources = Sources::default()
        .with_override(format!("sqlite.path={}", path.display()))
        .with_override("sqlite.table=account");
    Config::load(&sources).expect("a valid configuration")
}
