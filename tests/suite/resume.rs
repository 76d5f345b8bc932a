//! A run that breaks off goes on where it stopped: counted by the rows in the commands that reach the server.

use std::time::Duration;

use mongodb::bson::{Document, doc};

use crate::host::Host;
use crate::support::daemon::{Builder, Daemon};
use crate::support::mongo::Mongo;
use crate::support::mongod::{fresh_database, shared_mongod};
use crate::support::proxy::Proxy;
use crate::support::sqlite::{App, TABLE};
use crate::support::wait::{PATIENCE, eventually};

const BATCH: u64 = 100;
const BATCHES: u64 = 20;
const ROWS: u64 = BATCH * BATCHES;

/// Batches that may be written at a time; as many are looked up meanwhile.
const IN_FLIGHT: u64 = 4;

/// Rows that may be looked up a second time: those of the batches under way.
const AGAIN: u64 = BATCH * IN_FLIGHT * 2;

struct Scene {
    daemon: Daemon,
    app: App,
    proxy: Proxy,
    mongo: Mongo,
    database: String,
    _directory: tempfile::TempDir,
}

impl Scene {
    fn set(name: &str, configure: impl FnOnce(Builder) -> Builder) -> Self {
        let (database, proxy) = (fresh_database(name), Proxy::start(shared_mongod().port()));
        let directory = tempfile::tempdir().expect("a temporary directory");
        let app = App::create(directory.path());
        let settings = Daemon::builder(app.path(), &proxy.uri())
            .set("mongodb.database", database.as_str())
            .set("export.batch_size", BATCH)
            .set("export.max_batch_size", BATCH)
            .set("export.max_in_flight", IN_FLIGHT);
        let daemon = configure(settings).start();
        daemon.wait_log("connectivity_established");
        let mongo = shared_mongod().client();
        Self { daemon, app, proxy, mongo, database, _directory: directory }
    }

    /// The server writes down each command from now on.
    fn profile(&self) {
        // Large enough for every command: by default the oldest are dropped soon.
        self.mongo.run(&self.database, doc! { "create": "system.profile", "capped": true, "size": 64 << 20 });
        self.mongo.run(&self.database, doc! { "profile": 2 });
    }

    /// Waits for the middle of a run, and cuts every connection.
    #[track_caller]
    fn cut_in_the_middle(&self) -> u64 {
        let status = self.daemon.wait_status("the middle of the run", |status| {
            status["status"] == "running" && status["processed_records"].as_u64() >= Some(ROWS / 3)
        });
        let mark = self.daemon.log().mark();
        // A single cut would go unnoticed: the driver repeats what it may.
        self.proxy.refuse();
        self.proxy.cut_all();
        self.daemon.wait_log_after(mark, "export_failed");
        let processed = status["processed_records"].as_u64().expect("a number");
        assert!(processed < ROWS, "too late for a cut");
        processed
    }

    /// Rows in the server's inserts of new documents.
    fn inserted(&self) -> u64 {
        // The command itself is too large for the profile.
        let inserts = self.profiled(doc! { "op": "insert" });
        inserts.iter().map(|entry| count(entry, "ninserted")).sum()
    }

    /// Rows whose `_id` was asked for.
    fn looked_up(&self) -> u64 {
        let ids = |entry: &Document| {
            let command = entry.get_document("command").ok()?;
            let asked =
                command.get_document("filter").ok()?.get_document("_id").ok()?.get_array("$in").ok()?;
            u64::try_from(asked.len()).ok()
        };
        self.profiled(doc! { "op": "query" }).iter().filter_map(ids).sum()
    }

    fn profiled(&self, mut filter: Document) -> Vec<Document> {
        filter.insert("ns", format!("{}.{TABLE}", self.database));
        self.mongo.find(&self.database, "system.profile", filter)
    }

    fn documents(&self) -> u64 {
        self.mongo.count(&self.database, TABLE)
    }
}

fn count(entry: &Document, field: &str) -> u64 {
    entry.get_i64(field).ok().or_else(|| entry.get_i32(field).ok().map(i64::from)).unwrap_or(0).unsigned_abs()
}

#[test]
fn an_automatic_export_that_breaks_off_sends_only_what_is_left() {
    let mut scene = Scene::set("automatic", |settings| settings);
    scene.profile();
    scene.proxy.delay(Duration::from_millis(20));
    scene.app.insert_inquiries(u32::try_from(ROWS).expect("few"));
    let processed = scene.cut_in_the_middle();
    scene.proxy.open();
    eventually(PATIENCE, "all rows", || (scene.documents() == ROWS).then_some(()));
    scene.daemon.wait_status("the end", |status| status["status"] == "completed");
    assert_eq!(scene.inserted(), ROWS, "each row was inserted once");
    let looked_up = scene.looked_up();
    println!(
        "automatic: cut after {processed} of {ROWS} rows; {looked_up} looked up, {} inserted",
        scene.inserted()
    );
    assert!(looked_up <= ROWS + AGAIN, "{looked_up} rows looked up");
}

#[test]
fn a_manual_export_that_breaks_off_goes_on_behind_the_last_row_that_was_dealt_with() {
    let mut scene = Scene::set("manual", |settings| settings.set("export.automatic", false));
    scene.app.insert_inquiries(u32::try_from(ROWS).expect("few"));
    let start = format!("/api/export/sqlite-to-mongodb?batch_size={BATCH}");
    scene.daemon.post(&start);
    scene.daemon.wait_status("the first export", |status| status["status"] == "completed");
    assert_eq!(scene.documents(), ROWS);

    // Everything is there already: only look-ups tell how far it got.
    scene.profile();
    scene.proxy.delay(Duration::from_millis(20));
    let mark = scene.daemon.log().mark();
    scene.daemon.post(&start);
    let processed = scene.cut_in_the_middle();
    scene.proxy.open();
    scene.daemon.wait_log_after(mark, "export_completed");
    let looked_up = scene.looked_up();
    println!("manual: cut after {processed} of {ROWS} rows; {looked_up} looked up");
    assert!((ROWS..=ROWS + AGAIN).contains(&looked_up), "{looked_up} rows looked up");
    assert_eq!(scene.inserted(), 0);
    assert_eq!(scene.documents(), ROWS);
}

#[test]
fn a_manual_export_that_a_migration_of_the_application_breaks_off_goes_on() {
    let mut host = Host::new("migration");
    host.app.insert_inquiries(u32::try_from(ROWS).expect("few"));
    host.start();
    host.wait_outcomes(ROWS, 0, 0);
    host.mongo.run(&host.database, doc! { "delete": TABLE, "deletes": [{ "q": {}, "limit": 0 }] });
    let (code, answer) = host.daemon().post("/api/export/sqlite-to-mongodb?batch_size=1");
    assert_eq!(code, 200, "{answer}");
    host.wait("the first rows", || (host.documents() > 0).then_some(()));
    host.app.execute("CREATE TABLE something_else (x)");
    host.daemon().wait_log("export_failed");
    // The ledger has them all as exported: nothing else would send them.
    host.wait("all rows", || (host.documents() == ROWS).then_some(()));
}
