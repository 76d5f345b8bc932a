//! Columns that are left out or get other names, and fields that are added.

use mongodb::bson::{Bson, doc};
use serde_json::json;

use super::{columns_of, document_of, for_t, wait_for, with_table};
use crate::scene::wait_completed;
use crate::support::daemon::{Daemon, Mark};

const PEOPLE: &str = "
    CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, password TEXT, score INTEGER);
    INSERT INTO t (name, password, score) VALUES ('Ann', 'pw1', 5), ('Ben', 'pw2', 6)";

/// What the daemon waits for, once that is told.
#[track_caller]
fn waiting_for(daemon: &Daemon) -> String {
    let status = daemon.wait_status("a cause to wait", |status| status["waiting_for"].is_string());
    status["waiting_for"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn columns_are_left_out_renamed_and_added_to() {
    let scene = with_table("columns", PEOPLE);
    let daemon = for_t(&scene)
        .set("columns.exclude", vec!["password"])
        .set("rename.score", "points")
        .set("constants.site", "north")
        .set("constants.floor", 3)
        .start();
    wait_completed(&daemon);
    let expected = |id: i32, name: &str, points: i32| {
        doc! { "id": id, "name": name, "points": points, "floor": 3, "site": "north" }
    };
    assert_eq!(columns_of(&scene), [expected(1, "Ann", 5), expected(2, "Ben", 6)]);
}

#[test]
fn what_is_left_out_is_not_shown_either_and_its_size_does_not_matter() {
    let scene = with_table("large", PEOPLE);
    scene
        .app
        .execute("ALTER TABLE t ADD COLUMN film BLOB; UPDATE t SET film = zeroblob(20000000) WHERE id = 1");
    let daemon = for_t(&scene).set("columns.exclude", vec!["password", "film"]).start();
    let status = wait_completed(&daemon);
    assert_eq!(
        (&status["successful_records"], &status["failed_records"]),
        (&json!(2), &json!(0)),
        "{status}"
    );
    let (_, summary) = daemon.get("/api/export/sqlite-data");
    assert_eq!(summary["data"]["sample_records"][0], json!({ "id": "1", "name": "Ann", "score": 5 }));
}

#[test]
fn only_included_columns_arrive_whatever_is_added_later() {
    let scene = with_table("include", PEOPLE);
    let daemon = for_t(&scene).set("columns.include", vec!["name"]).start();
    wait_completed(&daemon);
    let before = daemon.log().mark();
    scene.app.execute(
        "ALTER TABLE t ADD COLUMN token TEXT; INSERT INTO t (name, password, token) VALUES ('Cid', 'pw3', 'tok')",
    );
    daemon.wait_log_after(before, "export_completed");
    assert_eq!(columns_of(&scene), [doc! { "name": "Ann" }, doc! { "name": "Ben" }, doc! { "name": "Cid" }]);
    assert_eq!(document_of(&scene, "3").get("name"), Some(&Bson::from("Cid")), "the key is in the metadata");
}

#[test]
fn a_change_of_what_is_left_out_writes_nothing() {
    let scene = with_table("unseen", PEOPLE);
    let daemon = for_t(&scene).set("columns.exclude", vec!["password"]).start();
    wait_completed(&daemon);
    let before = [document_of(&scene, "1"), document_of(&scene, "2")];
    let mark = daemon.log().mark();
    scene.app.execute("UPDATE t SET password = 'other'; INSERT INTO t (name) VALUES ('Cid')");
    let line = daemon.wait_log_after(mark, "export_completed");
    assert_eq!(line.field("processed"), Some(&json!(1)), "{}", line.text());
    assert_eq!([document_of(&scene, "1"), document_of(&scene, "2")], before);
}

#[test]
fn duplicates_are_found_under_their_names_and_types_in_the_documents() {
    let scene = with_table(
        "twins",
        "CREATE TABLE t (id TEXT PRIMARY KEY, mail TEXT, phone TEXT);
         INSERT INTO t VALUES ('a', 'ann@example.org', '0123'), ('b', 'ben@example.org', '7'), ('c', 'ann@example.org', 123)",
    );
    // By another program.
    scene.mongo.insert(&scene.database, "t", doc! { "contact": "ben@example.org", "mobile": 7_i64 });
    let daemon = for_t(&scene)
        .set("rename.mail", "contact")
        .set("rename.phone", "mobile")
        .set("types.phone", "int")
        .set("export.duplicate_key", vec!["mail", "phone"])
        .start();
    let status = wait_completed(&daemon);
    assert_eq!(
        (&status["successful_records"], &status["skipped_records"]),
        (&json!(1), &json!(2)),
        "{status}"
    );
    let document = document_of(&scene, "a");
    assert_eq!(
        (document.get("contact"), document.get("mobile")),
        (Some(&Bson::from("ann@example.org")), Some(&Bson::Int32(123)))
    );
    let indexes = scene.mongo.index_names(&scene.database, "t");
    assert!(indexes.iter().any(|name| name == "mongo_uplink_duplicates_contact_mobile"), "{indexes:?}");
}

#[test]
fn a_name_that_is_taken_is_told_until_it_is_free() {
    let scene = with_table("taken", PEOPLE);
    let daemon = for_t(&scene).set("rename.name", "title").set("constants.site", "north").start();
    wait_completed(&daemon);
    scene.app.execute("ALTER TABLE t ADD COLUMN site TEXT; INSERT INTO t (name) VALUES ('Cid')");
    let told = waiting_for(&daemon);
    assert!(told.contains(r#"column "site" can't be exported"#) && told.contains("constant"), "{told}");
    scene.app.execute("ALTER TABLE t RENAME COLUMN site TO place");
    wait_for(&scene, doc! { "title": "Cid", "site": "north", "place": null });
}

#[test]
fn a_column_that_the_table_lacks_is_told_once_and_stops_nothing() {
    let scene = with_table("lacking", PEOPLE);
    let daemon = for_t(&scene)
        .set("columns.exclude", vec!["token", "password"])
        .set("types.socre", "int")
        .set("rename.nmae", "title")
        .start();
    wait_completed(&daemon);
    let line = daemon.wait_log_after(Mark::default(), "columns_missing");
    assert_eq!(line.field("columns"), Some(&json!("columns.exclude: token, rename: nmae, types: socre")));
    // An application drops a column.
    scene.app.execute("ALTER TABLE t DROP COLUMN password; INSERT INTO t (name) VALUES ('Cid')");
    wait_for(&scene, doc! { "name": "Cid" });
    let told = daemon.log().all().iter().filter(|line| line.event() == Some("columns_missing")).count();
    assert_eq!(told, 2, "once for each set of columns");
}

#[test]
fn a_slip_in_what_must_not_be_exported_exports_nothing() {
    let scene = with_table("slip", PEOPLE);
    let daemon = for_t(&scene).set("columns.exclude", vec!["passwrod"]).start();
    let told = waiting_for(&daemon);
    assert!(told.contains(r#""passwrod""#) && told.contains(r#"did you mean "password"?"#), "{told}");
    assert_eq!(scene.mongo.count(&scene.database, "t"), 0);
}
