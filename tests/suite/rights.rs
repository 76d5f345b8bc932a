//! What a user in MongoDB must be allowed: the role that the README names, over TLS and with a login, is enough, and each
//! right that is missing is told by its name.

use std::collections::BTreeMap;
use std::path::Path;

use mongodb::bson::{Document, doc};
use serde_json::Value;

use crate::support::certs::{Authority, Validity};
use crate::support::daemon::{Builder, Daemon};
use crate::support::mongo::Mongo;
use crate::support::mongod::Mongod;
use crate::support::sqlite::{App, TABLE};
use crate::support::wait::{PATIENCE, eventually};

const DATABASE: &str = "inquiryassistant";

/// The command that the README tells to run, as it stands there.
fn role_of_the_readme() -> Document {
    let readme = include_str!("../../README.md");
    let (_, script) = readme.split_once("runCommand({").expect("the README has the command");
    let (script, _) = script.split_once("})").expect("the command has an end");
    // A script's object as JSON: names in quotes, no comma before an end.
    let mut json = String::from("{");
    for word in script.split_inclusive([' ', '\n', '{']) {
        let name = word.trim_end().strip_suffix(':').filter(|name| name.chars().all(char::is_alphabetic));
        json += &name.map_or_else(|| word.to_owned(), |name| format!("\"{name}\": "));
    }
    json.push('}');
    let json: String =
        json.split_whitespace().collect::<Vec<_>>().join(" ").replace(", ]", "]").replace(", }", "}");
    let value: Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
    mongodb::bson::serialize_to_document(&value).expect("a command")
}

/// The role, without one of its actions.
fn role_without(action: &str) -> Document {
    let mut role = role_of_the_readme();
    let privileges = role.get_array_mut("privileges").expect("the role has privileges");
    for privilege in privileges.iter_mut().filter_map(|privilege| privilege.as_document_mut()) {
        privilege.get_array_mut("actions").expect("actions").retain(|one| one.as_str() != Some(action));
    }
    privileges.retain(|privilege| {
        let actions = privilege.as_document().and_then(|privilege| privilege.get_array("actions").ok());
        actions.is_some_and(|actions| !actions.is_empty())
    });
    role
}

/// A server that speaks TLS with a certificate of this authority, and wants a login.
fn guarded(authority: &Authority) -> Mongod {
    let server = authority.issue("server", "IP:127.0.0.1", Validity::Now);
    Mongod::builder()
        .with_tls(&server, &authority.ca_file())
        .arg("--tlsAllowConnectionsWithoutCertificates")
        .with_login()
        .start()
}

/// A user `edge` with this role and nothing else.
fn edge(root: &Mongo, role: Document) {
    root.run(DATABASE, role);
    let roles = vec![doc! { "role": "uplink", "db": DATABASE }];
    root.run("admin", doc! { "createUser": "edge", "pwd": "edge", "roles": roles });
}

fn daemon(app: &App, mongod: &Mongod) -> Builder {
    Daemon::builder(app.path(), &mongod.uri_as("edge", "edge")).set("mongodb.database", DATABASE)
}

fn said(daemon: &Daemon, event: &str) -> usize {
    daemon.log().all().iter().filter(|line| line.event() == Some(event)).count()
}

#[test]
fn the_role_of_the_readme_is_enough_over_tls_with_a_private_authority_and_a_password() {
    let authority = Authority::new();
    let mongod = guarded(&authority);
    let root = mongod.client();
    edge(&root, role_of_the_readme());
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut app = App::create(directory.path());
    app.insert_inquiries(30);
    app.insert_duplicates(3);
    let daemon = daemon(&app, &mongod).start();
    daemon.wait_status("an export", |status| {
        status["status"] == "completed"
            && status["successful_records"] == 30
            && status["duplicate_records"] == 3
    });
    assert_eq!(root.index_names(DATABASE, TABLE).len(), 3, "both indexes and the one of _id");
    // A row that changes, a restart, and a collection that is dropped.
    app.execute(&format!(
        "UPDATE {TABLE} SET city = 'Oslo', updated_at = '2999-01-01T00:00:00Z' WHERE id = 1"
    ));
    let changed = || root.count_where(DATABASE, TABLE, doc! { "city": "Oslo" });
    eventually(PATIENCE, "the change", || (changed() == 1).then_some(()));
    daemon.restart();
    root.drop_collection(DATABASE, TABLE);
    app.insert_inquiries(1);
    eventually(PATIENCE, "all rows again", || (root.count(DATABASE, TABLE) == 31).then_some(()));
    let missing = ["index_missing", "collection_uuid_unknown"].map(|event| said(&daemon, event));
    assert_eq!(missing, [0, 0]);
    crate::scene::wait_link(&daemon, "a link", |link| link["state"] == "online");
}

#[test]
fn each_right_that_is_missing_is_told_and_those_that_are_there_are_used() {
    let authority = Authority::new();
    let mongod = guarded(&authority);
    let root = mongod.client();
    let mut seen = BTreeMap::new();
    for action in ["createIndex", "listIndexes", "listCollections", "find", "insert", "update"] {
        root.drop_collection(DATABASE, TABLE);
        root.run(DATABASE, doc! { "create": TABLE });
        edge(&root, role_without(action));
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut app = App::create(directory.path());
        app.insert_inquiries(5);
        let daemon = daemon(&app, &mongod).start();
        let event = match action {
            "createIndex" => "index_missing",
            "listCollections" => "collection_uuid_unknown",
            // An index that is there already may be made again, so that nothing is missed.
            "listIndexes" => "export_completed",
            "update" => "export_completed",
            _ => "connectivity_lost",
        };
        let line = daemon.wait_log(event);
        if event == "connectivity_lost" {
            assert!(line.text().contains("not_authorized"), "{action}: {}", line.text());
            assert_eq!(root.count(DATABASE, TABLE), 0, "{action}");
            assert_eq!(daemon.status()["failed_records"], 0, "{action}: no row is to blame");
        } else {
            eventually(PATIENCE, "all rows", || (root.count(DATABASE, TABLE) == 5).then_some(()));
        }
        seen.insert(action, line.text().to_owned());
        daemon.terminate();
        root.run("admin", doc! { "dropUser": "edge" });
        root.run(DATABASE, doc! { "dropRole": "uplink" });
    }
    for (action, line) in seen {
        println!("{action:>15}: {line}");
    }
}

/// A user who may find and insert and nothing else, and five rows for him.
fn narrow(authority: &Authority, directory: &Path) -> (Mongod, Mongo, App) {
    let mongod = guarded(authority);
    let root = mongod.client();
    root.run(DATABASE, doc! { "create": TABLE });
    let resource = doc! { "db": DATABASE, "collection": TABLE };
    let privileges = vec![doc! { "resource": resource, "actions": ["find", "insert"] }];
    edge(&root, doc! { "createRole": "uplink", "privileges": privileges, "roles": [] });
    let mut app = App::create(directory);
    app.insert_inquiries(5);
    (mongod, root, app)
}

fn change_a_row(app: &mut App) {
    app.execute(&format!(
        "UPDATE {TABLE} SET city = 'Oslo', updated_at = '2999-01-01T00:00:00Z' WHERE id = 1"
    ));
}

#[test]
fn a_user_who_may_only_find_and_insert_is_enough_where_no_row_is_to_be_updated() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let authority = Authority::new();
    let (mongod, root, mut app) = narrow(&authority, directory.path());
    let daemon = daemon(&app, &mongod).set("export.updates", "never").start();
    eventually(PATIENCE, "all rows", || (root.count(DATABASE, TABLE) == 5).then_some(()));
    // Both are said: without them it works, but for what they say.
    daemon.wait_log("index_missing");
    daemon.wait_log("collection_uuid_unknown");
    change_a_row(&mut app);
    app.insert_inquiries(5);
    eventually(PATIENCE, "the new rows", || (root.count(DATABASE, TABLE) == 10).then_some(()));
    assert_eq!(root.count_where(DATABASE, TABLE, doc! { "city": "Oslo" }), 0);
    assert_eq!(
        (said(&daemon, "connectivity_lost"), daemon.status()["failed_records"].as_u64()),
        (0, Some(0))
    );
}

#[test]
fn an_update_that_the_user_may_not_do_is_named_blames_no_row_and_heals_when_it_is_granted() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let authority = Authority::new();
    let (mongod, root, mut app) = narrow(&authority, directory.path());
    let daemon = daemon(&app, &mongod).start();
    eventually(PATIENCE, "all rows", || (root.count(DATABASE, TABLE) == 5).then_some(()));
    change_a_row(&mut app);
    let line = daemon.wait_log("connectivity_lost");
    assert_eq!(line.field("reason").and_then(Value::as_str), Some("not_authorized"), "{}", line.text());
    let detail = line.field("detail").and_then(Value::as_str);
    assert_eq!(detail, Some("the user isn't allowed to do this: update"), "{}", line.text());
    assert_eq!(daemon.status()["failed_records"], 0, "no row is to blame");
    app.insert_inquiries(5);
    let resource = doc! { "db": DATABASE, "collection": TABLE };
    let privileges = vec![doc! { "resource": resource, "actions": ["update"] }];
    root.run(DATABASE, doc! { "grantPrivilegesToRole": "uplink", "privileges": privileges });
    let changed = || root.count_where(DATABASE, TABLE, doc! { "city": "Oslo" });
    eventually(PATIENCE, "everything", || {
        (changed() == 1 && root.count(DATABASE, TABLE) == 10).then_some(())
    });
}

/// The connection string of a client that shows this certificate, and logs in by it.
fn by_certificate(mongod: &Mongod, authority: &Authority, certificate: &Path) -> String {
    format!(
        "mongodb://127.0.0.1:{}/?directConnection=true&authMechanism=MONGODB-X509&authSource=$external&tls=true\
         &tlsCAFile={}&tlsCertificateKeyFile={}",
        mongod.port(),
        authority.ca_file().display(),
        certificate.display()
    )
}

#[test]
fn a_client_certificate_is_a_login() {
    let authority = Authority::new();
    let mongod = guarded(&authority);
    let root = mongod.client();
    root.run(DATABASE, role_of_the_readme());
    let roles = vec![doc! { "role": "uplink", "db": DATABASE }];
    root.run("$external", doc! { "createUser": "CN=edge", "roles": roles });
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut app = App::create(directory.path());
    app.insert_inquiries(5);
    let stranger = authority.issue("stranger", "DNS:edge.example", Validity::Now);
    let strange = Daemon::builder(app.path(), &by_certificate(&mongod, &authority, &stranger)).start();
    let line = strange.wait_log("connectivity_lost");
    assert_eq!(line.field("reason").and_then(Value::as_str), Some("auth"), "{}", line.text());
    strange.terminate();
    let own = authority.issue("edge", "DNS:edge.example", Validity::Now);
    let daemon = Daemon::builder(app.path(), &by_certificate(&mongod, &authority, &own)).start();
    eventually(PATIENCE, "all rows", || (root.count(DATABASE, TABLE) == 5).then_some(()));
    daemon.wait_status("an export", |status| status["successful_records"] == 5);
}
