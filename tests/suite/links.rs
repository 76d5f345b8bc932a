//! Slow and long links: whatever gets through at all gets through in the end, and little is sent twice.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::certs::{Authority, Validity};
use crate::support::daemon::{Builder, Daemon};
use crate::support::mongo::Mongo;
use crate::support::mongod::{Mongod, fresh_database, shared_mongod};
use crate::support::proxy::Proxy;
use crate::support::sqlite::{App, TABLE};
use crate::support::wait::{PATIENCE, eventually};

/// Bytes that a row takes in all, its look-up and its reply included, generously.
const ROW: u64 = 1_200;

/// Bytes that connecting takes, with the probes of a test's length.
const CONNECTING: u64 = 60_000;

struct Scene {
    daemon: Daemon,
    app: App,
    proxy: Proxy,
    mongo: Mongo,
    database: String,
    _directory: tempfile::TempDir,
}

impl Scene {
    /// A daemon that is connected already, on a link that is still a good one.
    fn set(name: &str, configure: impl FnOnce(Builder) -> Builder) -> Self {
        Self::by(Proxy::start(shared_mongod().port()), shared_mongod(), name, configure)
    }

    /// The same on another server, by way of a proxy to it.
    fn by(proxy: Proxy, mongod: &Mongod, name: &str, configure: impl FnOnce(Builder) -> Builder) -> Self {
        let database = fresh_database(name);
        let directory = tempfile::tempdir().expect("a temporary directory");
        let app = App::create(directory.path());
        let settings = Daemon::builder(app.path(), &mongod.uri_at(proxy.port()))
            .set("mongodb.database", database.as_str())
            .set("probe.max_interval", "500ms");
        let daemon = configure(settings).start();
        daemon.wait_log("connectivity_established");
        let mongo = mongod.client();
        Self { daemon, app, proxy, mongo, database, _directory: directory }
    }

    /// Inserts rows and waits until all are there and counted. Answers how many exports broke off.
    #[track_caller]
    fn carries(&mut self, rows: u32) -> usize {
        self.app.insert_inquiries(rows);
        self.arrive(rows.into())
    }

    #[track_caller]
    fn arrive(&self, rows: u64) -> usize {
        eventually(4 * PATIENCE, "all rows", || {
            (self.mongo.count(&self.database, TABLE) == rows).then_some(())
        });
        let status = self.daemon.wait_status("the end", |status| status["status"] == "completed");
        assert_eq!(status["failed_records"], 0, "{status}");
        let failed =
            self.daemon.log().all().iter().filter(|line| line.event() == Some("export_failed")).count();
        println!("{rows} rows: {failed} exports broke off; {:?}", self.proxy.counters());
        failed
    }

    /// That so many rows were sent about once each, and at most `again` bytes of them a second time.
    #[track_caller]
    fn sent_about_once(&self, rows: u64, again: u64) {
        let sent = self.proxy.counters().request_bytes;
        assert!(sent <= CONNECTING + rows * ROW + again, "{sent} bytes for {rows} rows");
    }
}

#[test]
fn a_link_of_50_ms_carries_all_rows_once() {
    let mut scene = Scene::set("rtt50", |settings| settings);
    scene.proxy.delay(Duration::from_millis(25));
    assert_eq!(scene.carries(500), 0);
    scene.sent_about_once(500, 0);
}

#[test]
fn a_link_of_200_ms_carries_all_rows_once() {
    let mut scene = Scene::set("rtt200", |settings| settings);
    scene.proxy.delay(Duration::from_millis(100));
    assert_eq!(scene.carries(500), 0);
    scene.sent_about_once(500, 0);
}

#[test]
fn a_link_of_1_mbit_carries_all_rows_once() {
    let mut scene = Scene::set("mbit", |settings| settings);
    scene.proxy.narrow(125_000);
    assert_eq!(scene.carries(500), 0);
    scene.sent_about_once(500, 0);
}

#[test]
fn a_link_of_64_kbit_with_loss_carries_all_rows() {
    let mut scene = Scene::set("kbit", |settings| settings);
    scene.proxy.delay(Duration::from_millis(50));
    scene.proxy.narrow(8_000);
    scene.proxy.lose_one_in(20);
    assert_eq!(scene.carries(60), 0, "each command makes its deadline");
    scene.sent_about_once(60, 0);
}

/// A first command would take three times its deadline.
#[test]
fn rows_that_cannot_make_the_deadline_together_get_through_in_parts() {
    let mut scene = Scene::set("halved", |settings| settings.set("mongodb.operation_timeout", "1500ms"));
    scene.proxy.narrow(8_000);
    let failed = scene.carries(60);
    assert!(failed <= 6, "{failed} exports broke off");
    scene.sent_about_once(60, 6 * 32 * 1024);
}

/// Alone it would take four times its deadline, and it can't be halved.
#[test]
fn a_large_row_on_a_slow_link_is_given_the_time_that_it_needs() {
    let mut scene = Scene::set("largerow", |settings| settings.set("mongodb.operation_timeout", "1500ms"));
    scene.app.insert_inquiries(3);
    scene.arrive(3);
    scene.proxy.narrow(8_000);
    scene.app.execute(
        "INSERT INTO chat_inquiry_information (user_id, city, created_at)
         VALUES ('large', hex(randomblob(24000)), '2024-01-01T00:00:00Z')",
    );
    let failed = scene.arrive(4);
    assert!((1..=5).contains(&failed), "{failed} exports broke off");
}

/// The same for each way to compress: the rows are texts, as people write them.
#[test]
fn a_compressed_connection_carries_a_fraction_of_the_bytes() {
    let sent = ["", "&compressors=snappy", "&compressors=zlib", "&compressors=zstd"].map(|option| {
        let (database, proxy) = (fresh_database("compressed"), Proxy::start(shared_mongod().port()));
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut app = App::create(directory.path());
        app.insert_inquiries(500);
        let uri = format!("{}{option}", proxy.uri());
        let daemon = Daemon::builder(app.path(), &uri).set("mongodb.database", database.as_str()).start();
        daemon.wait_status("the end", |status| status["successful_records"] == 500);
        proxy.counters().request_bytes
    });
    println!("bytes sent without, with snappy, zlib, zstd: {sent:?}");
    assert!(sent[1..].iter().all(|bytes| bytes * 2 < sent[0]), "{sent:?}");
}

#[test]
fn a_manual_export_of_large_batches_gets_through_a_link_that_cannot_carry_one_within_the_deadline() {
    let mut scene = Scene::set("asked", |settings| {
        settings.set("mongodb.operation_timeout", "4s").set("export.automatic", false)
    });
    scene.app.insert_inquiries(100);
    // 60 kB a batch, 8 kB a second.
    scene.proxy.narrow(8_000);
    scene.daemon.post("/api/export/sqlite-to-mongodb?batch_size=1000");
    let failed = scene.arrive(100);
    assert!(failed <= 3, "{failed} exports broke off");
    scene.sent_about_once(100, 3 * 32 * 1024);
}

/// A server that speaks nothing but TLS. Its certificate has the names of a large cluster, so that it takes as many bytes as one
/// from a public authority with all that vouch for it.
fn guarded(authority: &Authority) -> Mongod {
    let members = (0..50).map(|number| format!(",DNS:member-{number:02}.of-a-large-cluster.example.test"));
    let names = members.fold("IP:127.0.0.1".to_owned(), |names, member| names + &member);
    let server = authority.issue("server", &names, Validity::Now);
    Mongod::builder()
        .with_tls(&server, &authority.ca_file())
        .arg("--tlsAllowConnectionsWithoutCertificates")
        .start()
}

/// About half a second of the link for each handshake: sixteen at once would take longer than a connection may.
fn by_tls(name: &str, patience: &str, prepare: impl Fn(&Proxy), then: impl Fn(&Proxy)) -> usize {
    let authority = Authority::new();
    let mongod = guarded(&authority);
    let proxy = Proxy::start(mongod.port());
    prepare(&proxy);
    let mut scene = Scene::by(proxy, &mongod, name, |settings| {
        settings.set("export.automatic", false).set("mongodb.operation_timeout", patience)
    });
    scene.app.insert_inquiries(80);
    then(&scene.proxy);
    scene.daemon.post("/api/export/sqlite-to-mongodb?batch_size=10");
    let failed = scene.arrive(80);
    scene.sent_about_once(80, if failed > 0 { 80 * 1024 } else { 0 });
    let documents = scene.mongo.find_all(&scene.database, TABLE);
    let persons: BTreeSet<_> =
        documents.iter().filter_map(|document| document.get_str("email").ok()).collect();
    assert_eq!(persons.len(), 80, "each row once");
    failed
}

fn far(proxy: &Proxy) {
    proxy.delay(Duration::from_millis(100));
}

fn narrow(proxy: &Proxy) {
    proxy.narrow(8_000);
}

#[test]
fn a_manual_export_over_tls_makes_no_more_connections_at_once_than_64_kbit_carry_in_time() {
    let of_a_sudden = |proxy: &Proxy| (far(proxy), narrow(proxy)).1;
    assert_eq!(by_tls("handshakes", "10s", |_| (), of_a_sudden), 0, "each connection is made in time");
}

/// The first connection doesn't look slow: what a slow link takes for a small answer counts as the way, too.
#[test]
fn the_same_by_a_link_that_was_slow_when_the_daemon_connected() {
    let from_the_beginning = |proxy: &Proxy| (far(proxy), narrow(proxy)).1;
    assert_eq!(by_tls("beginning", "10s", from_the_beginning, |_| ()), 0, "each connection is made in time");
    // Connections have a deadline of their own.
    assert_eq!(by_tls("patient", "2m", from_the_beginning, |_| ()), 0, "each connection is made in time");
}

/// All are made at once, as the link could carry them, and come too late; the next time it is known that it can't.
#[test]
fn the_same_by_a_link_that_became_slow_afterwards_gets_through_the_next_time() {
    let failed = by_tls("afterwards", "10s", far, narrow);
    assert!(failed <= 2, "{failed} exports broke off");
}
