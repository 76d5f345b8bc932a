//! Two reads of one process: the end of one must not take the other's locks. POSIX locks are a process's, and closing any
//! descriptor of a file drops them all; an application that closes its database then takes itself for the last one, and
//! writes its WAL back into the file that is being read.

use std::env;
use std::fs;
use std::io::{BufRead as _, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use mongo_uplink::config::{Config, Sources};
use mongo_uplink::record::ValueRef;
use mongo_uplink::source::{Reader, RowRef, SourceError, Visitor};

use crate::support::privilege::needs;
use crate::support::wait::{PATIENCE, eventually};

/// The application is the `sqlite3` of this machine: SQLite from 3.51 on looks twice before it takes itself for the last
/// one, so that the library of these tests wouldn't show the harm.
#[test]
fn a_second_look_leaves_the_locks_of_the_first_alone() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("a.db");
    needs("sqlite3", "sqlite3");
    let mut command = Command::new("sqlite3");
    let mut app =
        command.arg(&path).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it is there");
    let mut sql = app.stdin.take().expect("it is piped");
    let mut run = |what: &str, text: &str| {
        let done = told(&path, what);
        writeln!(sql, "{text};\n.shell touch {}", done.display()).expect("it reads");
        appears(&done);
    };
    // All of the WAL is written back, but it is there: who reads now needs nothing of it.
    run(
        "made",
        "PRAGMA journal_mode = wal; CREATE TABLE account (id INTEGER PRIMARY KEY, amount INTEGER, filler TEXT);
         WITH RECURSIVE n(id) AS (VALUES (1) UNION ALL SELECT id + 1 FROM n WHERE id < 500)
         INSERT INTO account SELECT id, 0, hex(zeroblob(150)) FROM n; PRAGMA wal_checkpoint(PASSIVE)",
    );
    let mut reader = Command::new(env::current_exe().expect("this program has a path"))
        .args(["--exact", "unnoticed::threads::holds_a_read_and_looks_again", "--nocapture"])
        .env("HOLDER_PATH", &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("this program starts");
    appears(&told(&path, "reading"));
    // Now the second look finds no WAL with content, and goes to the file itself.
    run("truncated", "PRAGMA wal_checkpoint(TRUNCATE)");
    let wal = fs::metadata(directory.path().join("a.db-wal")).expect("the application has it open");
    assert_eq!(wal.len(), 0);
    let mut orders = reader.stdin.take().expect("it is piped");
    orders.write_all(b"look\n").expect("it reads");
    appears(&told(&path, "looked"));
    run(
        "written",
        "BEGIN; UPDATE account SET amount = -7 WHERE id = 1; UPDATE account SET amount = 7 WHERE id = 500; COMMIT",
    );
    drop(sql);
    assert!(app.wait().expect("our own child").success());
    drop(orders);
    assert!(
        reader.wait().expect("our own child").success(),
        "the first read ended in another state than it began"
    );
}

#[test]
fn holds_a_read_and_looks_again() {
    let Ok(path) = env::var("HOLDER_PATH") else { return };
    let sources =
        Sources::default().with_override(format!("sqlite.path={path}")).with_override("sqlite.table=account");
    let config = Config::load(&sources).expect("a valid configuration");
    let path = PathBuf::from(path);
    let (finish, finished) = mpsc::channel();
    let held = thread::spawn({
        let (config, mark) = (config.clone(), told(&path, "reading"));
        move || {
            let mut reader = Reader::open(&config.sqlite, &[]).expect("the WAL is there");
            let mut held = Held { mark, finished, rows: 0, sum: 0 };
            reader.page(None, 1_000, &mut held).expect("it is let be");
            assert_eq!((held.rows, held.sum), (500, 0));
        }
    });
    let mut orders = std::io::stdin().lock().lines();
    orders.next().expect("an order").expect("a pipe");
    match Reader::open(&config.sqlite, &[]).map(drop) {
        Ok(()) | Err(SourceError::Busy(_)) => {}
        Err(error) => panic!("{error}"),
    }
    fs::write(told(&path, "looked"), "").expect("the test's own directory");
    assert!(orders.next().is_none());
    finish.send(()).expect("it waits");
    held.join().expect("it read on");
}

/// Stays at its first row until it is told to go on.
struct Held {
    mark: PathBuf,
    finished: mpsc::Receiver<()>,
    rows: u64,
    sum: i64,
}

impl Visitor for Held {
    fn begin(&mut self) {}

    fn row(&mut self, row: RowRef<'_>) -> ControlFlow<()> {
        if self.rows == 0 {
            fs::write(&self.mark, "").expect("the test's own directory");
            self.finished.recv_timeout(PATIENCE).expect("an order");
        }
        let ValueRef::Integer(amount) = row.values[1] else { panic!("a row of another kind") };
        self.rows += 1;
        self.sum += amount;
        ControlFlow::Continue(())
    }
}

fn told(path: &Path, what: &str) -> PathBuf {
    path.with_extension(what)
}

fn appears(path: &Path) {
    eventually(PATIENCE, "the reader", || path.exists().then_some(()));
}
