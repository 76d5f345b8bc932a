//! No connection string, however well or badly formed, shows its password anywhere.

use std::thread;

use crate::support::daemon::Daemon;
use crate::support::mongod::shared_mongod;
use crate::support::sqlite::App;
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
    let daemon = Daemon::builder(app.path(), uri)
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
        for path in ["status", "connectivity", "sqlite-data"] {
            said += &daemon.get_text(&format!("/api/export/{path}")).1;
        }
        daemon.terminate();
    }
    said + &daemon.log().text()
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
