//! Rows that MongoDB refuses: each is told with its reason, keeps nobody back, and is no load.

use mongo_uplink::config::{Mongodb, Secret};
use mongo_uplink::target::{InsertOutcome, Target};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::RawDocumentBuf;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Document, doc};
use mongodb::options::IndexOptions;
use serde_json::Value;

use crate::host::Host;
use crate::support::mongo::Mongo;
use crate::support::mongod::{Mongod, fresh_database, shared_mongod};
use crate::support::runtime::wait_for;
use crate::support::sqlite::{Inquiry, TABLE};
use crate::support::wait::{PATIENCE, eventually};

/// A collection that takes no row of the city "Refused".
fn validated(host: &Host) {
    let validator = doc! { "city": { "$ne": "Refused" } };
    host.mongo.run(&host.database, doc! { "create": TABLE, "validator": validator });
}

fn accept_all(host: &Host) {
    host.mongo.run(&host.database, doc! { "collMod": TABLE, "validator": {} });
}

fn refused(number: u32) -> Inquiry {
    Inquiry { city: "Refused".to_owned(), ..Inquiry::number(number) }
}

fn counters(status: &Value) -> [u64; 3] {
    ["successful_records", "failed_records", "skipped_records"]
        .map(|name| status[name].as_u64().expect("a number"))
}

/// Insert and update commands that the server has carried out.
#[track_caller]
fn writes(mongo: &Mongo) -> i64 {
    let counters = mongo.run("admin", doc! { "serverStatus": 1 });
    let counters = counters.get_document("opcounters").expect("the server's own form").clone();
    let of =
        |name| counters.get_i64(name).or_else(|_| counters.get_i32(name).map(i64::from)).expect("a number");
    of("insert") + of("update")
}

#[test]
fn a_replay_a_duplicate_and_somebody_else_s_index_have_three_outcomes() {
    let mut host = Host::new("three");
    host.app.insert_inquiries(10);
    host.start();
    host.wait_outcomes(10, 0, 0);
    host.daemon().kill();
    // Half of it is forgotten: these rows will be sent again.
    let ledger =
        rusqlite::Connection::open(host.daemon().directory().join("state/state.db")).expect("a ledger");
    ledger.execute("DELETE FROM entry WHERE position > 5", []).expect("the ledger's own form");
    drop(ledger);
    host.mongo.create_index(
        &host.database,
        TABLE,
        doc! { "user_id": 1 },
        IndexOptions::builder()
            .unique(true)
            .partial_filter_expression(doc! { "user_id": { "$type": "string" } })
            .build(),
    );
    host.app.insert_inquiries(10);
    host.app.insert([Inquiry::number(50).by_the_person_of(&Inquiry::number(2))]);
    host.app.insert([Inquiry { user_id: Inquiry::number(1).user_id, ..Inquiry::number(51) }]);
    host.app.insert([Inquiry::number(52)]);
    host.daemon().start();
    host.wait_outcomes(21, 1, 1);
    let status = host.daemon().wait_status("the end", |status| status["status"] == "completed");
    assert_eq!(counters(&status), [11, 1, 6]);
    assert_eq!((host.documents(), host.inserted_by_counters()), (21, 21));
}

/// What the look-ups didn't see, as it came in between: the server's own word decides, for each document by its index.
#[test]
fn each_e11000_is_judged_by_its_own_index() {
    let (server, database) = (shared_mongod(), fresh_database("e11000"));
    let config = Mongodb {
        uri: Secret::new(server.uri()),
        uri_file: None,
        fallback_uris: Vec::new(),
        database: database.clone(),
        collection: TABLE.to_owned(),
        operation_timeout: PATIENCE,
        compressors: Vec::new(),
        idle_disconnect: PATIENCE,
    };
    let row = |id: u8, user: &str, person: u8| {
        let key = Binary { subtype: BinarySubtype::Generic, bytes: vec![person; 16] };
        let id = ObjectId::from_bytes([id; 12]);
        let row = doc! { "_id": id, "user_id": user, "export_metadata": { "duplicate_key": key } };
        RawDocumentBuf::try_from(&row).expect("valid BSON")
    };
    let unique = IndexOptions::builder().unique(true).build();
    server.client().create_index(&database, TABLE, doc! { "user_id": 1 }, unique);
    let outcomes = wait_for(PATIENCE, "a batch", async move {
        let target = Target::connect(&config, &config.uri, PATIENCE).await.expect("a server");
        target.prepare(&["email".to_owned()]).await.expect("a writable server");
        let first = [row(1, "a", 1), row(2, "b", 2)];
        let first: Vec<_> = first.iter().map(|row| row.as_ref()).collect();
        target.insert(&first).await.expect("a writable server");
        let batch =
            [row(1, "a", 1), row(3, "c", 3), row(4, "d", 2), row(5, "e", 5), row(6, "b", 6), row(7, "f", 7)];
        let batch: Vec<_> = batch.iter().map(|row| row.as_ref()).collect();
        let outcomes = target.insert(&batch).await.expect("a writable server");
        target.close().await;
        outcomes
    });
    assert_eq!(
        outcomes[..4],
        [
            InsertOutcome::SameId,
            InsertOutcome::Inserted,
            InsertOutcome::SameDuplicateKey,
            InsertOutcome::Inserted,
        ]
    );
    assert!(matches!(&outcomes[4], InsertOutcome::Rejected { code: 11_000, .. }), "{:?}", outcomes[4]);
    assert_eq!(outcomes[5], InsertOutcome::Inserted);
    assert_eq!(server.client().count(&database, TABLE), 5);
}

#[test]
fn one_refused_row_keeps_nobody_back_wherever_it_stands() {
    for place in [0, 50, 99] {
        let mut host = Host::new("place");
        validated(&host);
        host.app.insert((0..100).map(|row| if row == place { refused(row) } else { Inquiry::number(row) }));
        host.start();
        host.wait_outcomes(99, 0, 1);
        let status = host.daemon().wait_status("the end", |status| status["status"] == "completed");
        assert_eq!(counters(&status), [99, 1, 0], "place {place}");
        assert_eq!(host.documents(), 99);
        // The row changes, and is sent again by that alone.
        host.app.execute(&format!("UPDATE {TABLE} SET city = 'Taken' WHERE city = 'Refused'"));
        host.wait_outcomes(100, 0, 0);
        assert_eq!((host.documents(), host.inserted_by_counters()), (100, 100));
    }
}

#[test]
fn a_refused_row_is_not_sent_again_by_itself_but_by_a_manual_export() {
    let mongod = Mongod::start();
    let mut host = Host::at(&mongod.uri(), mongod.client(), "db").set("probe.online_interval", "200ms");
    validated(&host);
    host.app.insert((0..30).map(|row| if row % 10 == 5 { refused(row) } else { Inquiry::number(row) }));
    host.start();
    host.wait_outcomes(27, 0, 3);
    host.daemon().wait_status("the end", |status| status["status"] == "completed");
    let before = writes(&host.mongo);
    for row in 1..=5 {
        host.app.insert([Inquiry::number(100 + row)]);
        host.wait_outcomes(27 + u64::from(row), 0, 3);
    }
    host.daemon().restart();
    host.app.insert([Inquiry::number(200)]);
    host.wait_outcomes(33, 0, 3);
    // Each of the six rows is one document inserted; a refused one would be counted as well.
    assert_eq!(writes(&host.mongo) - before, 6);

    let still = host.export("");
    assert_eq!(counters(&still), [0, 3, 33]);
    accept_all(&host);
    let then = host.export("");
    assert_eq!(counters(&then), [3, 0, 33]);
    host.wait_outcomes(36, 0, 0);
    assert_eq!((host.documents(), host.inserted_by_counters()), (36, 36));
}

#[test]
fn a_row_over_16_mib_is_refused_and_one_just_below_arrives() {
    let mut host = Host::new("sizes");
    host.app.insert_inquiries(7);
    let size = |host: &Host, id: u32, bytes: usize| {
        host.app.execute(&format!("UPDATE {TABLE} SET city = zeroblob({bytes}) WHERE id = {id}"));
    };
    let mib = 1024 * 1024;
    size(&host, 2, 17 * mib);
    // The document's other parts take less than 1 KiB.
    size(&host, 4, 16 * mib - 1024);
    host.start();
    host.wait_outcomes(6, 0, 1);
    assert_eq!(host.documents(), 6);
    // To the byte.
    let document = host.find_one(doc! { "id": 4 }).expect("the large one");
    let length = mongodb::bson::serialize_to_vec(&document).expect("valid BSON").len();
    let largest = 16 * mib - 1024 + (16 * mib - length);
    for (extra, outcomes) in [(0, (7, 0, 0)), (1, (6, 0, 1))] {
        let mut other = Host::new("to_the_byte");
        other.app.insert_inquiries(7);
        size(&other, 4, largest + extra);
        other.start();
        other.wait_outcomes(outcomes.0, outcomes.1, outcomes.2);
        assert_eq!(other.documents(), outcomes.0);
    }
}

#[test]
fn many_refused_rows_of_one_person_keep_nobody_back() {
    let mut host = Host::new("poisons").set("export.batch_size", 200);
    validated(&host);
    let person = Inquiry::number(0);
    host.app.insert((0..150).map(|row| refused(row).by_the_person_of(&person)));
    host.app.insert((200..220).map(Inquiry::number));
    host.start();
    host.wait_outcomes(20, 0, 150);
    assert_eq!(host.documents(), 20);
}

#[test]
fn a_command_that_is_refused_as_a_whole_is_sent_again_in_parts() {
    let mongod = Mongod::start();
    let mut host = Host::at(&mongod.uri(), mongod.client(), "db");
    let fail = |mode: Document, code: i32| {
        let data = doc! { "failCommands": ["insert"], "errorCode": code, "appName": "mongo-uplink" };
        mongod
            .client()
            .run("admin", doc! { "configureFailPoint": "failCommand", "mode": mode, "data": data });
    };
    // InvalidBSON, as if one of them were.
    fail(doc! { "times": 1 }, 22);
    host.app.insert_inquiries(20);
    host.start();
    host.wait_outcomes(20, 0, 0);
    assert!(host.daemon().log().all().iter().all(|line| line.event() != Some("export_failed")));
    // All the way down to single documents: one of them is told to be the cause.
    fail(doc! { "times": 5 }, 22);
    host.app.insert((100..116).map(Inquiry::number));
    host.wait_outcomes(35, 0, 1);
    // Nothing passes: then nothing is said of documents, and nothing is refused.
    mongod.client().run(
        "admin",
        doc! {
            "configureFailPoint": "failCommand", "mode": "alwaysOn",
            "data": { "failCommands": ["insert"], "errorCode": 22, "appName": "mongo-uplink" },
        },
    );
    host.app.insert((200..210).map(Inquiry::number));
    host.daemon().wait_log("export_failed");
    assert_eq!(host.outcomes(), (35, 0, 1));
    mongod.client().run("admin", doc! { "configureFailPoint": "failCommand", "mode": "off" });
    host.wait_outcomes(45, 0, 1);
    assert_eq!(host.documents(), 45);
}

#[test]
fn a_server_that_cannot_write_at_the_moment_refuses_nobody() {
    let mongod = Mongod::start();
    let mut host = Host::at(&mongod.uri(), mongod.client(), "db");
    host.app.insert_inquiries(1);
    host.start();
    host.wait_outcomes(1, 0, 0);
    // InternalError, LockTimeout, ExceededMemoryLimit, StaleConfig, UserWritesBlocked, WriteConflict, a quota, no space,
    // and a code of the future.
    for (round, code) in (1..).zip([1, 24, 146, 13_388, 371, 112, 8_000, 14_031, 999]) {
        mongod.client().run(
            "admin",
            doc! {
                "configureFailPoint": "failCommand", "mode": { "times": 2 },
                "data": { "failCommands": ["insert"], "errorCode": code, "appName": "mongo-uplink" },
            },
        );
        host.app.insert_inquiries(1);
        host.wait_outcomes(1 + round, 0, 0);
    }
    assert_eq!((host.documents(), host.inserted_by_counters()), (10, 10));
}

#[test]
fn a_user_that_is_dropped_in_mid_run_rejects_nobody_and_comes_back() {
    let mongod = Mongod::builder().with_login().start();
    let mongo = mongod.client();
    let create = doc! { "createUser": "edge", "pwd": "edge", "roles": [{ "role": "readWrite", "db": "db" }] };
    mongo.run("admin", create.clone());
    let mut host = Host::at(&mongod.uri_as("edge", "edge"), mongo.clone(), "db").set("export.batch_size", 5);
    host.app.insert_inquiries(1_000);
    host.start();
    host.wait("the first documents", || (host.documents() > 20).then_some(()));
    mongo.run("admin", doc! { "dropUser": "edge" });
    let line = host.daemon().wait_log("export_failed");
    let reason = line.field("reason").and_then(Value::as_str).map(str::to_owned);
    assert!(matches!(reason.as_deref(), Some("auth" | "not_authorized")), "{reason:?}");
    let (exported, duplicate, rejected) = host.outcomes();
    assert!(exported < 1_000, "dropped in mid-run");
    assert_eq!((duplicate, rejected), (0, 0));
    // The right to write alone is missing.
    mongo.run(
        "admin",
        doc! { "createUser": "edge", "pwd": "edge", "roles": [{ "role": "read", "db": "db" }] },
    );
    let mark = host.daemon().log().mark();
    let line = host.daemon().wait_log_after(mark, "export_failed");
    assert_eq!(line.field("reason").and_then(Value::as_str), Some("not_authorized"));
    mongo.run("admin", doc! { "grantRolesToUser": "edge", "roles": [{ "role": "readWrite", "db": "db" }] });
    host.wait_for(PATIENCE * 3, "everything exported", || (host.outcomes() == (1_000, 0, 0)).then_some(()));
    host.wait_outcomes(1_000, 0, 0);
    assert_eq!((host.documents(), host.inserted_by_counters()), (1_000, 1_000));
    let secret = "edge:edge";
    assert!(!host.daemon().log().text().contains(secret));
}

#[test]
fn a_refused_update_keeps_nobody_back_and_leaves_the_copy_as_it_was() {
    let mut host = Host::new("update");
    validated(&host);
    host.app.insert_inquiries(20);
    host.start();
    host.wait_outcomes(20, 0, 0);
    let later = "2031-01-01 00:00:00";
    host.app.execute(&format!(
        "UPDATE {TABLE} SET city = 'Changed', updated_at = '{later}';
         UPDATE {TABLE} SET city = 'Refused' WHERE id IN (1, 10, 20)"
    ));
    host.wait_outcomes(17, 0, 3);
    assert_eq!(host.find(doc! { "city": "Changed" }).len(), 17);
    assert_eq!(host.find(doc! { "city": "Refused" }), []);
    assert_eq!(host.documents(), 20);
    host.app.execute(&format!("UPDATE {TABLE} SET city = 'Changed' WHERE city = 'Refused'"));
    eventually(PATIENCE, "the others", || (host.find(doc! { "city": "Changed" }).len() == 20).then_some(()));
    host.wait_outcomes(20, 0, 0);
}
