use std::net::TcpListener;
use std::time::{Duration, Instant};

use mongodb::bson::doc;
use serde_json::Value;

use super::{Said, export, run};
use crate::scene::Scene;
use crate::support::mongod::Mongod;
use crate::support::ports;
use crate::support::sqlite::TABLE;

/// Promised.
const LIMIT: Duration = Duration::from_secs(15);

fn line(said: &Said, name: &str) -> Value {
    let json = said.json();
    let lines = json["checks"].as_array().expect("a list");
    lines.iter().find(|line| line["name"] == name).unwrap_or_else(|| panic!("no {name}: {json}")).clone()
}

fn verdicts(said: &Said, verdict: &str) -> Vec<String> {
    let json = said.json();
    let lines = json["checks"].as_array().expect("a list").iter();
    let of = lines.filter(|line| line["verdict"] == verdict);
    of.map(|line| line["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn where_all_is_well_a_check_says_so_and_changes_nothing() {
    let mut scene = Scene::new("check_well");
    scene.app.insert_inquiries(3);
    let daemon = scene.daemon().prepare();
    let said = run(&daemon, &["check"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    assert!(said.out.contains("The configuration is valid.\n"), "{said:?}");
    let said = run(&daemon, &["check", "--json"]);
    assert_eq!((said.code, &said.json()["ok"]), (Some(0), &true.into()));
    assert_eq!((verdicts(&said, "fail").len(), verdicts(&said, "unknown").len()), (0, 0), "{said:?}");
    assert_eq!(verdicts(&said, "warn"), ["tls", "login"]);
    assert_eq!(line(&said, "table")["detail"], format!("{TABLE} has 3 rows"));
    assert!(line(&said, "index")["detail"].as_str().expect("words").contains("will be made"));
    assert!(!daemon.directory().join("state").exists(), "no state was made");
    let listed = scene.mongo.run(&scene.database, doc! { "listCollections": 1 });
    let collections = listed.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch"));
    assert!(collections.is_ok_and(Vec::is_empty), "no collection was made");

    export(&daemon, &[]);
    let said = run(&daemon, &["check", "--json"]);
    assert!(line(&said, "index")["detail"].as_str().expect("words").contains("are there"), "{said:?}");
    assert!(line(&said, "state")["detail"].as_str().expect("words").contains("can be written"));
}

#[test]
fn what_is_wrong_fails_in_its_own_line_and_tells_what_to_do() {
    let mut scene = Scene::new("check_wrong");
    scene.app.insert_inquiries(1);
    scene.app.execute(
        "CREATE VIEW v AS SELECT 1; CREATE TABLE nokey (a); CREATE TABLE reused (id INTEGER PRIMARY KEY)",
    );
    let directory = scene.directory.path();
    std::fs::write(directory.join("text"), "no database, but long enough to be looked at".repeat(20))
        .expect("our own");
    let (missing, text) = (directory.join("missing.db"), directory.join("text"));
    let path = |path: &std::path::Path| path.to_str().expect("a readable name").to_owned();
    let closed = format!("mongodb://127.0.0.1:{}", ports::free());
    let state = path(&text.join("state"));
    for (key, value, name, verdict) in [
        ("sqlite.path", path(&missing), "file", "fail"),
        ("sqlite.path", path(&text), "file", "fail"),
        ("sqlite.table", "nothing".to_owned(), "table", "fail"),
        ("sqlite.table", "v".to_owned(), "table", "fail"),
        ("sqlite.table", "nokey".to_owned(), "identity", "warn"),
        ("sqlite.table", "reused".to_owned(), "identity", "warn"),
        ("sqlite.created_column", "made".to_owned(), "columns", "warn"),
        ("sqlite.created_column", "city".to_owned(), "columns", "warn"),
        ("export.duplicate_key", "email,telephone".to_owned(), "duplicates", "warn"),
        ("state.directory", state, "state", "fail"),
        ("mongodb.uri", "mongodb://no-such-host.invalid".to_owned(), "dns", "fail"),
        ("mongodb.uri", closed, "tcp", "fail"),
    ] {
        let daemon = scene.daemon().unset(key).prepare();
        let said = run(&daemon, &["--set", &format!("{key}={value}"), "check", "--json"]);
        let found = line(&said, name);
        assert_eq!(found["verdict"], verdict, "{key}={value}: {said:?}");
        assert!(found["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{found}");
        assert_eq!(said.code, Some(i32::from(verdict == "fail")), "{key}={value}: {said:?}");
        assert!(verdict != "fail" || verdicts(&said, "fail") == [name], "{key}={value}: {said:?}");
    }
    let daemon = scene.daemon().set("export.batch_size", 0).prepare();
    assert_eq!(run(&daemon, &["check", "--json"]).code, Some(78));
}

#[test]
fn a_login_and_each_right_that_is_missing_are_told() {
    let mongod = Mongod::builder().with_login().start();
    let mut scene = Scene::on(&mongod, "check_rights");
    scene.app.insert_inquiries(1);
    let resource = doc! { "db": &scene.database, "collection": TABLE };
    let actions = ["find", "insert"].to_vec();
    let role = doc! { "createRole": "few", "privileges": [{ "resource": resource, "actions": actions }], "roles": [] };
    scene.mongo.run(&scene.database, role);
    let roles = vec![doc! { "role": "few", "db": &scene.database }];
    scene.mongo.run("admin", doc! { "createUser": "few", "pwd": "s3nt1nel", "roles": roles });
    for (password, name, words) in
        [("wrong", "login", "auth: "), ("s3nt1nel", "rights", "the user lacks update")]
    {
        let daemon = scene.daemon().set("mongodb.uri", mongod.uri_as("few", password)).prepare();
        let said = run(&daemon, &["check", "--json"]);
        assert_eq!((said.code, verdicts(&said, "fail")), (Some(1), vec![name.to_owned()]), "{said:?}");
        assert!(
            line(&said, name)["detail"].as_str().is_some_and(|detail| detail.contains(words)),
            "{said:?}"
        );
        assert!(!said.out.contains(password), "{said:?}");
    }
}

#[test]
fn whatever_hangs_a_check_ends_in_time() {
    let mut scene = Scene::new("check_hangs");
    scene.app.insert_inquiries(1);
    // It accepts, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let uri = format!("mongodb://{}", silent.local_addr().expect("it is bound"));
    let daemon = scene
        .daemon()
        .set("mongodb.uri", uri.as_str())
        .set("mongodb.fallback_uris", vec![uri.clone(), uri.clone()])
        .prepare();
    let begun = Instant::now();
    let said = run(&daemon, &["check", "--json"]);
    assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    assert_eq!((said.code, verdicts(&said, "fail")), (Some(1), vec!["server".to_owned()]), "{said:?}");
    assert_eq!(verdicts(&said, "warn").iter().filter(|name| *name == "fallback").count(), 2, "{said:?}");
}
