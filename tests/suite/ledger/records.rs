use std::process::Output;

use mongodb::bson::doc;
use serde_json::Value;

use super::{Scene, export, records};
use crate::support::daemon::Daemon;
use crate::support::sqlite::{Inquiry, TABLE};
use crate::support::wait::{PATIENCE, eventually};

/// A collection that takes nobody from Nowhere, with 30 rows of which the sixth is from there.
fn choosy(name: &str) -> Scene {
    let mut scene = Scene::new(name);
    let validator = doc! { "city": { "$ne": "Nowhere" } };
    scene.mongo.run(&scene.database, doc! { "create": TABLE, "validator": validator });
    scene.app.insert_inquiries(30);
    scene.app.execute("UPDATE chat_inquiry_information SET city = 'Nowhere' WHERE id = 6");
    scene
}

#[track_caller]
fn wait_attempts(daemon: &Daemon, attempts: u64) -> Value {
    eventually(PATIENCE, &format!("{attempts} attempts"), || {
        let mut rejected = records(daemon, "?outcome=rejected");
        assert!(rejected.len() <= 1, "{rejected:?}");
        rejected.pop().filter(|row| row["attempts"] == attempts)
    })
}

fn run(daemon: &Daemon, arguments: &[&str]) -> Output {
    daemon.command().args(arguments).output().expect("the program starts")
}

#[track_caller]
fn said(daemon: &Daemon, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = run(daemon, arguments);
    assert!(status.success(), "{status}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("text")
}

#[test]
fn a_rejected_row_is_tried_again_only_when_there_is_a_reason() {
    let mut scene = choosy("rejected");
    let daemon = scene.builder().start();
    let first = wait_attempts(&daemon, 1);
    assert_eq!(
        (&first["key"], &first["code"], &first["outcome"]),
        (&"6".into(), &121.into(), &"rejected".into())
    );
    assert_eq!(first["first_at"], first["last_at"]);

    // Other rows that come, a restart, and comparisons of every row are none.
    for count in 31..36 {
        scene.app.insert_inquiries(1);
        eventually(PATIENCE, "the new row", || (scene.count() == count - 1).then_some(()));
    }
    daemon.restart();
    scene.app.insert_inquiries(1);
    eventually(PATIENCE, "the new row", || (scene.count() == 35).then_some(()));
    assert_eq!(wait_attempts(&daemon, 1)["last_at"], first["last_at"]);

    // A retry on request, a manual export and a change of the row are.
    let (code, body) = daemon.post("/api/export/records/retry");
    assert_eq!((code, &body["data"]["released"]), (200, &1.into()), "{body}");
    let second = wait_attempts(&daemon, 2);
    assert_eq!(second["first_at"], first["first_at"]);
    assert!(second["last_at"].as_str() > first["last_at"].as_str());
    assert_eq!(export(&daemon)["failed_records"], 1);
    wait_attempts(&daemon, 3);
    scene.app.execute("UPDATE chat_inquiry_information SET grade = 'Grade 0' WHERE id = 6");
    wait_attempts(&daemon, 4);

    scene.app.execute("UPDATE chat_inquiry_information SET city = 'Ashford' WHERE id = 6");
    scene.wait_delivered(&daemon);
    assert_eq!(records(&daemon, ""), Vec::<Value>::new());
}

#[test]
fn a_released_row_that_is_fine_now_is_exported_and_leaves_the_list() {
    let scene = choosy("released");
    let daemon = scene.builder().start();
    wait_attempts(&daemon, 1);
    scene.mongo.run(&scene.database, doc! { "collMod": TABLE, "validator": {} });
    assert_eq!(said(&daemon, &["records", "retry"]), "1 rejected or held rows will be sent again.\n");
    scene.wait_delivered(&daemon);
    eventually(PATIENCE, "an empty list", || records(&daemon, "").is_empty().then_some(()));
}

#[test]
fn the_command_line_lists_and_releases_without_the_daemon() {
    let scene = choosy("offlinelist");
    let daemon = scene.builder().prepare();
    let nothing = run(&daemon, &["records"]);
    assert_eq!(nothing.status.code(), Some(1), "there is no ledger yet");
    daemon.start();
    wait_attempts(&daemon, 1);
    let while_it_runs = said(&daemon, &["records", "--json"]);
    daemon.terminate();
    assert_eq!(said(&daemon, &["records", "--json"]), while_it_runs);
    let page: Value = serde_json::from_str(&while_it_runs).unwrap();
    assert_eq!((&page["records"][0]["key"], &page["next"]), (&"6".into(), &Value::Null));
    let table = said(&daemon, &["records", "--outcome", "rejected"]);
    assert!(
        table.lines().nth(1).is_some_and(|row| row.starts_with("6 ") && row.contains("validator")),
        "{table}"
    );
    assert!(!said(&daemon, &["records", "--outcome", "duplicate"]).contains("validator"));

    assert!(said(&daemon, &["records", "retry"]).starts_with("1 "));
    scene.mongo.run(&scene.database, doc! { "collMod": TABLE, "validator": {} });
    daemon.start();
    scene.wait_delivered(&daemon);
}

#[test]
fn a_duplicate_names_the_document_that_it_duplicates_whatever_its_id_is() {
    let mut scene = Scene::new("duplicates");
    let theirs = Inquiry::number(3);
    let document = doc! { "_id": "crm-3", "email": theirs.email, "mobile": theirs.mobile };
    scene.mongo.insert(&scene.database, TABLE, document);
    scene.app.insert_inquiries(10);
    scene.app.insert_duplicates(2);
    let daemon = scene.builder().start();
    let told = eventually(PATIENCE, "three duplicates", || {
        Some(records(&daemon, "?outcome=duplicate")).filter(|told| told.len() == 3)
    });
    assert_eq!((&told[0]["key"], &told[0]["duplicate_of"]), (&"4".into(), &"crm-3".into()));
    let first = &scene.mongo.find(&scene.database, TABLE, doc! { "id": 1 })[0];
    let id = first.get_object_id("_id").unwrap().to_hex();
    assert_eq!(told[1]["duplicate_of"]["$oid"], id);
    assert_eq!((&told[1]["code"], &told[1]["attempts"]), (&Value::Null, &1.into()));
    assert_eq!(records(&daemon, "?outcome=rejected"), Vec::<Value>::new());

    let mut keys = Vec::new();
    let mut after = String::new();
    loop {
        let (_, body) = daemon.get(&format!("/api/export/records?limit=1{after}"));
        keys.extend(body["data"]["records"].as_array().unwrap().iter().map(|row| row["key"].clone()));
        let Some(next) = body["data"]["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(keys, ["4", "11", "12"]);
    assert_eq!(daemon.get("/api/export/records?after=nonsense").0, 422);
}
