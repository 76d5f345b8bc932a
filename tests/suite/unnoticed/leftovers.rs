//! A journal that was left behind says nothing of a transaction that writes none.

use std::io::Write as _;
use std::process::{Command, Stdio};

use mongo_uplink::config::{Config, Sources};
use mongo_uplink::source::{Reader, SourceError};
use rusqlite::Connection;

use crate::support::privilege::needs;
use crate::support::wait::{PATIENCE, eventually};

/// The application is another process: one's own locks can't be asked for.
#[test]
fn rows_that_are_not_committed_are_not_read_though_an_old_journal_lies_there() {
    needs("sqlite3", "sqlite3");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("a.db");
    let app = Connection::open(&path).expect("our own directory");
    app.execute_batch(
        "PRAGMA journal_mode = truncate; CREATE TABLE account (id INTEGER PRIMARY KEY, amount INTEGER, filler TEXT);
         WITH RECURSIVE n(id) AS (VALUES (1) UNION ALL SELECT id + 1 FROM n WHERE id < 3000)
         INSERT INTO account SELECT id, 0, hex(zeroblob(150)) FROM n",
    )
    .expect("it is our own");
    app.close().expect("nothing is left open");
    assert!(directory.path().join("a.db-journal").exists(), "truncate mode leaves it");

    let mark = directory.path().join("written");
    let mut command = Command::new("sqlite3");
    let mut other =
        command.arg(&path).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it is there");
    let mut sql = other.stdin.take().expect("it is piped");
    writeln!(
        sql,
        "PRAGMA journal_mode = memory; PRAGMA cache_size = 2; BEGIN; UPDATE account SET amount = 1;\n.shell touch {}",
        mark.display()
    )
    .expect("it reads");
    eventually(PATIENCE, "the transaction", || mark.exists().then_some(()));

    let sources = Sources::default()
        .with_override(format!("sqlite.path={}", path.display()))
        .with_override("sqlite.table=account");
    let config = Config::load(&sources).expect("a valid configuration");
    let refused = Reader::open(&config.sqlite, &[]).map(drop);
    assert!(matches!(refused, Err(SourceError::Busy(_))), "{refused:?}");
    writeln!(sql, "ROLLBACK;").expect("it reads");
    drop(sql);
    assert!(other.wait().expect("our own child").success());
    let mut reader = Reader::open(&config.sqlite, &[]).expect("nobody writes");
    assert_eq!(reader.count(None).expect("nobody writes"), 3_000);
}
