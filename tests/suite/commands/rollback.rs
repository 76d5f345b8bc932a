use std::collections::BTreeMap;

use mongo_uplink::config::{Config, Secret, Sources};
use mongo_uplink::target::{Deletion, Target, Written};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::RawDocumentBuf;
use mongodb::bson::{Bson, Document, doc};

use super::{at_a_port, export, run};
use crate::scene::{Scene, wait_completed};
use crate::support::daemon::Daemon;
use crate::support::mongod::shared_mongod;
use crate::support::sqlite::TABLE;
use crate::support::wait::{PATIENCE, eventually};

/// The collection by `_id`.
fn by_id(scene: &Scene) -> BTreeMap<String, Document> {
    let id = |document: &Document| document.get("_id").map(Bson::to_string).unwrap_or_default();
    scene.documents().into_iter().map(|document| (id(&document), document)).collect()
}

fn held(daemon: &Daemon) -> Vec<u64> {
    let page = run(daemon, &["records", "--outcome", "held", "--json"]).json();
    let records = page["records"].as_array().expect("a list").iter();
    records.map(|row| row["key"].as_str().and_then(|key| key.parse().ok()).expect("a number")).collect()
}

fn change(scene: &Scene, key: &str, change: Document) {
    let whose = doc! { "export_metadata.original_sqlite_id": key };
    assert_eq!(scene.mongo.update(&scene.database, TABLE, whose, change), 1);
}

/// Rows 1 to 20 of the first export, 21 to 40 of the second; of these some changed since, by others and by a third one.
fn exported_twice(name: &str) -> (Scene, Daemon, [String; 3]) {
    let mut scene = Scene::new(name);
    let daemon = at_a_port(&scene).prepare();
    scene.app.insert_inquiries(20);
    let first = export(&daemon, &[]);
    scene.app.insert_inquiries(20);
    let second = export(&daemon, &[]);
    change(&scene, "21", doc! { "$set": { "city": "Elsewhere" } });
    change(&scene, "22", doc! { "$set": { "note": "called back" } });
    change(&scene, "23", doc! { "$unset": { "grade": 1 } });
    scene.app.execute(
        "UPDATE chat_inquiry_information SET city = 'Moved', updated_at = '2099-01-01T00:00:00Z' WHERE id = 24",
    );
    let third = export(&daemon, &[]);
    // Other programs' documents, copies of ours among them.
    let ours = doc! { "export_metadata.original_sqlite_id": "30" };
    let mut copy = scene.mongo.find(&scene.database, TABLE, ours).remove(0);
    copy.remove("_id");
    copy.insert("email", "another@example.org");
    let metadata = copy.get_document_mut("export_metadata").expect("metadata");
    metadata.remove("duplicate_key");
    metadata.insert("source", "another host");
    scene.mongo.insert(&scene.database, TABLE, copy);
    scene.mongo.insert(&scene.database, TABLE, doc! { "email": "x@example.org", "export_metadata": "none" });
    scene.mongo.insert(&scene.database, TABLE, doc! { "_id": 7, "export_id": second.as_str() });
    (scene, daemon, [first, second, third])
}

#[test]
fn a_rollback_deletes_what_the_export_inserted_unchanged_and_nothing_else() {
    let (scene, daemon, [_, second, _]) = exported_twice("rollback");
    let before = by_id(&scene);
    let refused = run(&daemon, &["rollback", &second]);
    assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""), "{refused:?}");
    assert!(refused.err.contains("--yes") && by_id(&scene) == before, "{refused:?}");

    let said = run(&daemon, &["rollback", &second, "--yes"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    assert!(
        said.out.contains("20 documents that it inserted are in the collection. 4 of them were changed"),
        "{said:?}"
    );
    assert!(said.out.contains("16 documents were deleted, 4 stay. 16 rows are held"), "{said:?}");
    let mut expected = before.clone();
    expected.retain(|_, document| {
        let metadata = document.get_document("export_metadata").ok();
        let text = |name| metadata.and_then(|metadata| metadata.get_str(name).ok()).unwrap_or_default();
        let number: u32 = text("original_sqlite_id").parse().unwrap_or(0);
        !(text("source") != "another host" && (25..=40).contains(&number))
    });
    assert_eq!(expected.len(), 20 + 4 + 3);
    assert_eq!(by_id(&scene), expected);
    assert_eq!(held(&daemon), (25..=40).collect::<Vec<u64>>());
    let again = run(&daemon, &["rollback", &second, "--yes"]);
    assert!(
        again.code == Some(1) && again.out.contains("Nothing to take back") && by_id(&scene) == expected,
        "{again:?}"
    );

    let verified = run(&daemon, &["verify", "--json"]).json();
    assert_eq!((&verified["held"], &verified["missing"]), (&16.into(), &0.into()), "{verified}");

    // Changed ones on request; what isn't ours stays all the same.
    let said = run(&daemon, &["rollback", &second, "--yes", "--changed-too"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("4 documents were deleted, 0 stay. 4 rows are held"), "{said:?}");
    assert_eq!(scene.count(), 20 + 3);
    assert_eq!(held(&daemon), (21..=40).collect::<Vec<u64>>());
}

#[test]
fn held_rows_are_sent_again_only_when_they_are_released_or_asked_for() {
    let (mut scene, daemon, [first, second, _]) = exported_twice("rollback_held");
    assert_eq!(run(&daemon, &["rollback", &second, "--yes"]).code, Some(0));
    let left = scene.count();
    // A daemon compares every row when it starts; what comes is sent, what is held isn't.
    daemon.start();
    scene.app.insert_inquiries(1);
    scene.wait_count(left + 1);
    daemon.restart();
    scene.app.insert_inquiries(1);
    scene.wait_count(left + 2);
    wait_completed(&daemon);
    assert_eq!((scene.count(), held(&daemon).len()), (left + 2, 16));
    // A changed row is sent as it is now.
    scene.app.execute("UPDATE chat_inquiry_information SET city = 'Moved' WHERE id = 40");
    scene.wait_count(left + 3);
    eventually(PATIENCE, "a record of it", || (held(&daemon).len() == 15).then_some(()));
    assert_eq!(run(&daemon, &["records", "retry"]).out, "15 rejected or held rows will be sent again.\n");
    scene.wait_count(left + 18);
    eventually(PATIENCE, "no row held", || held(&daemon).is_empty().then_some(()));

    // While the daemon runs, it does it itself; and a manual export is an explicit wish.
    wait_completed(&daemon);
    let said = run(&daemon, &["rollback", &first, "--yes"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    assert!(said.out.contains("20 documents were deleted, 0 stay. 20 rows are held"), "{said:?}");
    assert_eq!(scene.count(), left + 18 - 20);
    let line = daemon.wait_log("export_rolled_back");
    assert_eq!((line.field("deleted"), line.field("held")), (Some(&20.into()), Some(&20.into())));
    scene.app.insert_inquiries(1);
    scene.wait_count(left + 18 - 20 + 1);
    assert_eq!(held(&daemon), (1..=20).collect::<Vec<u64>>());
    wait_completed(&daemon);
    assert_eq!(run(&daemon, &["export"]).code, Some(0));
    assert_eq!((scene.count(), held(&daemon).len()), (left + 18 + 1, 0));
}

#[test]
fn duplicates_of_what_is_taken_back_share_its_fate() {
    let mut scene = Scene::new("rollback_duplicates");
    let daemon = at_a_port(&scene).prepare();
    scene.app.insert_inquiries(5);
    let first = export(&daemon, &[]);
    scene.app.insert_duplicates(2);
    export(&daemon, &[]);
    let listed = |outcome: &str| {
        let page = run(&daemon, &["records", "--outcome", outcome, "--json"]).json();
        page["records"].as_array().map_or(0, Vec::len)
    };
    assert_eq!((scene.count(), listed("duplicate")), (5, 2));
    assert_eq!(run(&daemon, &["rollback", &first, "--yes"]).code, Some(0));
    assert_eq!((scene.count(), listed("duplicate"), listed("held")), (0, 0, 7));
    let verified = run(&daemon, &["verify", "--json"]);
    assert_eq!((verified.code, &verified.json()["held"]), (Some(0), &7.into()), "{verified:?}");
    run(&daemon, &["records", "retry"]);
    daemon.start();
    scene.wait_count(5);
    eventually(PATIENCE, "the duplicates", || {
        ((listed("duplicate"), listed("held")) == (2, 0)).then_some(())
    });
}

#[test]
fn an_export_that_nobody_knows_and_an_id_that_is_none_take_nothing_back() {
    let mut scene = Scene::new("rollback_unknown");
    scene.app.insert_inquiries(3);
    let daemon = scene.daemon().prepare();
    export(&daemon, &[]);
    let unknown = run(&daemon, &["rollback", "export_20200101_000000", "--yes"]);
    assert!(unknown.code == Some(1) && unknown.out.contains("Nothing to take back"), "{unknown:?}");
    let none = run(&daemon, &["rollback", "everything", "--yes"]);
    assert!(none.code == Some(2) && none.err.contains("export_20240927_143022"), "{none:?}");
    assert_eq!(scene.count(), 3);
}

#[test]
fn where_columns_are_mapped_the_rows_tell_what_was_written_and_verify_knows_what_arrives() {
    let mut scene = Scene::new("rollback_mapped");
    scene.app.insert_inquiries(6);
    let daemon = scene
        .daemon()
        .set("columns.exclude", vec!["dateOfBirth"])
        .set("rename.city", "town")
        .set("rename.email", "mail")
        .set("types.created_at", "date")
        .set("constants.site", "north")
        .prepare();
    let first = export(&daemon, &[]);
    scene.app.insert_duplicates(1);
    export(&daemon, &[]);
    let verified = run(&daemon, &["verify", "--json"]);
    assert_eq!((verified.code, &verified.json()["same"]), (Some(0), &6.into()), "{verified:?}");
    assert_eq!(verified.json()["duplicates"], 1);
    change(&scene, "2", doc! { "$set": { "town": "Elsewhere" } });
    change(&scene, "3", doc! { "$set": { "note": "called back" } });
    change(&scene, "4", doc! { "$set": { "site": "south" } });
    let verified = run(&daemon, &["verify"]);
    assert!(verified.out.contains("  town\n") && verified.out.contains("  site\n"), "{verified:?}");
    assert!(verified.out.ends_with("2 differ.\n"), "an added field is no difference: {verified:?}");
    // Nobody knows any more what was written of this row.
    scene.app.execute("UPDATE chat_inquiry_information SET city = 'Moved' WHERE id = 5");
    let said = run(&daemon, &["rollback", &first, "--yes"]);
    assert!(
        said.out.contains("6 documents that it inserted are in the collection. 4 of them were changed"),
        "{said:?}"
    );
    assert!(said.out.contains("2 documents were deleted, 4 stay. 2 rows are held"), "{said:?}");
    assert!(held(&daemon).starts_with(&[1, 6]), "{:?}", held(&daemon));
}

#[tokio::test]
async fn what_changed_after_it_was_looked_at_is_not_deleted() {
    let scene = Scene::new("rollback_race");
    let uri = Secret::new(shared_mongod().uri());
    let mut config = Config::load(&Sources::default()).expect("defaults").mongodb;
    config.database.clone_from(&scene.database);
    let target = Target::connect(&config, &uri, PATIENCE).await.expect("it runs");
    let metadata = doc! { "source": "s", "export_id": "export_1" };
    let written = Written { source: "s", export_id: Some("export_1") };
    for (name, before, after) in [
        ("same", Bson::from("a"), Bson::from("a")),
        ("text", "a".into(), "A".into()),
        ("type", Bson::Int32(0), Bson::from("0")),
        ("added", Bson::Undefined, Bson::Null),
    ] {
        let id = ObjectId::new();
        let mut document = doc! { "_id": id, "v": before, "a.b": "$x", "export_metadata": metadata.clone() };
        if name == "added" {
            document.remove("v");
        }
        let mut now = document.clone();
        now.insert("v", after);
        scene.mongo.insert(&scene.database, TABLE, now);
        let seen = RawDocumentBuf::try_from(&document).expect("a document");
        target.delete(&[Deletion::Unchanged(seen)], written).await.expect("no failure");
        let there = target.there(&[id]).await.expect("no failure");
        assert_eq!(there.is_empty(), name == "same", "{name}");
        let other = Written { source: "s", export_id: Some("export_2") };
        target.delete(&[Deletion::Whatever(id)], other).await.expect("no failure");
        assert_eq!(target.there(&[id]).await.expect("no failure"), there, "{name}: another export's");
        target.delete(&[Deletion::Whatever(id)], written).await.expect("no failure");
        assert!(target.there(&[id]).await.expect("no failure").is_empty(), "{name}");
    }
    target.close().await;
}
