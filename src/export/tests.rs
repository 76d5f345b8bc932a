//! The cost of a look at a large table.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::scan::{Scan, Scope};
use crate::config::{Config, Sources};
use crate::ledger::Store;
use crate::record::Position;
use crate::source::Reader;

const ROWS: i64 = 1_000_000;

#[test]
fn one_new_row_in_a_million_costs_next_to_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("large.db");
    let app = Connection::open(&path).unwrap();
    app.execute_batch(&format!(
        "PRAGMA journal_mode = wal; PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0;
         CREATE TABLE large (id INTEGER PRIMARY KEY, created_at TEXT);
         WITH RECURSIVE n(id) AS (VALUES (1) UNION ALL SELECT id + 1 FROM n WHERE id < {ROWS})
         INSERT INTO large SELECT id, '2024-01-01' FROM n; PRAGMA wal_checkpoint(TRUNCATE)"
    ))
    .unwrap();
    let state = directory.path().join("state");
    let store = Store::open(&state).unwrap();
    // What each row was doesn't matter to a look at the tail, only that it is known.
    Connection::open(state.join("state.db"))
        .unwrap()
        .execute_batch(&format!(
            "PRAGMA synchronous = OFF;
             WITH RECURSIVE n(id) AS (VALUES (1) UNION ALL SELECT id + 1 FROM n WHERE id < {ROWS})
             INSERT INTO entry SELECT id, zeroblob(12), zeroblob(16), 0x33, 1 FROM n"
        ))
        .unwrap();
    let (store, config) = (Arc::new(store), config(&path));
    // Once to warm up, then again; with the new rows in the WAL, and in the database alone.
    for checkpoint in ["", "PRAGMA wal_checkpoint(TRUNCATE)"] {
        app.execute_batch("INSERT INTO large (created_at) VALUES ('2024-02-01')").unwrap();
        app.execute_batch(checkpoint).unwrap();
        look(&config, &store);
        let (began, before) = (Instant::now(), cpu_time());
        let found = look(&config, &store);
        let (took, cpu) = (began.elapsed(), cpu_time() - before);
        eprintln!("a look at the tail of {ROWS} rows: {took:?}, {cpu:?} of CPU");
        assert!(found.iter().all(|id| *id > ROWS) && !found.is_empty(), "{found:?}");
        assert!(took < Duration::from_secs(1) && cpu < Duration::from_millis(50), "{took:?}, {cpu:?}");
    }
}

/// What a pass does to find new rows.
fn look(config: &Config, store: &Arc<Store>) -> Vec<i64> {
    let mut reader = Reader::open(&config.sqlite, &[]).unwrap();
    let known = store.with(|ledger| ledger.highest_rowid()).unwrap().unwrap();
    assert_eq!(known, ROWS);
    assert!(reader.highest_rowid().unwrap() >= Some(known));
    assert!(reader.count(Some(known)).unwrap() > 0);
    let after = Some(Position::Rowid(known));
    let mut scan = Scan::new(reader, Arc::clone(store), "s", Scope::Pending, true, after).unwrap();
    let batch = scan.next_batch(100, 1 << 20, &mut || false).unwrap();
    assert!(batch.done);
    batch.candidates.iter().map(|candidate| candidate.key.parse().unwrap()).collect()
}

/// The CPU time of this thread.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

fn config(path: &Path) -> Config {
    let sources = Sources::default()
        .with_override(format!("sqlite.path={}", path.display()))
        .with_override("sqlite.table=large");
    Config::load(&sources).unwrap()
}
