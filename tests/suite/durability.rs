//! Exported means: acknowledged by a majority, journaled. Nothing less is ever recorded.

use std::collections::HashSet;
use std::time::Duration;

use mongodb::bson::{Document, doc};

use crate::host::Host;
use crate::support::mongod::{Mongod, ReplicaSet};
use crate::support::sqlite::TABLE;

/// Elections, catching up, and a machine with much else to do.
const LONG: Duration = Duration::from_secs(90);

/// A host on a set.
#[track_caller]
fn host_on(set: &ReplicaSet) -> Host {
    Host::at(&set.uri(), set.client(), "db")
        .set("export.batch_size", 20)
        .set("mongodb.operation_timeout", "5s")
}

/// Every row that the ledger calls exported has its document.
#[track_caller]
fn assert_nothing_is_missing(host: &Host) {
    let exported = host.exported_ids();
    let there: HashSet<[u8; 12]> =
        host.find(doc! {}).iter().map(|found| found.get_object_id("_id").expect("ours").bytes()).collect();
    let missing = exported.iter().filter(|id| !there.contains(*id)).count();
    assert_eq!(missing, 0, "of {} exported", exported.len());
}

#[track_caller]
fn wait_until_exact(host: &Host, rows: u64) {
    host.wait_for(LONG, "everything exported", || (host.outcomes() == (rows, 0, 0)).then_some(()));
    host.wait_outcomes(rows, 0, 0);
    assert_nothing_is_missing(host);
    assert_eq!((host.documents(), host.inserted_by_counters()), (rows, rows));
}

#[test]
fn what_is_called_exported_survives_step_downs_and_the_loss_of_primaries() {
    let set = ReplicaSet::start(3);
    let mut host = host_on(&set);
    host.app.insert_inquiries(400);
    host.start();
    for round in 0..4 {
        let before = host.outcomes().0;
        host.app.insert_inquiries(400);
        host.wait_for(LONG, "an export under way", || (host.outcomes().0 > before).then_some(()));
        if round % 2 == 0 {
            let primary = set.primary_index();
            set.member(primary).kill();
            host.app.insert_inquiries(50);
            set.primary_index();
            assert_nothing_is_missing(&host);
            set.restart(primary);
            set.wait_until_whole();
        } else {
            set.step_down();
        }
        assert_nothing_is_missing(&host);
    }
    let rows = host.app.count();
    wait_until_exact(&host, rows);
}

#[test]
fn without_a_majority_nothing_is_recorded_and_nothing_is_doubled_afterwards() {
    let set = ReplicaSet::start(3);
    let mut host = host_on(&set);
    host.app.insert_inquiries(10);
    host.start();
    wait_until_exact(&host, 10);
    let primary = set.primary_index();
    let others: Vec<usize> = (0..3).filter(|member| *member != primary).collect();
    for &other in &others {
        set.member(other).freeze();
    }
    let mark = host.daemon().log().mark();
    host.app.insert_inquiries(300);
    host.daemon().wait_log_after(mark, "connectivity_lost");
    assert_eq!(host.outcomes(), (10, 0, 0), "nothing without a majority");
    for &other in &others {
        set.member(other).thaw();
    }
    set.wait_until_whole();
    wait_until_exact(&host, 310);
}

#[test]
fn a_write_that_no_majority_has_confirmed_is_not_recorded() {
    let set = ReplicaSet::start(3);
    let mut host = host_on(&set).set("mongodb.operation_timeout", "2s");
    host.app.insert_inquiries(5);
    host.start();
    wait_until_exact(&host, 5);
    // The others stay members and vote, but copy nothing: the primary writes, and no majority has it.
    let primary = set.primary_index();
    let stop = |mode: &str| {
        for member in (0..3).filter(|member| *member != primary) {
            let client = set.member(member).client();
            client.run("admin", doc! { "configureFailPoint": "rsSyncApplyStop", "mode": mode });
            client.close();
        }
    };
    stop("alwaysOn");
    let mark = host.daemon().log().mark();
    host.app.insert_inquiries(30);
    let line = host.daemon().wait_log_after(mark, "export_failed");
    assert_eq!(line.field("reason").and_then(|reason| reason.as_str()), Some("timeout"));
    let alone = set.member(primary).client();
    let local =
        alone.run("db", doc! { "find": TABLE, "readConcern": { "level": "local" }, "batchSize": 1000 });
    let local = local
        .get_document("cursor")
        .and_then(|cursor| cursor.get_array("firstBatch"))
        .expect("a reply")
        .len();
    assert!(local > 5, "it was written");
    alone.close();
    // Looked at again, and still nothing is recorded.
    let mark = host.daemon().log().mark();
    host.daemon().wait_log_after(mark, "export_failed");
    assert_eq!(host.outcomes(), (5, 0, 0));
    stop("off");
    wait_until_exact(&host, 35);
}

#[test]
fn each_write_asks_for_a_journaled_majority_and_each_look_up_reads_from_one() {
    let counted = "reportOpWriteConcernCountersInServerStatus=true";
    let mongod = Mongod::builder().arg("--setParameter").arg(counted).start();
    let mut host = Host::at(&mongod.uri(), mongod.client(), "db");
    host.mongo.run("db", doc! { "profile": 2 });
    host.app.insert_inquiries(30);
    host.app.insert_duplicates(3);
    host.start();
    host.wait_outcomes(30, 3, 0);
    host.app.execute(&format!(
        "UPDATE {TABLE} SET city = 'Changed', updated_at = '2031-01-01 00:00:00' WHERE id < 4"
    ));
    host.wait("the updates", || (host.find(doc! { "city": "Changed" }).len() == 3).then_some(()));
    host.wait_outcomes(30, 3, 0);
    let namespace = format!("db.{TABLE}");
    let seen = |op: &str| -> Vec<Document> {
        let filter = doc! { "ns": &namespace, "appName": "mongo-uplink", "op": op };
        host.mongo.find("db", "system.profile", filter)
    };
    let inserts = seen("insert");
    assert!(!inserts.is_empty());
    for entry in inserts {
        let concern = entry.get_document("command").and_then(|command| command.get_document("writeConcern"));
        let concern = concern.unwrap_or_else(|_| panic!("no write concern in {entry}"));
        assert_eq!(concern.get_str("w").ok(), Some("majority"));
        assert_eq!(concern.get_bool("j").ok(), Some(true));
    }
    // The profile of an update doesn't tell; the server's counters do. Nobody else has updated anything.
    let status = host.mongo.run("admin", doc! { "serverStatus": 1 });
    let counters = status.get_document("opWriteConcernCounters").expect("counted, as asked for");
    let updates = counters.get_document("update").expect("the server's own form");
    let of =
        |name| updates.get_i64(name).or_else(|_| updates.get_i32(name).map(i64::from)).expect("a number");
    assert_eq!((of("wmajority") > 0, of("none")), (true, 0), "{updates}");
    let look_ups: Vec<Document> = seen("query")
        .into_iter()
        .filter_map(|entry| entry.get_document("command").cloned().ok())
        // Not the proof of the connection, which reads one document of any kind.
        .filter(|command| !command.contains_key("singleBatch"))
        .collect();
    assert!(!look_ups.is_empty());
    for command in look_ups {
        let concern = command.get_document("readConcern").expect("a read concern");
        assert_eq!(concern.get_str("level").ok(), Some("majority"));
    }
    host.daemon().wait_status("the end", |status| status["status"] == "completed");
}
