//! A large table that is being compared keeps no new row waiting.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use mongo_uplink::config::{Config, Sources};
use mongo_uplink::export::{Depth, Exporter};
use mongo_uplink::ledger::{Record, Standing, Store};
use mongo_uplink::record::{Fingerprinter, Value};
use mongo_uplink::report::{ExportStatus, Outcome, Progress, RunRequest, Timestamp, Trigger};
use mongo_uplink::source::{Reader, RowRef, Visitor};
use mongo_uplink::target::Ways;
use mongodb::bson::doc;
use mongodb::bson::oid::ObjectId;
use rusqlite::Connection;
use tokio::sync::watch;

use crate::support::mongod::{fresh_database, shared_mongod};
use crate::support::wait::{PATIENCE, eventually};

const ROWS: i64 = 100_000;
const SOURCE: &str = "this host";

#[test]
fn a_new_row_does_not_wait_for_a_comparison_in_progress() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (path, state) = (directory.path().join("large.db"), directory.path().join("state"));
    let (mongo, database) = (shared_mongod().client(), fresh_database("pace"));
    let app = Connection::open(&path).expect("our own directory");
    app.execute_batch(
        "PRAGMA journal_mode = wal; PRAGMA synchronous = OFF;
         CREATE TABLE large (id INTEGER PRIMARY KEY, created_at TEXT)",
    )
    .expect("a new database");
    let config = Arc::new(config(&path, &database));
    let store = Arc::new(Store::open(&state).expect("our own directory"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let stop = Arc::new(AtomicBool::new(false));
    let status = watch::Sender::new(ExportStatus::default());
    let mut exporter =
        Exporter::new(Arc::clone(&config), SOURCE.to_owned(), Arc::clone(&store), status, stop);
    let request = RunRequest { trigger: Trigger::Automatic, batch_size: 100, skip_duplicates: true };
    let ways = Ways::new(config.mongodb.clone(), config.probe.online_interval);
    let target = runtime.block_on(ways.connect(PATIENCE)).expect("the server is there");
    // Of an empty table, so that the ledger belongs to the collection.
    runtime.block_on(exporter.automatic(&target, Depth::Full, &request)).expect("nothing is in the way");

    app.execute_batch(&format!(
        "WITH RECURSIVE n(id) AS (VALUES (1) UNION ALL SELECT id + 1 FROM n WHERE id < {ROWS})
         INSERT INTO large SELECT id, '2024-01-01' FROM n"
    ))
    .expect("nobody is in the way");
    remember_all(&config, &store);

    let mut pulse = exporter.pulse();
    let comparison = runtime.spawn(async move {
        let began = Instant::now();
        let end = exporter.automatic(&target, Depth::Full, &request).await;
        target.close().await;
        end.map(|_| began.elapsed())
    });
    // A sign of life in the midst of it.
    runtime
        .block_on(async { tokio::time::timeout(PATIENCE, pulse.changed()).await })
        .expect("it says that it gets on")
        .expect("the exporter is at work");
    app.execute_batch("INSERT INTO large (created_at) VALUES ('2024-02-01')").expect("nobody is in the way");
    let committed = Instant::now();
    eventually(PATIENCE, "the new row", || (mongo.count(&database, "large") == 1).then_some(()));
    let (waited, over) = (committed.elapsed(), comparison.is_finished());
    let took = runtime.block_on(comparison).expect("no panic").expect("nothing is in the way");
    eprintln!("waited {waited:?} in a comparison of {took:?} (over: {over})");
    assert!(over || waited < Duration::from_secs(1), "{waited:?}");
    assert_eq!(mongo.count_where(&database, "large", doc! { "id": ROWS + 1 }), 1);
    assert_eq!(mongo.count(&database, "large"), 1, "the ledger knew all others");
}

/// Writes down all rows as if they had been exported.
fn remember_all(config: &Config, store: &Store) {
    struct Known(Fingerprinter, Vec<(Value, [u8; 16])>);
    impl Visitor for Known {
        fn begin(&mut self) {
            self.1.clear();
        }
        fn row(&mut self, row: RowRef<'_>) -> ControlFlow<()> {
            self.1.push((row.position.to_value(), self.0.content(row.values)));
            ControlFlow::Continue(())
        }
    }
    let mut reader = Reader::open(&config.sqlite, &config.export.duplicate_key).expect("the table");
    let mut known = Known(Fingerprinter::new(SOURCE, reader.shape()), Vec::new());
    let end = reader.page(None, u32::MAX, &mut known).expect("nobody writes");
    assert!(end.done);
    let records: Vec<Record<'_>> = known
        .1
        .iter()
        .map(|(position, content)| Record {
            position: position.as_ref(),
            key: "",
            id: ObjectId::from_bytes([0; 12]),
            content: *content,
            outcome: Outcome::Exported,
            code: None,
            detail: "",
            duplicate_of: None,
            moved: false,
        })
        .collect();
    let progress = Progress::default();
    let standing = || Standing { run: 1, progress: &progress, written_at: "" };
    store.with(|ledger| ledger.record(standing(), &records, Timestamp::now())).expect("our own directory");
}

fn config(path: &Path, database: &str) -> Config {
    let sources = Sources::default()
        .with_override(format!("sqlite.path={}", path.display()))
        .with_override("sqlite.table=large")
        .with_override(format!("mongodb.uri={}", shared_mongod().uri()))
        .with_override(format!("mongodb.database={database}"))
        .with_override("mongodb.collection=large");
    Config::load(&sources).expect("a valid configuration")
}
