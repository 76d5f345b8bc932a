//! Rows that become somebody else, or stand elsewhere in the table, at an odd moment.

use std::collections::HashMap;
use std::fs;

use mongodb::bson::{Document, doc};

use crate::host::Host;
use crate::support::mongod::{Mongod, fresh_database, shared_mongod};
use crate::support::proxy::Proxy;
use crate::support::sqlite::{Inquiry, TABLE};

/// Times of a change, each later than all rows'.
const LATER: &str = "2031-01-01T00:00:00.000Z";
const LATEST: &str = "2032-01-01T00:00:00.000Z";

#[test]
fn a_row_with_a_document_is_nobody_s_duplicate_though_the_ledger_forgot_it() {
    let mut host = Host::new("forgotten").set("export.batch_size", 1_000);
    host.app.insert([Inquiry::number(9_000)]);
    host.app.execute(&format!("UPDATE {TABLE} SET id = 200"));
    host.start();
    host.wait_outcomes(1, 0, 0);
    host.daemon().terminate();
    for file in ["state.db", "state.db-wal", "state.db-shm"] {
        let _absent = fs::remove_file(host.daemon().directory().join("state").join(file));
    }
    // Before it, rows without documents: so many that those behind them aren't looked for. The last of them is the person that
    // it becomes.
    host.app.insert((1..=199).map(Inquiry::number));
    host.app.execute(&format!(
        "UPDATE {TABLE} SET id = id - 200 WHERE id > 200;
         UPDATE {TABLE} SET email = 'new@example.org', mobile = '1' WHERE id >= 199;
         UPDATE {TABLE} SET updated_at = '{LATER}' WHERE id = 200"
    ));
    host.daemon().start();
    host.wait("its own document to be written over", || {
        let own = host.find_one(doc! { "export_metadata.original_sqlite_id": "200" });
        own.filter(|own| own.get_str("email").is_ok_and(|email| email == "new@example.org"))
    });
}

#[test]
fn a_person_who_was_left_twice_before_a_reply_came_is_somebody_s_again() {
    let server = shared_mongod();
    let proxy = Proxy::start(server.port());
    let mut host = Host::at(&proxy.uri(), server.client(), &fresh_database("left_twice"));
    host.app.insert_inquiries(1);
    host.start();
    host.wait_outcomes(1, 0, 0);
    host.app.insert_duplicates(1);
    host.wait_outcomes(1, 1, 0);
    proxy.cut_reply_of("update", 0);
    host.app.execute(&format!(
        "UPDATE {TABLE} SET email = 'moved@example.org', updated_at = '{LATER}' WHERE id = 1"
    ));
    host.wait("the update", || host.find_one(doc! { "email": "moved@example.org" }));
    host.app.execute(&format!("UPDATE {TABLE} SET city = 'Again', updated_at = '{LATEST}' WHERE id = 1"));
    host.wait_outcomes(2, 0, 0);
    assert_eq!((proxy.counters().replies_cut, host.documents()), (1, 2));
}

#[test]
fn a_correction_by_others_that_an_update_takes_back_leaves_nobody_out() {
    let mut host = Host::new("taken_back");
    host.app.insert_inquiries(1);
    host.start();
    host.wait_outcomes(1, 0, 0);
    host.change(doc! {}, doc! { "$set": { "email": "b@example.org", "mobile": "2" } });
    let (email, mobile) = (Some("b@example.org".to_owned()), Some("2".to_owned()));
    host.app.insert([Inquiry { email, mobile, ..Inquiry::number(50) }]);
    host.wait_outcomes(1, 1, 0);
    host.app.execute(&format!("UPDATE {TABLE} SET city = 'Again', updated_at = '{LATEST}' WHERE id = 1"));
    host.wait_outcomes(2, 0, 0);
    assert_eq!(host.find(doc! { "email": "b@example.org" }).len(), 1);
}

#[test]
fn who_becomes_somebody_and_who_is_new_with_him_are_one_without_a_unique_index() {
    let mongod = Mongod::builder().with_login().start();
    let mongo = mongod.client();
    let resource = doc! { "db": "inquiries", "collection": TABLE };
    let privileges = vec![doc! { "resource": resource, "actions": ["find", "insert", "update"] }];
    mongo.run("admin", doc! { "createRole": "writer", "privileges": privileges, "roles": [] });
    mongo.run("admin", doc! { "createUser": "edge", "pwd": "edge", "roles": ["writer"] });
    let mut host = Host::at(&mongod.uri_as("edge", "edge"), mongo, "inquiries");
    host.app.insert_inquiries(1);
    host.start();
    host.wait_outcomes(1, 0, 0);
    host.app.execute(&format!(
        "BEGIN;
         UPDATE {TABLE} SET email = 'b@example.org', updated_at = '{LATER}' WHERE id = 1;
         INSERT INTO {TABLE} (id, mobile, email) SELECT 0, mobile, email FROM {TABLE} WHERE id = 1;
         COMMIT"
    ));
    host.wait_outcomes(1, 1, 0);
    assert_eq!(host.find(doc! { "email": "b@example.org" }).len(), 1);
}

/// Rows are put elsewhere in the table until the batch that holds them has been read, so that it may hold them twice; with
/// another content each time, if they change.
fn put_elsewhere(person: &str, change: bool) -> Host {
    const ROWS: u32 = 60;
    // A batch of several pages, of 40 rows each.
    let mut host = Host::new("elsewhere").set("export.max_in_flight_bytes", 512 * 1024 * 1024_u64);
    host.app.execute(&format!(
        "DROP TABLE {TABLE};
         CREATE TABLE {TABLE} (id TEXT PRIMARY KEY, email TEXT, mobile TEXT, city TEXT, more TEXT, created_at TEXT, updated_at TEXT)"
    ));
    host.start();
    host.daemon().wait_log("connectivity_established");
    host.app.execute(&format!(
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
         INSERT INTO {TABLE} SELECT 'k' || i, {person}, NULL, '', hex(randomblob(50000)), '2024-01-01', '2024-01-01' FROM n"
    ));
    for round in 0..200 {
        if host.daemon().log().all().iter().any(|line| line.event() == Some("export_started")) {
            break;
        }
        let city = if change { format!("round {round}") } else { String::new() };
        // From the beginning to the end.
        host.app.execute(&format!(
            "REPLACE INTO {TABLE} SELECT id, email, mobile, '{city}', more, created_at, updated_at FROM {TABLE} ORDER BY rowid LIMIT 4"
        ));
    }
    let mut statement =
        host.app.connection().prepare(&format!("SELECT id, city FROM {TABLE}")).expect("a table");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("its rows");
    let rows: HashMap<String, String> = rows.map(|row| row.expect("a row")).collect();
    drop(statement);
    host.wait("all rows, the last way they are", || {
        let documents = host.find(doc! {});
        let text = |document: &Document, name| document.get_str(name).map(str::to_owned).unwrap_or_default();
        let there = documents.iter().map(|document| (text(document, "id"), text(document, "city")));
        (documents.len() == rows.len()
            && there.collect::<HashMap<_, _>>() == rows
            && host.daemon().status()["status"] == "completed")
            .then_some(())
    });
    host
}

#[test]
fn a_change_of_a_row_that_is_put_elsewhere_while_its_batch_is_read_arrives() {
    for _ in 0..3 {
        put_elsewhere("'e' || i", true);
    }
}

#[test]
fn a_row_that_is_put_elsewhere_while_its_batch_is_read_is_counted_once() {
    for _ in 0..3 {
        let host = put_elsewhere("NULL", false);
        assert_eq!(host.inserted_by_counters(), host.documents());
    }
}
