//! A process of its own that reads as fast as it can. POSIX locks are a process's: within the writer's own they would
//! prove nothing.
//!
//! It is this test program, started anew for [`reads_until_it_is_told_to_stop`] alone.

use std::env;
use std::fs;
use std::io::Read as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use mongo_uplink::config::{Config, Sources};
use mongo_uplink::record::ValueRef;
use mongo_uplink::source::{Reader, RowRef, SourceError, Visitor};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

/// The table that is read: each transaction leaves the number of its rows and the sum of `amount` as they were.
pub(super) const TABLE: &str = "account";

/// How it reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum How {
    /// As the daemon does.
    Quietly,
    /// By an ordinary read-only connection.
    Ordinarily,
}

/// A reader at work.
pub(super) struct Reading {
    process: Child,
    report: PathBuf,
}

/// What it found.
#[derive(Debug)]
pub(super) struct Report {
    /// Reads of the whole table that were answered.
    pub(super) reads: u64,
    /// Different states among them: it went with the writer.
    pub(super) states: u64,
    /// Reads that were refused for the time being.
    pub(super) refused: u64,
    /// What should not be.
    pub(super) wrong: Vec<String>,
}

impl Reading {
    /// Starts a reader of `path`, where `rows` rows add up to `sum`.
    pub(super) fn start(path: &Path, how: How, rows: u64, sum: i64) -> Self {
        let report = path.with_extension("report");
        let process = Command::new(env::current_exe().expect("this program has a path"))
            .args(["--exact", "unnoticed::reader::reads_until_it_is_told_to_stop", "--nocapture"])
            .env("READER_PATH", path)
            .env("READER_HOW", format!("{how:?}"))
            .env("READER_ROWS", rows.to_string())
            .env("READER_SUM", sum.to_string())
            .env("READER_REPORT", &report)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("this program starts");
        Self { process, report }
    }

    /// Tells it to stop, which its end of input does, and takes its report.
    pub(super) fn stop(mut self) -> Report {
        drop(self.process.stdin.take());
        assert!(self.process.wait().expect("our own child").success(), "the reader failed");
        let report: Value =
            serde_json::from_slice(&fs::read(&self.report).expect("its report")).expect("JSON");
        let count = |name: &str| report[name].as_u64().expect("a number");
        let wrong = report["wrong"].as_array().expect("a list").iter().map(Value::to_string).collect();
        Report { reads: count("reads"), states: count("states"), refused: count("refused"), wrong }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        // After `stop` it has ended, and both fail.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One look at the table.
#[derive(Default)]
struct Look {
    rows: u64,
    sum: i64,
    /// Tells states apart.
    mix: i64,
}

impl Look {
    fn take(&mut self, id: i64, amount: i64) {
        self.rows += 1;
        self.sum += amount;
        self.mix = self.mix.wrapping_mul(31).wrapping_add(id ^ amount);
    }
}

impl Visitor for Look {
    fn begin(&mut self) {
        *self = Self::default();
    }

    fn row(&mut self, row: RowRef<'_>) -> ControlFlow<()> {
        match (row.values[0], row.values[1]) {
            (ValueRef::Integer(id), ValueRef::Integer(amount)) => self.take(id, amount),
            // A reading that will be made again may come upon anything; one that counts is wrong by this.
            _ => self.rows += 1_000_000,
        }
        ControlFlow::Continue(())
    }
}

#[test]
fn reads_until_it_is_told_to_stop() {
    let Ok(path) = env::var("READER_PATH") else { return };
    let setting = |name| env::var(name).expect("set by whoever starts it");
    let (rows, sum) =
        (setting("READER_ROWS").parse().unwrap_or(0), setting("READER_SUM").parse().unwrap_or(0));
    let sources = Sources::default()
        .with_override(format!("sqlite.path={path}"))
        .with_override(format!("sqlite.table={TABLE}"));
    let config = Config::load(&sources).expect("a valid configuration");
    let stop = Arc::new(AtomicBool::new(false));
    thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            let _ended = std::io::stdin().read(&mut [0]);
            stop.store(true, Ordering::Relaxed);
        }
    });

    let (mut reads, mut states, mut refused, mut last) = (0_u64, 0_u64, 0_u64, None);
    let mut wrong = Vec::new();
    let mut reader = None;
    while !stop.load(Ordering::Relaxed) && wrong.len() < 10 {
        let look = if setting("READER_HOW") == "Quietly" {
            quietly(&mut reader, &config)
        } else {
            ordinarily(Path::new(&path))
        };
        match look {
            Ok(look) => {
                reads += 1;
                if last.replace(look.mix) != Some(look.mix) {
                    states += 1;
                }
                if (look.rows, look.sum) != (rows, sum) {
                    wrong.push(format!("{} rows with a sum of {}", look.rows, look.sum));
                }
            }
            Err(error) if error.is_transient() => refused += 1,
            Err(error) => wrong.push(error.to_string()),
        }
    }
    let report = json!({ "reads": reads, "states": states, "refused": refused, "wrong": wrong });
    fs::write(setting("READER_REPORT"), report.to_string()).expect("the test's own directory");
}

fn quietly(kept: &mut Option<Reader>, config: &Config) -> Result<Look, SourceError> {
    let mut reader = match kept.take() {
        Some(reader) => reader,
        None => Reader::open(&config.sqlite, &[])?,
    };
    let mut look = Look::default();
    let end = reader.page(None, 1_000_000, &mut look)?;
    *kept = Some(reader);
    // Disturbed, it takes what it gets: a part of the table tells nothing of the whole.
    if end.done { Ok(look) } else { Err(SourceError::Busy("only a part")) }
}

fn ordinarily(path: &Path) -> Result<Look, SourceError> {
    let busy = |_| SourceError::Busy("as it is for everybody");
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(busy)?;
    let mut statement = connection.prepare("SELECT id, amount FROM account ORDER BY id").map_err(busy)?;
    let mut rows = statement.query([]).map_err(busy)?;
    let mut look = Look::default();
    while let Some(row) = rows.next().map_err(busy)? {
        look.take(row.get(0).map_err(busy)?, row.get(1).map_err(busy)?);
    }
    Ok(look)
}
