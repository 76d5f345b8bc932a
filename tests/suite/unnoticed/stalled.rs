//! MongoDB hangs in the middle of a batch; the application goes on as if nobody read its database.

use std::fs;
use std::path::Path;

use crate::support::daemon::Daemon;
use crate::support::mongod::{fresh_database, shared_mongod};
use crate::support::proxy::Proxy;
use crate::support::sqlite::{App, TABLE};
use crate::support::wait::{PATIENCE, eventually};

#[test]
fn a_stalled_export_holds_up_neither_the_wal_nor_a_close() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (proxy, database) = (Proxy::start(shared_mongod().port()), fresh_database("stalled"));
    let mongo = shared_mongod().client();
    let mut app = App::create(directory.path());
    app.insert_inquiries(3_000);
    let daemon = Daemon::builder(app.path(), &proxy.uri())
        .set("mongodb.database", database.as_str())
        .set("mongodb.operation_timeout", "60s")
        .prepare();
    proxy.rate(200_000);
    daemon.start();
    daemon.wait_status("an export under way", |status| status["successful_records"].as_u64() > Some(0));
    proxy.stall();
    let largest = write(&mut app);
    // What was answered before it was stalled, several batches at once, is recorded by now.
    let held = daemon.status();
    assert_eq!(held["status"], "running", "{held}");
    let checkpoint: i64 = app
        .connection()
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .expect("a checkpoint is no error");
    assert_eq!(checkpoint, 0, "the WAL is written back whole");
    assert_eq!(size(&directory.path().join("inquiries.db-wal")), 0);

    let alone = tempfile::tempdir().expect("a temporary directory");
    let mut other = App::create(alone.path());
    other.insert_inquiries(3_000);
    let largest_alone = write(&mut other);
    eprintln!("largest WAL with us {largest} bytes, without {largest_alone}");
    assert!(largest <= 2 * largest_alone);

    let mode: String = app
        .connection()
        .query_row("PRAGMA journal_mode = delete", [], |row| row.get(0))
        .expect("nobody is in the way");
    assert_eq!(mode, "delete");
    app.execute("PRAGMA journal_mode = wal");
    app.insert_inquiries(1);
    let rows = app.count();
    app.close();
    assert!(!directory.path().join("inquiries.db-wal").exists(), "its last close clears the WAL away");
    assert_eq!(
        daemon.status()["successful_records"],
        held["successful_records"],
        "all the while it was stalled"
    );

    proxy.open();
    eventually(PATIENCE, "every row", || (mongo.count(&database, TABLE) == rows).then_some(()));
}

/// Writes for a while; answers the largest size of the WAL.
fn write(app: &mut App) -> u64 {
    let wal = app.path().with_file_name("inquiries.db-wal");
    (0..300)
        .map(|_| {
            app.insert_inquiries(5);
            size(&wal)
        })
        .max()
        .expect("it wrote")
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
