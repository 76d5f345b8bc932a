use mongodb::bson::doc;
use serde_json::{Value, json};

use super::{Said, at_a_port, export, run};
use crate::scene::{Scene, wait_completed};
use crate::support::daemon::Daemon;
use crate::support::sqlite::TABLE;
use crate::support::wait::PATIENCE;
use crate::support::wait::eventually;

fn counts(said: &Said, names: &[&str]) -> Vec<u64> {
    let json = said.json();
    names.iter().map(|name| json[name].as_u64().unwrap_or_else(|| panic!("no {name}: {json}"))).collect()
}

#[track_caller]
fn verify(daemon: &Daemon) -> Said {
    let said = run(daemon, &["verify", "--json"]);
    assert_eq!(said.err, "", "{said:?}");
    said
}

#[test]
fn one_changed_byte_among_thousands_of_rows_is_found_and_its_value_isn_t_told() {
    let mut scene = Scene::new("verify_byte");
    scene.app.insert_inquiries(5_000);
    let daemon = scene.daemon().prepare();
    export(&daemon, &["--batch-size", "1000"]);
    let good = run(&daemon, &["verify"]);
    assert_eq!((good.code, good.err.as_str()), (Some(0), ""), "{good:?}");
    assert!(
        good.out.ends_with("5000 rows: 5000 are in MongoDB as they are here\nNothing differs.\n"),
        "{good:?}"
    );

    let whose = doc! { "export_metadata.original_sqlite_id": "3210" };
    let document = scene.mongo.find(&scene.database, TABLE, whose.clone()).remove(0);
    let email = document.get_str("email").expect("a text").replace("@example.org", "@exbmple.org");
    scene.mongo.update(&scene.database, TABLE, whose, doc! { "$set": { "email": &email, "other": 1 } });
    let bad = run(&daemon, &["verify"]);
    assert_eq!((bad.code, bad.err.as_str()), (Some(1), ""), "{bad:?}");
    let id = document.get_object_id("_id").expect("an id").to_hex();
    assert!(bad.out.contains(&format!("different  3210  {id}  email\n")), "{bad:?}");
    assert!(
        bad.out.ends_with("1 differ.\n") && !bad.out.contains("example") && !bad.out.contains("exbmple"),
        "{bad:?}"
    );
    let bad = verify(&daemon);
    assert_eq!(counts(&bad, &["rows", "same", "different", "missing", "extra"]), [5000, 4999, 1, 0, 0]);
    let difference = json!({ "kind": "different", "key": "3210", "id": id, "columns": ["email"], "why": "" });
    assert_eq!((&bad.json()["verified"], &bad.json()["differences"]), (&false.into(), &json!([difference])));
}

#[test]
fn rows_that_are_left_out_for_a_reason_are_counted_apart_and_a_duplicate_needs_its_leader() {
    let mut scene = Scene::new("verify_apart");
    let validator = doc! { "city": { "$ne": "Nowhere" } };
    scene.mongo.run(&scene.database, doc! { "create": TABLE, "validator": validator });
    scene.app.insert_inquiries(30);
    scene.app.execute("UPDATE chat_inquiry_information SET city = 'Nowhere' WHERE id = 6");
    scene.app.execute(
        "UPDATE chat_inquiry_information SET email = 'a@example.org', mobile = '1' WHERE id IN (20, 21, 22)",
    );
    let daemon = scene.daemon().prepare();
    export(&daemon, &[]);
    let names = ["rows", "same", "duplicates", "rejected", "held", "missing", "different", "extra"];
    let said = verify(&daemon);
    assert_eq!((said.code, counts(&said, &names)), (Some(0), vec![30, 27, 2, 1, 0, 0, 0, 0]));

    // Without the memory a duplicate is known by its leader; why a row was refused nobody knows.
    let lost = scene.directory.path().join("lost");
    let set = format!("state.directory={}", lost.display());
    let said = run(&daemon, &["--set", &set, "verify", "--json"]);
    assert_eq!((said.code, counts(&said, &names)), (Some(1), vec![30, 27, 2, 0, 0, 1, 0, 0]));
    assert_eq!(said.json()["ledger"], false);
    assert!(!lost.exists(), "it makes nothing");

    // A row that goes, one that comes, a document that is deleted, and one with which its duplicates lose their leader.
    scene.app.execute("DELETE FROM chat_inquiry_information WHERE id = 3");
    scene.app.insert_inquiries(1);
    for key in ["9", "20"] {
        scene.mongo.delete(&scene.database, TABLE, doc! { "export_metadata.original_sqlite_id": key });
    }
    // Another host's document is nobody's extra.
    scene.mongo.insert(&scene.database, TABLE, doc! { "export_metadata": { "source": "another" } });
    let said = verify(&daemon);
    assert_eq!((said.code, counts(&said, &names)), (Some(1), vec![30, 24, 0, 1, 0, 5, 0, 1]));
    let json = said.json();
    let why: Vec<(&str, &str)> = json["differences"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|found| (found["key"].as_str().unwrap_or(""), found["why"].as_str().unwrap_or("")))
        .collect();
    for (key, words) in [
        ("9", "its document is gone"),
        ("20", "its document is gone"),
        ("21", "no document has its duplicate key"),
        ("22", "no document has its duplicate key"),
        ("31", "it isn't sent yet"),
        ("3", "no row has this _id"),
    ] {
        assert!(why.iter().any(|(of, why)| *of == key && why.contains(words)), "{key}: {why:?}");
    }
    let few = run(&daemon, &["verify", "--limit", "2"]);
    assert!(few.out.contains("4 more aren't listed: --limit\n6 differ.\n"), "{few:?}");
    export(&daemon, &[]);
    let said = verify(&daemon);
    assert_eq!(
        (said.code, counts(&said, &names)),
        (Some(1), vec![30, 27, 2, 1, 0, 0, 0, 1]),
        "the deleted row's is left"
    );
}

#[test]
fn equal_rows_without_a_key_and_keys_of_several_columns_are_compared_each_with_its_own() {
    for (name, table) in [
        ("verify_ranks", "CREATE TABLE t (a, b)"),
        ("verify_keys", "CREATE TABLE t (a, b, c AS (1), PRIMARY KEY (a, b)) WITHOUT ROWID"),
    ] {
        let scene = Scene::new(name);
        scene.app.execute(table);
        for row in ["1, X'ff'", "1, CAST(X'ff' AS TEXT)", "'x', 0.5", "'x', -0.0", "9223372036854775807, ''"]
        {
            scene.app.execute(&format!("INSERT INTO t VALUES ({row})"));
        }
        if name == "verify_ranks" {
            scene.app.execute("INSERT INTO t SELECT * FROM t");
        }
        let daemon = scene.daemon().set("sqlite.table", "t").prepare();
        export(&daemon, &[]);
        let said = verify(&daemon);
        let rows = scene.mongo.count(&scene.database, TABLE);
        assert_eq!((said.code, counts(&said, &["rows", "same"])), (Some(0), vec![rows, rows]), "{said:?}");
        scene.mongo.update(
            &scene.database,
            TABLE,
            doc! { "a": "x", "b": 0.5 },
            doc! { "$set": { "b": 0.25 } },
        );
        let said = verify(&daemon);
        assert_eq!(said.json()["differences"][0]["columns"], json!(["b"]), "{said:?}");
    }
}

#[test]
fn a_table_that_is_written_to_and_exported_meanwhile_is_verified_without_a_false_alarm() {
    let mut scene = Scene::new("verify_live");
    scene.app.insert_inquiries(1_500);
    let daemon = at_a_port(&scene).set("export.batch_size", 500).start();
    scene.wait_count(1_500);
    wait_completed(&daemon);
    for _ in 0..3 {
        let mut verifying = daemon.command().args(["verify", "--json"]).spawn().expect("the program starts");
        let mut turn = 0;
        eventually(PATIENCE, "the verification's end", || {
            turn += 1;
            if turn <= 100 {
                scene.app.insert_inquiries(1);
                let set = "UPDATE chat_inquiry_information SET city = city || 'x', updated_at = strftime('%Y-%m-%dT%H:%M:%fZ')";
                scene.app.execute(&format!("{set} WHERE id = {}", 1 + turn * 13));
            }
            verifying.try_wait().expect("our own child")
        });
        let said = Said::of(verifying.wait_with_output().expect("our own child"));
        assert_eq!((said.code, &said.json()["verified"]), (Some(0), &Value::Bool(true)), "{said:?}");
    }
}
