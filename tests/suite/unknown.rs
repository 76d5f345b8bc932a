//! Outcomes that nobody told: cut replies, frozen and killed servers, a killed daemon. Afterwards the collection is exact,
//! and so are the counters over all exports together.

use std::time::{Duration, Instant};

use mongo_uplink::config::{Config, Mongodb, Secret, Sources};
use mongo_uplink::record::{DuplicateKey, ValueRef};
use mongo_uplink::report::Reason;
use mongo_uplink::target::{HolderQuery, Target};
use mongodb::bson::doc;

use crate::host::Host;
use crate::support::mongod::{Mongod, fresh_database, shared_mongod};
use crate::support::proxy::Proxy;
use crate::support::runtime::wait_for;
use crate::support::sqlite::{Inquiry, TABLE};
use crate::support::wait::{PATIENCE, eventually};

/// Counters, ledger and collection agree that each row is there once.
#[track_caller]
fn assert_exact(host: &Host, rows: u64) {
    host.wait_for(PATIENCE * 3, "everything exported", || (host.outcomes() == (rows, 0, 0)).then_some(()));
    host.wait_outcomes(rows, 0, 0);
    assert_eq!(host.documents(), rows, "documents");
    assert_eq!(host.inserted_by_counters(), rows, "counted");
}

#[test]
fn a_reply_cut_at_any_byte_is_a_question_that_gets_answered() {
    let server = shared_mongod();
    let proxy = Proxy::start(server.port());
    let mut host = Host::at(&proxy.uri(), server.client(), &fresh_database("cut"))
        .set("probe.initial_interval", "10ms")
        .set("probe.max_interval", "50ms");
    host.app.insert_inquiries(3);
    host.start();
    assert_exact(&host, 3);
    let mut updates = 0;
    for command in ["insert", "find", "update"] {
        for bytes in [0, 1, 4, 15, 16, 17, 21, 26, 40, 60, 90, 130] {
            let cut = proxy.counters().replies_cut;
            proxy.cut_reply_of(command, bytes);
            host.app.insert_inquiries(2);
            if command == "update" {
                updates += 1;
                let time = format!("2031-01-01T00:00:{updates:02}Z");
                host.app.execute(&format!(
                    "UPDATE {TABLE} SET city = '{updates}', updated_at = '{time}' WHERE id = 1"
                ));
            }
            let rows = host.app.count();
            // A reply may be shorter than what it is to be cut after.
            if bytes < 60 {
                host.wait("the cut", || (proxy.counters().replies_cut > cut).then_some(()));
            }
            host.wait("each update counted once", || (host.sums().updated == updates).then_some(()));
            assert_exact(&host, rows);
            proxy.open();
        }
    }
    assert!(host.find_one(doc! { "city": updates.to_string() }).is_some());
}

#[test]
fn a_stalled_network_fails_the_export_in_time_and_doubles_nothing() {
    let server = shared_mongod();
    let proxy = Proxy::start(server.port());
    let mut host = Host::at(&proxy.uri(), server.client(), &fresh_database("stall"))
        .set("mongodb.operation_timeout", "1s")
        .set("probe.timeout", "1s")
        .set("export.batch_size", 10);
    host.app.insert_inquiries(10);
    host.start();
    assert_exact(&host, 10);
    for _ in 0..3 {
        let (mark, before) = (host.daemon().log().mark(), host.documents());
        host.app.insert_inquiries(2_000);
        host.wait("an export under way", || (host.documents() > before).then_some(()));
        let begun = Instant::now();
        proxy.stall();
        host.daemon().wait_log_after(mark, "export_failed");
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        proxy.open();
        let rows = host.app.count();
        assert_exact(&host, rows);
    }
}

#[test]
fn a_frozen_server_fails_the_export_in_time_and_doubles_nothing() {
    let mongod = Mongod::start();
    let mut host = Host::at(&mongod.uri(), mongod.client(), "db")
        .set("mongodb.operation_timeout", "2s")
        .set("probe.timeout", "1s")
        .set("export.batch_size", 10);
    host.app.insert_inquiries(10);
    host.start();
    assert_exact(&host, 10);
    // Before there is anything to send, and in the middle of it.
    for under_way in [false, true] {
        let (mark, before) = (host.daemon().log().mark(), host.documents());
        if under_way {
            host.app.insert_inquiries(2_000);
            host.wait("an export under way", || (host.documents() > before).then_some(()));
        }
        let begun = Instant::now();
        mongod.freeze();
        if !under_way {
            host.app.insert_inquiries(20);
        }
        host.daemon().wait_log_after(mark, if under_way { "export_failed" } else { "connectivity_lost" });
        // The wait for the application's change to be seen, the operation's deadline, and a second.
        assert!(begun.elapsed() < Duration::from_millis(3_700), "{:?}", begun.elapsed());
        host.app.insert_inquiries(5);
        mongod.thaw();
        let rows = host.app.count();
        assert_exact(&host, rows);
    }
}

#[test]
fn a_server_killed_in_mid_batch_costs_nothing_and_doubles_nothing() {
    let mongod = Mongod::start();
    let mut host = Host::at(&mongod.uri(), mongod.client(), "db").set("export.batch_size", 25);
    host.app.insert_inquiries(25);
    host.start();
    assert_exact(&host, 25);
    for _ in 0..4 {
        let before = host.documents();
        host.app.insert_inquiries(1_500);
        host.wait("an export under way", || (host.documents() > before).then_some(()));
        mongod.restart();
        let rows = host.app.count();
        assert_exact(&host, rows);
    }
}

#[test]
fn a_daemon_killed_in_mid_run_has_counted_what_it_recorded_and_the_next_counts_the_rest() {
    let mut host = Host::new("killed").set("export.batch_size", 10);
    host.app.insert_inquiries(10);
    host.start();
    assert_exact(&host, 10);
    for round in 0..6 {
        let before = host.documents();
        host.app.insert_inquiries(800);
        host.wait("an export under way", || (host.documents() > before + 10 * round).then_some(()));
        host.daemon().kill();
        let (exported, _, _) = host.outcomes();
        assert_eq!(host.inserted_by_counters(), exported, "what is recorded is counted");
        host.daemon().start();
        let rows = host.app.count();
        assert_exact(&host, rows);
    }
}

#[test]
fn a_row_whose_place_was_forgotten_is_not_counted_again() {
    let mut host = Host::new("forgotten");
    host.app.insert_inquiries(20);
    host.start();
    assert_exact(&host, 20);
    // The end of the table goes, and comes back from a backup.
    host.app.execute(&format!(
        "CREATE TABLE backup AS SELECT * FROM {TABLE} WHERE id > 10; DELETE FROM {TABLE} WHERE id > 10"
    ));
    host.wait_outcomes(10, 0, 0);
    host.app.execute(&format!("INSERT INTO {TABLE} SELECT * FROM backup"));
    assert_exact(&host, 20);
    // And a ledger that was lost has nothing to count.
    host.daemon().terminate();
    for file in ["state.db", "state.db-wal", "state.db-shm"] {
        let gone = std::fs::remove_file(host.daemon().directory().join("state").join(file));
        assert!(gone.is_ok() || file != "state.db");
    }
    host.daemon().start();
    host.wait_outcomes(20, 0, 0);
    assert_eq!((host.documents(), host.inserted_by_counters()), (20, 0));
}

#[test]
fn a_row_whose_reply_was_lost_is_counted_once_though_it_is_forgotten_afterwards() {
    let server = shared_mongod();
    let proxy = Proxy::start(server.port());
    let mut host = Host::at(&proxy.uri(), server.client(), &fresh_database("recounted"))
        .set("probe.initial_interval", "10ms")
        .set("probe.max_interval", "50ms");
    host.app.insert_inquiries(3);
    host.start();
    assert_exact(&host, 3);
    let lose_a_reply = |host: &mut Host| {
        let cut = proxy.counters().replies_cut;
        proxy.cut_reply_of("insert", 0);
        host.app.insert_inquiries(2);
        host.wait("the cut", || (proxy.counters().replies_cut > cut).then_some(()));
        assert_exact(host, host.app.count());
    };
    lose_a_reply(&mut host);
    // The row goes, and comes back from a backup.
    host.app.execute(&format!(
        "CREATE TABLE backup AS SELECT * FROM {TABLE} WHERE id > 3; DELETE FROM {TABLE} WHERE id > 3"
    ));
    host.wait_outcomes(3, 0, 0);
    host.app.execute(&format!("INSERT INTO {TABLE} SELECT * FROM backup"));
    assert_exact(&host, 5);
    // The ledger goes, and another one takes its place.
    lose_a_reply(&mut host);
    let ledger = host.daemon().directory().join("state/state.db");
    std::fs::remove_file(ledger).expect("it is there");
    host.app.insert_inquiries(1);
    host.daemon().wait_status("another ledger", |status| status["ledger"] == "rebuilt");
    assert_exact(&host, 8);
}

#[test]
fn a_manual_export_counts_only_what_it_writes() {
    let server = shared_mongod();
    let proxy = Proxy::start(server.port());
    let mut host = Host::at(&proxy.uri(), server.client(), &fresh_database("manual"));
    host.app.insert_inquiries(50);
    host.app.insert_duplicates(5);
    host.start();
    host.wait_outcomes(50, 5, 0);
    for _ in 0..2 {
        let status = host.export("");
        let counted = ["successful_records", "failed_records", "skipped_records", "duplicate_records"];
        assert_eq!(counted.map(|name| status[name].as_u64()), [Some(0), Some(0), Some(55), Some(5)]);
    }
    // A manual export that writes what an automatic one left out, and loses the reply.
    let cut = proxy.counters().replies_cut;
    proxy.cut_reply_of("insert", 20);
    let (code, body) = host.daemon().post("/api/export/sqlite-to-mongodb?skip_duplicates=false");
    assert_eq!(code, 200, "{body}");
    host.wait("the cut", || (proxy.counters().replies_cut > cut).then_some(()));
    host.wait_outcomes(55, 0, 0);
    assert_eq!((host.documents(), host.inserted_by_counters()), (55, 55));
    // Somebody empties the collection: everything is there again, and counted again, as it was written again.
    host.mongo.delete(&host.database, TABLE, doc! {});
    let status = host.export("skip_duplicates=false");
    assert_eq!(status["successful_records"], 55);
    assert_eq!(host.documents(), 55);
}

#[test]
fn counters_equal_the_truth_while_the_network_flaps_under_a_live_writer() {
    let server = shared_mongod();
    let proxy = Proxy::start(server.port());
    let mut host = Host::at(&proxy.uri(), server.client(), &fresh_database("flaps"))
        .set("probe.initial_interval", "10ms")
        .set("probe.max_interval", "50ms")
        .set("export.batch_size", 7);
    host.start();
    for round in 0..30 {
        host.app.insert((0..20).map(|row| Inquiry::number(round * 20 + row)));
        if round % 3 == 0 {
            proxy.cut_reply_after(u64::from(round) * 97);
        } else {
            proxy.cut_all();
        }
        let wanted = u64::from(round) * 10;
        eventually(PATIENCE, "some progress", || (host.documents() >= wanted).then_some(()));
    }
    proxy.open();
    assert_exact(&host, 600);
}

#[test]
fn a_look_up_that_meets_no_primary_is_made_once_more_and_no_more() {
    let mongod = Mongod::start();
    let server = mongod.client().clone();
    server.insert("db", TABLE, doc! { "_id": 1, "email": "ann@example.org", "mobile": "1" });
    let config = Mongodb {
        uri: Secret::new(mongod.uri()),
        database: "db".to_owned(),
        collection: TABLE.to_owned(),
        ..Config::load(&Sources::default()).expect("the defaults").mongodb
    };
    let columns = ["email", "mobile"].map(str::to_owned);
    let text = |text: &'static str| ValueRef::Text(text.as_bytes());
    let key = DuplicateKey::new([("email", text("ann@example.org")), ("mobile", text("1"))].into_iter());
    let key = key.expect("it has values");
    let found = wait_for(PATIENCE, "look-ups", async move {
        let target = Target::connect(&config, &config.uri, PATIENCE).await.expect("a server");
        let mut found = Vec::new();
        for times in [0, 1, 2] {
            // NotWritablePrimary.
            let data = doc! { "failCommands": ["find"], "errorCode": 10_107, "appName": "mongo-uplink" };
            let command =
                doc! { "configureFailPoint": "failCommand", "mode": { "times": times }, "data": data };
            tokio::task::spawn_blocking({
                let server = server.clone();
                move || server.run("admin", command)
            })
            .await
            .expect("a failpoint");
            let holders = target.holders(HolderQuery { columns: &columns, keys: &[&key] }).await;
            found.push(holders.map(|holders| holders.len()).map_err(|failure| failure.reason));
        }
        target.close().await;
        found
    });
    assert_eq!(found, [Ok(1), Ok(1), Err(Reason::NotPrimary)]);
}
