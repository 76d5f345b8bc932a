//! The collection is dropped, renamed or emptied behind the daemon's back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use mongodb::bson::doc;

use super::{Scene, export, history};
use crate::host::Host;
use crate::support::daemon::Daemon;
use crate::support::mongod::{Mongod, shared_mongod};
use crate::support::proxy::Proxy;
use crate::support::sqlite::{App, TABLE};
use crate::support::wait::{PATIENCE, eventually};

const ROWS: u32 = 250;

type Loss = (&'static str, fn(&Scene));

const LOSSES: [Loss; 3] = [
    ("dropped", |scene| scene.mongo.drop_collection(&scene.database, TABLE)),
    ("dropped with its database", |scene| {
        scene.mongo.run(&scene.database, doc! { "dropDatabase": 1 });
    }),
    ("renamed", |scene| {
        let (from, to) = (format!("{}.{TABLE}", scene.database), format!("{}.away", scene.database));
        scene.mongo.run("admin", doc! { "renameCollection": from, "to": to });
    }),
];

fn delivered(name: &str, online_interval: &str) -> (Scene, Daemon) {
    let mut scene = Scene::new(name);
    scene.app.insert_inquiries(ROWS);
    let daemon = scene.builder().set("probe.online_interval", online_interval).start();
    scene.wait_delivered(&daemon);
    daemon.wait_status("a completed export", |status| status["status"] == "completed");
    (scene, daemon)
}

#[test]
fn a_lost_collection_is_filled_again_at_the_next_re_check_without_a_new_row() {
    for idle in ["60s", "10ms"] {
        for (what, lose) in LOSSES {
            let mut scene = Scene::new("lost");
            scene.app.insert_inquiries(ROWS);
            let builder = scene.builder().set("probe.online_interval", "200ms");
            let daemon = builder.set("mongodb.idle_disconnect", idle).start();
            scene.wait_delivered(&daemon);
            lose(&scene);
            daemon.wait_log("target_changed");
            scene.wait_delivered(&daemon);
            let filled = eventually(PATIENCE, what, || {
                let exports = history(&daemon);
                let ended = exports.iter().filter(|export| export["successful_records"] == ROWS).count();
                (ended == 2).then_some(exports)
            });
            assert!(filled.iter().all(|export| export["trigger"] == "automatic"), "{what}: {filled:?}");
        }
    }
}

#[test]
fn a_lost_collection_is_filled_again_when_a_row_comes() {
    for (_, lose) in LOSSES {
        let (mut scene, daemon) = delivered("lostrow", "1h");
        lose(&scene);
        scene.app.insert_inquiries(1);
        scene.wait_delivered(&daemon);
    }
}

#[test]
fn a_collection_lost_while_the_daemon_is_away_is_filled_again() {
    for (_, lose) in LOSSES {
        let (scene, daemon) = delivered("lostaway", "1h");
        daemon.terminate();
        lose(&scene);
        daemon.start();
        scene.wait_delivered(&daemon);
    }
}

#[test]
fn a_collection_dropped_in_the_middle_of_an_export_is_filled_again() {
    let mut scene = Scene::new("midrun");
    scene.app.insert_inquiries(2_000);
    let proxy = Proxy::start(shared_mongod().port());
    proxy.rate(700_000);
    let daemon = scene
        .builder_at(&proxy.uri())
        .set("export.batch_size", 50)
        .set("probe.online_interval", "1h")
        .start();
    daemon.wait_status("some batches", |status| status["processed_records"].as_u64() >= Some(300));
    scene.mongo.drop_collection(&scene.database, TABLE);
    proxy.open();
    scene.wait_delivered(&daemon);
}

#[test]
fn a_manual_export_whose_collection_is_dropped_under_its_hands_is_not_told_as_completed() {
    let mut scene = Scene::new("drop");
    scene.app.insert_inquiries(2_000);
    let proxy = Proxy::start(shared_mongod().port());
    proxy.rate(700_000);
    let daemon = scene.builder_at(&proxy.uri()).set("export.automatic", false).start();
    daemon.wait_log("connectivity_established");
    let (code, body) = daemon.post("/api/export/sqlite-to-mongodb?batch_size=100");
    assert_eq!(code, 200, "{body}");
    daemon.wait_status("progress", |status| status["processed_records"].as_u64() >= Some(300));
    scene.mongo.drop_collection(&scene.database, TABLE);
    proxy.open();
    let status = daemon.wait_status("its end", |status| status["status"] != "running");
    assert_eq!(status["status"], "failed", "{status}");
    assert!(status["error_message"].as_str().is_some_and(|why| why.contains("dropped")), "{status}");
    export(&daemon);
    assert_eq!(scene.mongo.count(&scene.database, TABLE), 2_000);
}

#[test]
fn an_emptied_collection_is_filled_again_by_a_manual_export() {
    let (mut scene, daemon) = delivered("emptied", "100ms");
    assert_eq!(scene.mongo.delete(&scene.database, TABLE, doc! {}), u64::from(ROWS));
    scene.app.insert_inquiries(1);
    eventually(PATIENCE, "the new row", || (scene.count() == 1).then_some(()));
    let exported = export(&daemon);
    assert_eq!((&exported["successful_records"], &exported["skipped_records"]), (&ROWS.into(), &1.into()));
    scene.is_exact();
}

#[test]
fn without_the_right_to_list_collections_rows_are_carried_and_it_is_said_once() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let key = directory.path().join("key");
    fs::write(&key, "bm90aGluZyBvZiBpbnRlcmVzdA==").expect("our own directory");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("our own file");
    let mongod = Mongod::builder().arg("--keyFile").arg(key.to_str().expect("a readable name")).start();
    let root = mongod.client();
    root.run("admin", doc! { "createUser": "root", "pwd": "secret", "roles": ["root"] });
    root.close();
    let uri = |user: &str| {
        mongod.uri().replace("mongodb://", &format!("mongodb://{user}:secret@")) + "&authSource=admin"
    };
    let root = crate::support::mongo::Mongo::connect(&uri("root"));
    root.run("inquiryassistant", doc! { "create": TABLE });
    let resource = doc! { "db": "inquiryassistant", "collection": TABLE };
    let privileges = vec![doc! { "resource": resource, "actions": ["find", "insert", "update"] }];
    root.run("admin", doc! { "createRole": "narrow", "privileges": privileges, "roles": [] });
    root.run("admin", doc! { "createUser": "narrow", "pwd": "secret", "roles": ["narrow"] });

    let mut app = App::create(directory.path());
    app.insert_inquiries(ROWS);
    let daemon = Daemon::builder(app.path(), &uri("narrow")).set("probe.online_interval", "100ms").start();
    for _ in 0..3 {
        app.insert_inquiries(1);
        let rows = app.count();
        daemon.wait_status("every row", |status| {
            status["status"] == "completed" && root.count("inquiryassistant", TABLE) == rows
        });
    }
    let said = |event| daemon.log().all().iter().filter(|line| line.event() == Some(event)).count();
    assert_eq!((said("collection_uuid_unknown"), said("index_missing"), said("target_changed")), (1, 1, 0));
    assert!(!daemon.log().text().contains("secret"));
}

#[test]
fn a_connection_test_notices_that_the_collection_was_dropped() {
    let mut host = Host::new("dropped").set("probe.online_interval", "1h");
    host.app.insert_inquiries(20);
    host.start();
    host.wait_outcomes(20, 0, 0);
    host.mongo.drop_collection(&host.database, TABLE);
    let (code, answer) = host.daemon().post("/api/export/test-mongodb-connection");
    assert_eq!(code, 200, "{answer}");
    host.wait("all rows", || (host.documents() == 20).then_some(()));
}
