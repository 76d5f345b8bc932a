//! What is logged: stable names, few lines, and nothing about persons or ways in.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use mongodb::bson::doc;
use mongodb::options::IndexOptions;

use crate::scene::{Scene, wait_completed, wait_link};
use crate::support::daemon::Daemon;
use crate::support::mongo::Mongo;
use crate::support::mongod::{Mongod, shared_mongod};
use crate::support::proxy::Proxy;
use crate::support::sqlite::{Inquiry, TABLE};

/// Every event there is. What filters and alarms go by: a name that is here stays.
const EVENTS: [&str; 34] = [
    "accept_failed",
    "collection_uuid_unknown",
    "connections_closed",
    "connectivity_established",
    "connectivity_lost",
    "connectivity_restored",
    "duplicate_columns_missing",
    "export_completed",
    "export_failed",
    "export_started",
    "failed",
    "http_certificate_loaded",
    "http_certificate_unavailable",
    "http_listening",
    "http_refused",
    "http_request",
    "http_unencrypted",
    "index_missing",
    "journal_absent",
    "ledger_failed",
    "ledger_rebuilt",
    "ledger_temporary",
    "panicked",
    "probe_failed",
    "reload_failed",
    "reloaded",
    "request_panicked",
    "restart_needed",
    "source_available",
    "source_unavailable",
    "started",
    "stopped",
    "stopping",
    "target_changed",
];

const USER: &str = "sentinel-user";
const PASSWORD: &str = "s3nt1nel-passw0rd";

/// Everything in the log is structured and named, and nothing of it gives anything away.
#[track_caller]
fn assert_clean(daemon: &Daemon, rows: u32) {
    for line in daemon.log().all() {
        for field in ["time", "level", "event", "message", "target"] {
            assert!(line.field(field).is_some_and(|value| value.is_string()), "{field}: {}", line.text());
        }
        let event = line.event().unwrap_or_default();
        assert!(EVENTS.contains(&event), "an unknown event: {}", line.text());
    }
    let text = daemon.log().text().to_lowercase();
    let give_away = |what: &str| assert!(!text.contains(&what.to_lowercase()), "{what} in\n{text}");
    for what in [USER, PASSWORD, "mongodb://", "mongodb+srv://", "@", "directConnection=", "authSource="] {
        give_away(what);
    }
    for person in (0..rows).map(Inquiry::number) {
        for what in [person.email, person.mobile, Some(person.first_name), Some(person.child_name)] {
            give_away(&what.expect("a person"));
        }
    }
}

#[track_caller]
fn events(daemon: &Daemon) -> BTreeSet<String> {
    daemon.log().all().iter().filter_map(|line| line.event().map(str::to_owned)).collect()
}

/// A server that lets in only who has a password, and a user for it.
fn guarded(directory: &std::path::Path) -> (Mongod, Mongo) {
    let key = directory.join("key");
    fs::write(&key, "c2VudGluZWxTZW50aW5lbA==").expect("our own directory");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("our own file");
    let mongod = Mongod::builder().arg("--keyFile").arg(key.to_str().expect("a readable name")).start();
    let create = doc! { "createUser": USER, "pwd": PASSWORD, "roles": ["root"] };
    // Until there is a user, whoever comes from this host may make one.
    mongod.client().run("admin", create);
    let mongo = Mongo::connect(&with_password(&mongod, PASSWORD));
    (mongod, mongo)
}

fn with_password(mongod: &Mongod, password: &str) -> String {
    mongod.uri().replace("mongodb://", &format!("mongodb://{USER}:{password}@")) + "&authSource=admin"
}

#[test]
fn a_life_with_everything_in_it_gives_nobody_away() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (mongod, mongo) = guarded(directory.path());
    let mut scene = Scene::on(&mongod, "life");
    scene.mongo = mongo;
    // A unique index and a validator of somebody else's: both refuse rows, and the server's texts quote them.
    let unique = IndexOptions::builder().unique(true).build();
    scene.mongo.create_index(&scene.database, TABLE, doc! { "email": 1 }, unique);
    let rule = doc! { "collMod": TABLE, "validator": { "grade": { "$ne": "Grade 7" } } };
    scene.mongo.run(&scene.database, rule);
    scene.app.insert_inquiries(40);
    scene.app.insert_duplicates(5);
    let mut same_email = Inquiry::number(100);
    same_email.email = Inquiry::number(0).email;
    scene.app.insert([same_email]);

    // With a wrong password, and with none at all.
    for wrong in [with_password(&mongod, "s3nt1nel-passw0rd-of-yore"), mongod.uri()] {
        let scene_of_stranger = scene.daemon().set("mongodb.uri", wrong).set("log.filter", "trace").start();
        let link = wait_link(&scene_of_stranger, "failures", |link| link["attempts"].as_u64() > Some(3));
        assert!(["auth", "not_authorized"].map(Into::into).contains(&link["reason"]), "{link}");
        scene_of_stranger.post("/api/export/test-mongodb-connection");
        scene_of_stranger.post("/api/export/sqlite-to-mongodb");
        scene_of_stranger.wait_log("export_failed");
        scene_of_stranger.terminate();
        assert_clean(&scene_of_stranger, 120);
    }

    let uri = with_password(&mongod, PASSWORD);
    let daemon = scene.daemon().set("mongodb.uri", uri).set("log.filter", "trace").start();
    let status = wait_completed(&daemon);
    // Of 40 the grades of 6, 18 and 30 are refused, and the one with somebody else's e-mail.
    let counters = ["successful_records", "failed_records", "duplicate_records"];
    assert_eq!(counters.map(|name| &status[name]), [37, 4, 5], "{status}");
    daemon.get("/api/export/sqlite-data");
    daemon.get(&format!("/{PASSWORD}?email=somebody@example.org"));
    daemon.post("/api/export/sqlite-to-mongodb?batch_size=somebody@example.org");

    mongod.kill();
    scene.app.insert_inquiries(3);
    scene.app.execute("UPDATE chat_inquiry_information SET status = 'closed' WHERE id = 2");
    daemon.wait_log("connectivity_lost");
    mongod.restart();
    daemon.wait_log("connectivity_restored");
    scene.wait_count(40);
    scene.app.execute("ALTER TABLE chat_inquiry_information RENAME TO away");
    daemon.wait_log("source_unavailable");
    scene.app.execute("ALTER TABLE away RENAME TO chat_inquiry_information");
    daemon.wait_log("source_available");
    scene.mongo.drop_collection(&scene.database, TABLE);
    scene.app.insert_inquiries(1);
    daemon.wait_log("target_changed");
    daemon.terminate();
    daemon.wait_log_of_the_dead("stopped");
    assert_clean(&daemon, 120);

    let seen = events(&daemon);
    println!("seen: {seen:?}");
    for event in
        ["started", "export_started", "export_completed", "http_request", "stopping", "http_listening"]
    {
        assert!(seen.contains(event), "{event}");
    }
}

#[test]
fn connection_strings_that_can_not_be_used_are_never_shown() {
    let closed = Proxy::start(1);
    closed.refuse();
    let port = closed.port();
    for uri in [
        format!("mongodb://{USER}:{PASSWORD}@127.0.0.1:{port}/?nonsense={PASSWORD}"),
        format!("mongodb://{USER}:{PASSWORD}@127.0.0.1:{port}/?authMechanism={PASSWORD}"),
        format!("mongodb://{USER}:{PASSWORD}@127.0.0.1:{PASSWORD}/"),
        format!("mongodb://{USER}:{PASSWORD}/{PASSWORD}@127.0.0.1:{port}"),
        format!("mongodb://{USER}:{PASSWORD}@127.0.0.1:{port}/?tls=true&tlsCAFile=/{PASSWORD}"),
        format!("mongodb+srv://{USER}:{PASSWORD}@{PASSWORD}.invalid/"),
        format!("mongodb://{USER}:{PASSWORD}@{PASSWORD}.invalid/"),
        format!("mongodb://{USER}:{PASSWORD}%zz@127.0.0.1:{port}"),
    ] {
        let scene = Scene::new("unusable").by(uri.as_str());
        let daemon = scene.daemon().set("log.filter", "trace").set("probe.timeout", "500ms").start();
        let link = wait_link(&daemon, "failures", |link| link["attempts"].as_u64() > Some(1));
        daemon.post("/api/export/sqlite-to-mongodb");
        let status = daemon.wait_status("a failure", |status| status["status"] == "failed");
        let tested = daemon.post("/api/export/test-mongodb-connection");
        println!("{} {}", link["reason"], link["detail"]);
        for told in [link, status, tested.1] {
            let text = told.to_string();
            assert!(!text.contains("entinel") && !text.contains(PASSWORD), "{text}");
        }
        daemon.terminate();
        assert_clean(&daemon, 0);
    }
}

#[test]
fn a_long_outage_is_a_few_lines() {
    let proxy = Proxy::start(shared_mongod().port());
    proxy.refuse();
    let scene = Scene::new("few").by(proxy.uri());
    let daemon =
        scene.daemon().set("probe.initial_interval", "10ms").set("probe.max_interval", "10ms").start();
    let link = wait_link(&daemon, "many failures", |link| link["attempts"].as_u64() >= Some(150));
    proxy.open();
    daemon.wait_log("connectivity_restored");
    let lines = daemon.log().all();
    let count = |event: &str| lines.iter().filter(|line| line.event() == Some(event)).count();
    assert_eq!(count("connectivity_lost"), 1);
    println!("{} attempts: {} lines in all", link["attempts"], lines.len());
    // The attempts that are powers of two.
    assert!(count("probe_failed") <= 9, "{}", daemon.log().text());
    let told = daemon.wait_log("connectivity_restored");
    assert!(told.field("attempts").and_then(serde_json::Value::as_u64) >= Some(150), "{}", told.text());
}
