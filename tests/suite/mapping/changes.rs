//! A mapping that is changed on a collection that is in use.

use mongodb::bson::{Bson, DateTime, Document, doc};

use super::{document_of, for_t, wait_for, with_table};
use crate::scene::{Scene, wait_completed};
use crate::support::daemon::{Builder, Daemon};

const ORDERS: &str = "
    CREATE TABLE t (id TEXT PRIMARY KEY, created_at TEXT, updated_at INTEGER, total TEXT);
    INSERT INTO t VALUES ('a', '2024-01-01 10:00:00', 1704103200, '5.00'), ('b', '2024-01-02 10:00:00', NULL, '6.00')";

/// Starts a daemon in place of another: with its own memory, which the new one doesn't have.
#[track_caller]
fn exported(builder: Builder) -> Daemon {
    let daemon = builder.start();
    wait_completed(&daemon);
    daemon
}

/// The same daemon with another configuration, and what it remembers.
#[track_caller]
fn with_memory(scene: &Scene, configure: impl Fn(Builder) -> Builder) -> Daemon {
    let state = scene.directory.path().join("state");
    exported(configure(for_t(scene).set("state.directory", state.to_str().expect("a readable name"))))
}

fn ids(scene: &Scene) -> Vec<Bson> {
    scene.mongo.find_all(&scene.database, "t").iter().filter_map(|d| d.get("_id").cloned()).collect()
}

fn without_metadata(mut document: Document) -> Document {
    document.remove("_id");
    document.remove("export_metadata");
    document
}

#[test]
fn a_changed_mapping_writes_every_row_over_its_own_copy() {
    let scene = with_table("remapped", ORDERS);
    drop(with_memory(&scene, |builder| builder));
    let before = ids(&scene);
    let mapped = |builder: Builder| {
        builder
            .set("types.created_at", "date")
            .set("types.total", "decimal")
            .set("rename.total", "sum")
            .set("constants.site", "north")
    };
    let daemon = with_memory(&scene, mapped);
    assert_eq!(ids(&scene), before, "no row is another");
    let expected = doc! {
        "id": "a", "created_at": DateTime::from_millis(1_704_103_200_000), "updated_at": 1_704_103_200,
        // Its name of before.
        "total": "5.00",
        "sum": Bson::Decimal128("5.00".parse().expect("a decimal")), "site": "north",
    };
    assert_eq!(without_metadata(document_of(&scene, "a")), expected);
    let settled = document_of(&scene, "a");
    drop(daemon);
    // Nothing changed any more: with its memory, and without.
    drop(with_memory(&scene, |builder| mapped(builder).set("constants.extra", 1)));
    assert_eq!(document_of(&scene, "b").get("extra"), Some(&Bson::Int32(1)));
    drop(with_memory(&scene, mapped));
    let daemon = exported(mapped(for_t(&scene)));
    assert_eq!(ids(&scene), before);
    let status = daemon.status();
    assert_eq!(
        (&status["successful_records"], &status["skipped_records"]),
        (&0.into(), &2.into()),
        "{status}"
    );
    let metadata = |document: &Document, name: &str| {
        document.get_document("export_metadata").expect("metadata").get(name).cloned()
    };
    assert_eq!(metadata(&document_of(&scene, "a"), "content"), metadata(&settled, "content"));
}

#[test]
fn with_updates_never_a_changed_mapping_changes_no_copy() {
    let scene = with_table("never", ORDERS);
    drop(with_memory(&scene, |builder| builder));
    let before = scene.mongo.find_all(&scene.database, "t");
    let daemon =
        with_memory(&scene, |builder| builder.set("export.updates", "never").set("constants.site", "north"));
    assert_eq!(scene.mongo.find_all(&scene.database, "t"), before);
    scene.app.execute("INSERT INTO t (id) VALUES ('c')");
    wait_for(&scene, doc! { "id": "c", "site": "north" });
    drop(daemon);
}

#[test]
fn a_copy_that_is_newer_by_its_converted_and_renamed_time_stays() {
    let scene = with_table("newer", ORDERS);
    let daemon =
        exported(for_t(&scene).set("types.updated_at", "date").set("rename.updated_at", "changedAt"));
    let later = DateTime::from_millis(1_704_103_200_001);
    let touch = doc! { "$set": { "changedAt": later, "total": "theirs" } };
    scene.mongo.update(&scene.database, "t", doc! { "id": "a" }, touch);
    scene.app.execute("UPDATE t SET total = 'ours'");
    // The other row's copy has no time of which anybody could say that it is newer.
    wait_for(&scene, doc! { "id": "b", "total": "ours" });
    assert_eq!(document_of(&scene, "a").get("total"), Some(&Bson::from("theirs")));
    scene.app.execute("UPDATE t SET updated_at = updated_at + 1 WHERE id = 'a'");
    wait_for(&scene, doc! { "id": "a", "total": "ours" });
    drop(daemon);
}

#[test]
fn rows_without_a_key_keep_their_ids_whatever_is_left_out_of_them() {
    let scene = with_table(
        "keyless",
        "CREATE TABLE t (v TEXT, secret TEXT);
         INSERT INTO t VALUES ('x', '1'), ('x', '2'), ('x', '2'), ('y', '3'), ('x', '1')",
    );
    drop(with_memory(&scene, |builder| builder));
    let before = ids(&scene);
    assert_eq!(before.len(), 5);
    drop(with_memory(&scene, |builder| builder.set("columns.exclude", vec!["secret"])));
    assert_eq!(ids(&scene), before);
}
