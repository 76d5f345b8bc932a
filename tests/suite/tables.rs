//! Tables of any make: what can be exported is, and what can't is refused in words, until it can.

use std::collections::BTreeSet;

use mongodb::bson::{Bson, Document, doc};
use serde_json::Value;

use crate::scene::{Scene, wait_completed};
use crate::support::daemon::{Builder, Daemon};
use crate::support::sqlite::Inquiry;

/// A daemon for the table `t`.
fn for_t(scene: &Scene) -> Builder {
    scene.daemon().set("sqlite.table", "t").set("mongodb.collection", "t")
}

#[track_caller]
fn documents(scene: &Scene) -> Vec<Document> {
    scene.mongo.find_all(&scene.database, "t")
}

/// Exports a table made by these statements until nothing is left of it.
#[track_caller]
fn exported(test: &str, sql: &str) -> (Scene, Daemon, Vec<Document>) {
    let scene = Scene::new(test);
    scene.app.execute(sql);
    let daemon = for_t(&scene).start();
    wait_completed(&daemon);
    let documents = documents(&scene);
    (scene, daemon, documents)
}

/// Starts it once more without its memory: everything must be recognized.
#[track_caller]
fn assert_recognized(scene: &Scene, daemon: &Daemon) {
    let before = documents(scene);
    daemon.terminate();
    std::fs::remove_dir_all(daemon.directory().join("state")).expect("the state directory");
    daemon.start();
    let status = wait_completed(daemon);
    assert_eq!(status["failed_records"], 0, "{status}");
    assert_eq!(documents(scene), before);
}

/// What the daemon waits for, once that is told.
#[track_caller]
fn waiting_for(daemon: &Daemon) -> String {
    let status = daemon.wait_status("a cause to wait", |status| status["waiting_for"].is_string());
    status["waiting_for"].as_str().unwrap_or_default().to_owned()
}

#[track_caller]
fn original_ids(documents: &[Document]) -> BTreeSet<String> {
    let id = |document: &Document| {
        let metadata = document.get_document("export_metadata").expect("metadata");
        metadata.get_str("original_sqlite_id").expect("a text").to_owned()
    };
    documents.iter().map(id).collect()
}

const STRANGE: [&str; 12] = [
    "with \"quotes\"",
    "apo'strophe",
    "with space",
    "dot.ted",
    "$dollar",
    "$set",
    "ünïcödé 漢字",
    "",
    "select",
    "a;b--c",
    "[brackets]",
    "tab\tand\nline",
];

#[test]
fn columns_may_have_any_name() {
    let columns: Vec<String> =
        STRANGE.iter().map(|name| format!("\"{}\"", name.replace('"', "\"\""))).collect();
    let places: Vec<String> = (0..STRANGE.len()).map(|place| place.to_string()).collect();
    let (scene, daemon, documents_then) = exported(
        "names",
        &format!(
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, {}); INSERT INTO t VALUES (1, {})",
            columns.join(", "),
            places.join(", ")
        ),
    );
    let assert_values = |documents: &[Document], offset: i32| {
        let [document] = documents else { panic!("one document") };
        for (place, name) in (0..).zip(STRANGE) {
            let value = if place == 0 { offset } else { place };
            assert_eq!(document.get(name), Some(&Bson::Int32(value)), "{name:?}");
        }
    };
    assert_values(&documents_then, 0);
    scene.app.execute("UPDATE t SET \"with \"\"quotes\"\"\" = 77");
    daemon.wait_status("the update", |status| status["updated_records"] == 1);
    assert_values(&documents(&scene), 77);
    assert_recognized(&scene, &daemon);
}

#[test]
fn a_table_may_have_any_name() {
    let name = "it's \"the\" table.$x";
    let scene = Scene::new("tablename");
    scene.app.execute("CREATE TABLE \"it's \"\"the\"\" table.$x\" (id INTEGER PRIMARY KEY, v)");
    scene.app.execute("INSERT INTO \"it's \"\"the\"\" table.$x\" (v) VALUES (1), (2)");
    let daemon = scene.daemon().set("sqlite.table", name).set("mongodb.collection", "t").start();
    wait_completed(&daemon);
    assert_eq!(documents(&scene).len(), 2);
    assert_eq!(daemon.get("/api/export/sqlite-data").1["data"]["total_records"], 2);
}

#[test]
fn a_column_that_the_document_needs_for_itself_is_refused_until_the_table_is_made_anew() {
    for reserved in ["_id", "export_metadata"] {
        let scene = Scene::new("reserved");
        scene.app.execute(&format!("CREATE TABLE t (id INTEGER PRIMARY KEY, \"{reserved}\" TEXT)"));
        scene.app.execute("INSERT INTO t VALUES (1, 'x')");
        let daemon = for_t(&scene).start();
        let why = waiting_for(&daemon);
        assert!(why.contains(&format!("\"{reserved}\"")) && why.contains("rename it"), "{why}");
        let line = daemon.wait_log("source_unavailable");
        assert_eq!(line.field("error"), Some(&Value::from(why)));
        assert_eq!(daemon.get("/ready").0, 200);
        assert_eq!(documents(&scene).len(), 0);
        scene.app.execute("DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)");
        scene.app.execute("INSERT INTO t VALUES (1, 'x')");
        let status = wait_completed(&daemon);
        assert_eq!(status["successful_records"], 1);
        daemon.wait_status("no cause to wait", |status| status["waiting_for"].is_null());
        daemon.wait_log("source_available");
        assert_eq!(documents(&scene).len(), 1);
    }
}

#[test]
fn views_virtual_tables_and_tables_without_a_free_rowid_are_refused_in_words() {
    for (sql, words) in [
        ("CREATE VIEW t AS SELECT 1 AS id", "it is a view"),
        ("CREATE VIRTUAL TABLE t USING fts5(body)", "it is a virtual table"),
        ("CREATE TABLE t (rowid, _rowid_, oid)", "INTEGER PRIMARY KEY"),
    ] {
        let scene = Scene::new("refused");
        scene.app.execute(sql);
        let daemon = for_t(&scene).start();
        let why = waiting_for(&daemon);
        assert!(why.contains("\"t\"") && why.contains(words), "{why}");
        let (code, body) = daemon.get("/api/export/sqlite-data");
        assert_eq!((code, &body["error"]), (503, &Value::from(why)), "{body}");
    }
}

#[test]
fn a_table_without_rowid_and_with_a_composite_key_is_exported_page_by_page() {
    let (scene, daemon, documents) = exported(
        "composite",
        "CREATE TABLE t (value TEXT, part TEXT, number INTEGER, PRIMARY KEY (part, number)) WITHOUT ROWID;
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4499)
         INSERT INTO t SELECT 'v' || i, 'part ' || (i % 7), i / 7 FROM n",
    );
    assert_eq!(documents.len(), 4_500);
    let ids = original_ids(&documents);
    assert_eq!(ids.len(), 4_500);
    assert!(ids.contains("[\"part 3\",0]"), "{:?}", ids.first());
    assert_recognized(&scene, &daemon);
}

#[test]
fn a_text_key_is_exported_and_may_be_null_many_times() {
    let (scene, daemon, documents) = exported(
        "text",
        "CREATE TABLE t (code TEXT PRIMARY KEY, v);
         INSERT INTO t VALUES ('0123', 1), ('b', 2), ('', 3), (NULL, 4), (NULL, 4), (NULL, 5)",
    );
    assert_eq!(documents.len(), 6);
    assert!(original_ids(&documents).is_superset(&["0123", "b", ""].map(str::to_owned).into()));
    assert_recognized(&scene, &daemon);
    scene.app.execute("UPDATE t SET v = 9 WHERE code = 'b'");
    daemon.wait_status("the update", |status| status["updated_records"] == 1);
    assert_eq!(scene.mongo.find(&scene.database, "t", doc! { "code": "b", "v": 9 }).len(), 1);
}

#[test]
fn equal_rows_without_a_key_are_one_document_each() {
    let (scene, daemon, documents_then) = exported(
        "keyless",
        "CREATE TABLE t (v); INSERT INTO t VALUES (1), (1), (1), (2), (NULL), (NULL), (1)",
    );
    assert_eq!(documents_then.len(), 7);
    assert_recognized(&scene, &daemon);
    scene.app.execute("INSERT INTO t VALUES (1), (2)");
    daemon.wait_status("two more", |status| status["successful_records"] == 2);
    scene.app.execute("VACUUM");
    assert_recognized(&scene, &daemon);
    assert_eq!(documents(&scene).len(), 9);
}

#[test]
fn an_autoincremented_key_is_enough_to_tell_rows_apart() {
    let (scene, daemon, documents_then) = exported(
        "autoincrement",
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v); INSERT INTO t (v) VALUES ('a'), ('b'), ('b')",
    );
    assert_eq!(documents_then.len(), 3);
    scene.app.execute("DELETE FROM t; INSERT INTO t (v) VALUES ('a')");
    daemon.wait_status("the new row", |status| status["successful_records"] == 1);
    assert_eq!(original_ids(&documents(&scene)), ["1", "2", "3", "4"].map(str::to_owned).into());
    scene.app.execute("UPDATE t SET v = 'changed'");
    daemon.wait_status("the update", |status| status["updated_records"] == 1);
    assert_eq!(documents(&scene).len(), 4);
}

#[test]
fn a_column_that_is_added_makes_no_other_row_of_one_that_is_known_by_its_content() {
    for (name, key) in [("reusable", "id INTEGER PRIMARY KEY, "), ("keyless", "")] {
        let (scene, daemon, documents_then) = exported(
            name,
            &format!(
                "CREATE TABLE t ({key}v, w); INSERT INTO t (v, w) VALUES ('a', NULL), ('b', 1), ('b', 1)"
            ),
        );
        assert_eq!(documents_then.len(), 3);
        scene.app.execute("ALTER TABLE t ADD COLUMN note");
        daemon.wait_status("the new column", |status| status["updated_records"] == 3);
        let documents = documents(&scene);
        assert_eq!(documents.len(), 3, "{name}");
        assert!(documents.iter().all(|document| document.get("note") == Some(&mongodb::bson::Bson::Null)));
    }
}

#[test]
fn generated_columns_are_exported_as_they_read() {
    let (scene, daemon, documents) = exported(
        "generated",
        "CREATE TABLE t (
            id INTEGER PRIMARY KEY, a INTEGER,
            virtual INTEGER GENERATED ALWAYS AS (a * 2) VIRTUAL, stored TEXT AS ('n' || a) STORED
         );
         INSERT INTO t (a) VALUES (21)",
    );
    let [document] = &documents[..] else { panic!("one document") };
    assert_eq!((document.get("virtual"), document.get("stored")), (Some(&42.into()), Some(&"n21".into())));
    assert_recognized(&scene, &daemon);
}

#[test]
fn without_the_duplicate_key_s_columns_no_row_is_a_duplicate_and_that_is_said_once() {
    let (scene, daemon, documents_then) = exported(
        "missing",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, email TEXT);
         INSERT INTO t (email) VALUES ('a@example.org'), ('a@example.org')",
    );
    assert_eq!(documents_then.len(), 2);
    for count in 3..6 {
        scene.app.execute("INSERT INTO t (email) VALUES ('a@example.org')");
        crate::support::wait::eventually(crate::support::wait::PATIENCE, "one more", || {
            (documents(&scene).len() == count).then_some(())
        });
    }
    let line = daemon.wait_log("duplicate_columns_missing");
    assert_eq!(line.field("columns"), Some(&Value::from("mobile")));
    let lines = daemon.log().all();
    let said = lines.iter().filter(|line| line.event() == Some("duplicate_columns_missing"));
    assert_eq!(said.count(), 1);
}

#[test]
fn a_table_may_be_empty_or_appear_later() {
    let scene = Scene::new("later");
    let daemon = for_t(&scene).start();
    let why = waiting_for(&daemon);
    assert!(why.contains("no table \"t\""), "{why}");
    scene.app.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)");
    let empty = daemon.wait_status("nothing to wait for", |status| status["waiting_for"].is_null());
    assert_eq!((&empty["status"], &empty["total_records"]), (&Value::from("idle"), &Value::from(0)));
    let body = daemon.get("/api/export/sqlite-data").1;
    assert_eq!(body["message"], "No data found in SQLite");
    scene.app.execute("INSERT INTO t (v) VALUES (1)");
    wait_completed(&daemon);
    assert_eq!(documents(&scene).len(), 1);
}

#[test]
fn columns_named_like_the_rowid_are_columns() {
    let (scene, daemon, documents_then) = exported(
        "rowid",
        "CREATE TABLE t (rowid TEXT, oid TEXT, v); INSERT INTO t VALUES ('z', 'y', 1), ('a', NULL, 2), ('z', 'y', 1)",
    );
    assert_eq!(documents_then.len(), 3);
    assert_eq!(original_ids(&documents_then), ["1", "2", "3"].map(str::to_owned).into());
    assert_eq!(scene.mongo.find(&scene.database, "t", doc! { "rowid": "z", "oid": "y", "v": 1 }).len(), 2);
    assert_recognized(&scene, &daemon);
    let (_scene, _daemon, documents_then) = exported(
        "allrowids",
        "CREATE TABLE t (k INTEGER PRIMARY KEY, rowid, oid, _rowid_); INSERT INTO t VALUES (5, 3, 2, 1), (4, 3, 2, 1)",
    );
    assert_eq!(original_ids(&documents_then), ["4", "5"].map(str::to_owned).into());
}

#[test]
fn rows_without_email_and_mobile_are_nobody_s_duplicates() {
    let mut scene = Scene::new("nobody");
    let absent = [None, Some(String::new())];
    scene.app.insert((0..100).map(|number: u32| {
        let mut inquiry = Inquiry::number(number);
        inquiry.email.clone_from(&absent[number as usize % 2]);
        inquiry.mobile.clone_from(&absent[number as usize / 2 % 2]);
        inquiry
    }));
    let daemon = scene.daemon().start();
    let status = wait_completed(&daemon);
    assert_eq!((&status["successful_records"], &status["skipped_records"]), (&100.into(), &0.into()));
    assert_eq!(scene.count(), 100);
}
