//! No connection string, however well or badly formed, shows its password anywhere, and no row anything of a person.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::thread;

use mongodb::bson::doc;
use mongodb::options::IndexOptions;

use crate::scene::{Scene, wait_completed};
use crate::support::daemon::Daemon;
use crate::support::mongod::shared_mongod;
use crate::support::proxy::Proxy;
use crate::support::sqlite::{App, Inquiry, TABLE};
use crate::support::wait::{PATIENCE, eventually};

/// What must not be seen anywhere.
const SENTINEL: &str = "S3nt1nel";

/// Everything that logs, at its most talkative.
const FILTER: &str = "trace,mongodb=trace,hickory_resolver=trace,hickory_proto=trace,hickory_net=trace,rustls=trace,\
                      tokio=trace,mio=trace,hyper=trace,axum=trace,figment=trace";

fn strings() -> Vec<String> {
    let port = shared_mongod().port();
    [
        "mongodb://user:S3nt1nel@127.0.0.1:PORT/?directConnection=true",
        "mongodb://user:S3nt1nel@127.0.0.1:1/",
        "mongodb://user:S3nt1nel@nowhere.invalid/db?authSource=admin",
        "mongodb://user:S3nt1nel@127.0.0.1:PORT/?tls=true",
        "mongodb://user:S3nt1nel@127.0.0.1:PORT/?tls=true&tlsCAFile=/nowhere",
        "mongodb://user:S3nt1nel@127.0.0.1:PORT/?authMechanism=PLAIN&authSource=$external",
        "mongodb://user:S3nt1nel@127.0.0.1:PORT/?authMechanism=S3nt1nel",
        "mongodb://user:S3nt1nel@127.0.0.1:PORT/?replicaSet=other",
        "mongodb://user@127.0.0.1:PORT/?appName=S3nt1nel",
        "mongodb://:S3nt1nel@127.0.0.1:PORT/",
        "mongodb://S3nt1nel@127.0.0.1:PORT/",
        "mongodb://user:S3nt1nel@",
        "mongodb://user:S3nt1nel",
        "mongodb://user:S3nt1nel@/db",
        "mongodb://user:a@S3nt1nel@127.0.0.1:PORT/",
        "mongodb://user:a/S3nt1nel@127.0.0.1:PORT/",
        "mongodb://user:a:S3nt1nel@127.0.0.1:PORT/",
        "mongodb://user:a%S3nt1nel@127.0.0.1:PORT/",
        "mongodb://user:%ff%S3nt1nel%@127.0.0.1:PORT/",
        "mongodb://user:a?S3nt1nel@127.0.0.1:PORT/",
        "mongodb://user:a#S3nt1nel@127.0.0.1:PORT/",
        "mongodb://user:S3nt1nel@127.0.0.1:port/",
        "mongodb://user:S3nt1nel@127.0.0.1:99999/",
        "mongodb://user:S3nt1nel@127.0.0.1:PORT/?w=S3nt1nel&maxPoolSize=S3nt1nel",
        "mongodb://user:S3nt1nel@127.0.0.1:PORT/?S3nt1nel",
        "mongodb://user:S3nt1nel@127.0.0.1:PORT/?S3nt1nel=S3nt1nel&readPreference=S3nt1nel",
        "mongodb+srv://user:S3nt1nel@cluster.example.invalid/",
        "mongodb+srv://user:S3nt1nel@cluster.example.invalid:27017/",
        "mongodb+srv://user:S3nt1nel@one.example.invalid,two.example.invalid/",
        "mongodb+srv://user:a@S3nt1nel@cluster.example.invalid/",
        "mongodb+srv://user:S3nt1nel@",
    ]
    .iter()
    .map(|uri| uri.replace("PORT", &port.to_string()))
    .collect()
}

/// Runs a daemon with this connection string until it has tried it; everything it says, anywhere.
fn everything_said(uri: &str) -> String {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let app = App::create(directory.path());
    let notified = directory.path().join("notify");
    let manager = UnixDatagram::bind(&notified).expect("our own directory");
    manager.set_nonblocking(true).expect("our own socket");
    let daemon = Daemon::builder(app.path(), uri)
        .env("NOTIFY_SOCKET", notified.to_str().expect("a readable name"))
        .set("mongodb.fallback_uris", vec![uri.to_owned()])
        .set("probe.timeout", "1s")
        .set("log.filter", FILTER)
        .prepare();
    let check =
        daemon.command().args(["check", "--configuration"]).output().expect("the daemon's program starts");
    let mut said = String::from_utf8_lossy(&[check.stdout, check.stderr].concat()).into_owned();
    if check.status.success() {
        daemon.start();
        eventually(PATIENCE, "the first probe", || {
            ["connectivity_lost", "connectivity_established"]
                .iter()
                .find_map(|event| daemon.log().find(Default::default(), event))
        });
        said += &daemon.post("/api/export/test-mongodb-connection").1.to_string();
        said += &daemon.post("/api/export/sqlite-to-mongodb").1.to_string();
        said += &all_answers(&daemon);
        for seen_by_others in ["cmdline", "environ", "comm", "status"] {
            let path = format!("/proc/{}/{seen_by_others}", daemon.pid());
            said += &String::from_utf8_lossy(&fs::read(path).expect("it runs"));
        }
        daemon.terminate();
        said += &content_of(&daemon.directory().join("state"));
    }
    let mut message = [0; 4096];
    while let Ok(length) = manager.recv(&mut message) {
        said += &String::from_utf8_lossy(&message[..length]);
    }
    said + &daemon.log().text()
}

/// What every endpoint answers that isn't there to show rows.
fn all_answers(daemon: &Daemon) -> String {
    let paths = ["/live", "/ready", "/metrics", "/nowhere", "/api/export/status", "/api/export/connectivity"];
    let more = ["/api/export/history", "/api/export/records?limit=1000", "/api/export/records?limit=0"];
    paths.iter().chain(&more).map(|path| daemon.get_text(path).1).collect()
}

/// All bytes of all files in a folder.
fn content_of(folder: &Path) -> String {
    let files = fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("it is there").path());
    files
        .filter_map(|file| fs::read(file).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect()
}

#[test]
fn no_connection_string_shows_its_password_anywhere() {
    let strings = strings();
    assert!(strings.len() >= 25 && strings.iter().all(|uri| uri.contains(SENTINEL)));
    thread::scope(|scope| {
        for part in strings.chunks(strings.len().div_ceil(3)) {
            scope.spawn(move || {
                for uri in part {
                    let said = everything_said(uri);
                    assert!(!said.is_empty());
                    let place = said
                        .find(SENTINEL)
                        .map(|at| &said[at.saturating_sub(200)..(at + 20).min(said.len())]);
                    assert_eq!(place, None, "{uri}");
                }
            });
        }
    });
}

/// What must not be seen of a person, in lower case.
fn persons(numbers: std::ops::Range<u32>) -> Vec<String> {
    let of =
        |person: Inquiry| [person.email, person.mobile, Some(person.first_name), Some(person.child_name)];
    numbers.map(Inquiry::number).flat_map(of).flatten().map(|text| text.to_lowercase()).collect()
}

#[test]
fn nothing_of_a_person_is_told_though_mongodb_quotes_the_document_that_it_refuses() {
    let proxy = Proxy::start(shared_mongod().port());
    let mut scene = Scene::new("persons").by(proxy.uri());
    let (database, mongo) = (scene.database.clone(), scene.mongo.clone());
    // Unique indexes of somebody else's, on one and on several fields, and a validator that tells in detail why.
    let unique = IndexOptions::builder().unique(true).build();
    for keys in [doc! { "firstName": 1 }, doc! { "mobile": 1, "childName": 1 }] {
        mongo.create_index(&database, TABLE, keys, unique.clone());
    }
    let schema = doc! { "$jsonSchema": {
        "required": ["email"],
        "properties": { "email": { "pattern": "^[^7]*$", "description": "no seven" }, "mobile": { "maxLength": 20 } },
    } };
    mongo.run(&database, doc! { "collMod": TABLE, "validator": schema });
    scene.app.insert_inquiries(60);
    let mut same_name = Inquiry::number(70);
    same_name.first_name = Inquiry::number(1).first_name;
    let mut same_child = Inquiry::number(71);
    (same_child.mobile, same_child.child_name) = (Inquiry::number(2).mobile, Inquiry::number(2).child_name);
    let mut long = Inquiry::number(80);
    long.mobile = Some(format!("{}{}", Inquiry::number(80).mobile.expect("a mobile"), "0".repeat(30)));
    scene.app.insert([same_name, same_child, long]);
    scene.app.insert_duplicates(3);
    let daemon = scene.daemon().set("log.filter", FILTER).set("export.batch_size", 7).start();
    let status = wait_completed(&daemon);
    assert!(status["failed_records"].as_u64() > Some(5), "{status}");
    // A changed row that is refused, a batch that is cut off, a table that is no longer what it was.
    scene.app.execute(&format!(
        "UPDATE {TABLE} SET email = 'a7@b.c', updated_at = '2999-01-01T00:00:00Z' WHERE id = 1"
    ));
    eventually(PATIENCE, "the refused change", || {
        let records = daemon.get_text("/api/export/records?outcome=rejected&limit=1000").1;
        records.contains("\"key\":\"1\"").then_some(())
    });
    proxy.refuse();
    proxy.cut_all();
    scene.app.insert_inquiries(5);
    daemon.wait_log("connectivity_lost");
    let mut said = daemon.post("/api/export/sqlite-to-mongodb").1.to_string();
    scene.app.execute(&format!("ALTER TABLE {TABLE} RENAME TO away"));
    said += &daemon.get_text("/api/export/sqlite-data").1;
    proxy.open();
    daemon.wait_log("source_unavailable");
    said += &all_answers(&daemon);
    daemon.terminate();
    said += &daemon.log().text();
    let said = said.to_lowercase();
    for what in persons(0..90).into_iter().chain(["a7@b.c".to_owned()]) {
        assert!(
            !said.contains(&what),
            "{what}: {:?}",
            said.find(&what).map(|at| &said[at.saturating_sub(300)..at + 50])
        );
    }
}
