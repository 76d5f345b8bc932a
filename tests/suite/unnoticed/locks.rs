//! A writer that waits for nobody is never told that its database is busy.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

use super::reader::{How, Reading, TABLE};
use crate::support::daemon::Daemon;
use crate::support::mongod::{fresh_database, shared_mongod};

const ROWS: u64 = 100;

/// What the application does between two transactions.
const THOUGHT: Duration = Duration::from_millis(1);

#[test]
fn a_writer_without_patience_is_never_told_that_its_database_is_busy() {
    for mode in ["delete", "truncate", "persist", "wal"] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("a.db");
        let connection = bank(&path, mode);
        let reading = Reading::start(&path, How::Quietly, ROWS, 0);
        let began = Instant::now();
        let mut written = 0;
        while written < 500 || began.elapsed() < Duration::from_secs(3) {
            write(&connection).unwrap_or_else(|error| panic!("{mode}: {error}"));
            written += 1;
            thread::sleep(THOUGHT);
        }
        let report = reading.stop();
        eprintln!("{mode}: {written} transactions, {report:?}");
        assert_eq!(report.wrong, [] as [String; 0], "{mode}");
        assert!(report.states > 20, "{mode}: it reads while it is written to: {report:?}");
        assert!(report.reads > report.refused, "{mode}: most reads are answered: {report:?}");
    }
}

#[test]
fn the_same_writer_is_disturbed_by_an_ordinary_reader() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("a.db");
    let connection = bank(&path, "delete");
    let _reading = Reading::start(&path, How::Ordinarily, ROWS, 0);
    let began = Instant::now();
    loop {
        match write(&connection) {
            Ok(()) => assert!(began.elapsed() < Duration::from_secs(60), "the test above proves nothing"),
            Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == ErrorCode::DatabaseBusy => break,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn the_daemon_disturbs_no_writer_either() {
    for mode in ["delete", "truncate", "persist", "wal"] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("a.db");
        let connection = bank(&path, mode);
        let (mongo, database) = (shared_mongod().client(), fresh_database("undisturbed"));
        let daemon = Daemon::builder(&path, &shared_mongod().uri())
            .set("mongodb.database", database.as_str())
            .set("mongodb.collection", TABLE)
            .set("sqlite.table", TABLE)
            .start();
        let mut written = ROWS;
        while written < 600 {
            connection
                .execute("INSERT INTO account VALUES (NULL, 0, 'new', '2024-01-01')", [])
                .unwrap_or_else(|error| panic!("{mode}: {error}"));
            written += 1;
            if written.is_multiple_of(100) {
                daemon.get("/api/export/sqlite-data");
            }
            thread::sleep(THOUGHT);
        }
        let at_the_end = mongo.count(&database, TABLE);
        daemon.wait_status("all rows", |_| mongo.count(&database, TABLE) == written);
        eprintln!("{mode}: {at_the_end} of {written} rows were exported while rows were written");
        assert!(at_the_end > ROWS, "{mode}: rows are exported while others are written");
    }
}

/// Accounts that add up to nothing.
fn bank(path: &Path, mode: &str) -> Connection {
    let connection = Connection::open(path).expect("our own directory");
    connection.busy_timeout(Duration::ZERO).expect("a valid timeout");
    connection.pragma_update(None, "journal_mode", mode).expect("a journal mode");
    connection
        .execute_batch(&format!(
            "CREATE TABLE account (id INTEGER PRIMARY KEY, amount INTEGER, filler TEXT, created_at TEXT);
             WITH RECURSIVE n(id) AS (VALUES (1) UNION ALL SELECT id + 1 FROM n WHERE id < {ROWS})
             INSERT INTO account SELECT id, 0, 'x', '2024-01-01' FROM n"
        ))
        .expect("a new database");
    connection
}

/// One small transaction.
fn write(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "BEGIN; UPDATE account SET amount = amount - 1 WHERE id = 1;
         UPDATE account SET amount = amount + 1 WHERE id = 90; COMMIT",
    )
}
