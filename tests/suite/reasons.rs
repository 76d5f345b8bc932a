//! Why MongoDB can't be used: each cause is brought about for real, and told by its word, in time.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use mongo_uplink::config::{Config, Sources};
use mongo_uplink::report::{Failure, Reason};
use mongo_uplink::target::Ways;
use mongodb::bson::doc;

use crate::support::certs::{Authority, TlsServer, Validity};
use crate::support::daemon::Daemon;
use crate::support::mongo::{Mongo, Role};
use crate::support::mongod::{Mongod, ReplicaSet, fresh_database, shared_mongod};
use crate::support::ports;
use crate::support::runtime::wait_for;
use crate::support::sqlite::App;
use crate::support::talker::{Manner, Talker};
use crate::support::wait::{PATIENCE, eventually};

/// The deadline of a probe in these tests.
const BUDGET: Duration = Duration::from_secs(3);

/// What may come on top of a deadline on a machine with much else to do.
const MARGIN: Duration = Duration::from_millis(500);

/// What is known at once is known within this time.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Connects as a probe does: what came of it, and how long it took.
#[track_caller]
fn probe_on(database: &str, uri: &str) -> (Result<(), Failure>, Duration) {
    let sources = Sources::default()
        .with_override(format!("mongodb.uri={uri}"))
        .with_override(format!("mongodb.database={database}"));
    let config = Config::load(&sources).expect("a valid configuration");
    let ways = Ways::new(config.mongodb, Duration::from_secs(300));
    let begun = Instant::now();
    let result = wait_for(PATIENCE, "probe", async move {
        let target = ways.connect(BUDGET).await?;
        target.close().await;
        Ok(())
    });
    (result, begun.elapsed())
}

/// The failure of a probe, which must have this reason, and these words in its detail.
#[track_caller]
fn expect(uri: &str, reason: Reason, words: &str, within: Duration) {
    let (result, took) = probe_on("reasons", uri);
    let failure = result.expect_err("it can't work");
    println!("{:>15} {:>8.1} ms  {}", reason.as_str(), took.as_secs_f64() * 1000.0, failure.detail);
    assert_eq!(failure.reason, reason, "{failure}");
    assert!(failure.detail.contains(words), "{failure}");
    assert!(took < within, "{reason} took {took:?}");
}

fn plain(port: u16) -> String {
    format!("mongodb://127.0.0.1:{port}/?directConnection=true")
}

fn tls(port: u16, options: &str) -> String {
    format!("mongodb://127.0.0.1:{port}/?directConnection=true&tls=true{options}")
}

#[test]
fn a_name_that_does_not_resolve_is_dns() {
    expect("mongodb://nowhere.invalid", Reason::Dns, "doesn't resolve", BUDGET + MARGIN);
    expect("mongodb+srv://nowhere.example.invalid", Reason::Dns, "SRV", BUDGET + MARGIN);
}

#[test]
fn a_closed_port_is_refused_at_once() {
    expect(&plain(ports::free()), Reason::Refused, "nothing listens", AT_ONCE);
    let set = format!("mongodb://127.0.0.1:{},127.0.0.1:{}/?replicaSet=rs", ports::free(), ports::free());
    expect(&set, Reason::Refused, "nothing listens", AT_ONCE);
}

#[test]
fn silence_is_a_timeout_within_the_deadline_whatever_the_driver_was_told() {
    let silent = Talker::start(Manner::Silent);
    let deaf = Talker::start(Manner::Deaf);
    let long = "&serverSelectionTimeoutMS=60000&connectTimeoutMS=60000&socketTimeoutMS=60000";
    expect(&plain(silent.port()), Reason::Timeout, "doesn't answer in time", BUDGET + MARGIN);
    expect(&(plain(silent.port()) + long), Reason::Timeout, "doesn't answer in time", BUDGET + MARGIN);
    expect(&tls(silent.port(), long), Reason::Timeout, "doesn't answer in time", BUDGET + MARGIN);
    expect(&(plain(deaf.port()) + long), Reason::Timeout, "packets get lost", BUDGET + MARGIN);
}

#[test]
fn a_frozen_server_is_a_timeout() {
    let mongod = Mongod::start();
    mongod.freeze();
    expect(&mongod.uri(), Reason::Timeout, "doesn't answer in time", BUDGET + MARGIN);
    mongod.thaw();
    assert_eq!(probe_on("reasons", &mongod.uri()).0, Ok(()));
}

#[test]
fn whoever_answers_and_is_not_mongodb_is_not_mongodb() {
    for (manner, reason, words) in [
        (Manner::Http, Reason::NotMongodb, "an HTTP server"),
        (Manner::Ssh, Reason::NotMongodb, "an SSH server"),
        (Manner::Closes, Reason::NotMongodb, "closed without an answer"),
        (Manner::Resets, Reason::Disconnected, "reset"),
    ] {
        let talker = Talker::start(manner);
        expect(&plain(talker.port()), reason, words, AT_ONCE);
    }
    let http = Talker::start(Manner::Http);
    expect(&tls(http.port(), ""), Reason::NotMongodb, "an HTTP server", AT_ONCE);
    let ssh = Talker::start(Manner::Ssh);
    expect(&tls(ssh.port(), ""), Reason::NotMongodb, "an SSH server", AT_ONCE);
}

#[test]
fn tls_on_one_side_only_is_told_as_such() {
    let authority = Authority::new();
    let certificate = authority.issue("server", "IP:127.0.0.1", Validity::Now);
    let server = TlsServer::start(&certificate);
    expect(&plain(server.port()), Reason::Tls, "add tls=true", BUDGET + MARGIN);
    expect(&tls(shared_mongod().port(), ""), Reason::Tls, "remove tls=true", AT_ONCE);
}

#[test]
fn each_fault_of_a_certificate_is_told_by_what_to_do() {
    let authority = Authority::new();
    let ca = format!("&tlsCAFile={}", authority.ca_file().display());
    let server = |file: &str, name: &str, validity| TlsServer::start(&authority.issue(file, name, validity));
    let good = server("good", "IP:127.0.0.1", Validity::Now);
    expect(&tls(good.port(), ""), Reason::Tls, "tlsCAFile", AT_ONCE);
    let other = server("other", "DNS:other.example", Validity::Now);
    expect(&tls(other.port(), &ca), Reason::Tls, "another name", AT_ONCE);
    let expired = server("expired", "IP:127.0.0.1", Validity::Past);
    expect(&tls(expired.port(), &ca), Reason::Tls, "expired", AT_ONCE);
    let future = server("future", "IP:127.0.0.1", Validity::Future);
    expect(&tls(future.port(), &ca), Reason::Tls, "clock", AT_ONCE);
    for missing in ["&tlsCAFile=/nowhere/ca.pem", "&tlsCertificateKeyFile=/nowhere/key.pem"] {
        expect(&tls(good.port(), missing), Reason::Tls, "can't be", AT_ONCE);
    }
}

#[test]
fn a_certificate_that_is_not_valid_yet_is_left_behind_when_a_valid_one_comes() {
    let authority = Authority::new();
    let valid = authority.issue("valid", "IP:127.0.0.1", Validity::Now);
    let mongod = Mongod::builder()
        .with_tls(&valid, &authority.ca_file())
        .arg("--tlsAllowConnectionsWithoutCertificates")
        .reserve();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut app = App::create(directory.path());
    app.insert_inquiries(3);
    let future = authority.issue("future", "IP:127.0.0.1", Validity::Future);
    let server = TlsServer::on(mongod.port(), &future);
    let daemon = Daemon::builder(app.path(), &mongod.uri()).start();
    let line = daemon.wait_log("connectivity_lost");
    assert!(line.text().contains("clock"), "{}", line.text());
    drop(server);
    mongod.launch();
    daemon.wait_status("an export", |status| status["successful_records"] == 3);
}

#[test]
fn a_user_who_may_only_read_is_told_at_the_first_write_and_not_asked_in_haste() {
    let mongod = guarded();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut app = App::create(directory.path());
    app.insert_inquiries(3);
    let daemon = Daemon::builder(app.path(), &user(mongod, "reader:right"))
        .set("mongodb.database", "reasons_reader")
        .set("log.filter", "debug")
        .start();
    let line = daemon.wait_log("connectivity_lost");
    assert!(line.text().contains("not_authorized"), "{}", line.text());
    assert_eq!(daemon.status()["failed_records"], 0, "no row is to blame");
    let root = Mongo::connect(&user(mongod, "root:root"));
    root.run(
        "admin",
        doc! { "grantRolesToUser": "reader", "roles": [{ "role": "readWrite", "db": "reasons_reader" }] },
    );
    daemon.wait_status("an export", |status| status["successful_records"] == 3);
    let lost = daemon.log().all().iter().filter(|line| line.event() == Some("connectivity_lost")).count();
    println!("{lost} attempts");
}

#[test]
fn a_server_that_wants_tls_and_a_certificate_says_so() {
    let authority = Authority::new();
    let server = authority.issue("server", "IP:127.0.0.1", Validity::Now);
    let client = authority.issue("client", "DNS:client.example", Validity::Now);
    let ca = format!("tlsCAFile={}", authority.ca_file().display());
    let key = format!("tlsCertificateKeyFile={}", client.display());
    let mongod = Mongod::builder().with_tls(&server, &authority.ca_file()).uri_option(&key).start();
    expect(&tls(mongod.port(), &format!("&{ca}")), Reason::Tls, "client certificate", AT_ONCE);
    expect(&plain(mongod.port()), Reason::Tls, "add tls=true", AT_ONCE);
    let strangers = Authority::new();
    let stranger = strangers.issue("stranger", "DNS:client.example", Validity::Now);
    let strange = format!("&{ca}&tlsCertificateKeyFile={}", stranger.display());
    expect(&tls(mongod.port(), &strange), Reason::Tls, "client certificate", AT_ONCE);
    assert_eq!(probe_on("reasons", &mongod.uri()).0, Ok(()));
}

/// A server that wants a login, with a user `writer` who may do everything in the database `reasons`, and a user
/// `stranger` who may do nothing there.
fn guarded() -> &'static Mongod {
    static GUARDED: LazyLock<Mongod> = LazyLock::new(|| {
        let key = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(key.path(), "c2VjcmV0IG9mIHRoZSBzZXQ=").expect("our own file");
        let mongod = Mongod::builder().arg("--keyFile").arg(key.path().display().to_string()).start();
        let mongo = mongod.client();
        mongo.run("admin", doc! { "createUser": "root", "pwd": "root", "roles": ["root"] });
        mongo.close();
        let root = Mongo::connect(&user(&mongod, "root:root"));
        for (name, role, database) in [
            ("writer", "readWrite", "reasons"),
            ("stranger", "readWrite", "other"),
            ("reader", "read", "reasons_reader"),
        ] {
            let roles = [doc! { "role": role, "db": database }];
            root.run("admin", doc! { "createUser": name, "pwd": "right", "roles": &roles[..] });
        }
        root.close();
        mongod
    });
    &GUARDED
}

fn user(mongod: &Mongod, login: &str) -> String {
    format!("mongodb://{login}@127.0.0.1:{}/?directConnection=true", mongod.port())
}

#[test]
fn a_login_that_is_wrong_or_missing_is_auth_and_a_right_that_is_missing_not_authorized() {
    let mongod = guarded();
    // At once in a release: without optimization, deriving the key from the password takes most of the time.
    expect(&user(mongod, "writer:wrong"), Reason::Auth, "refused the login", BUDGET + MARGIN);
    expect(&user(mongod, "nobody:right"), Reason::Auth, "refused the login", BUDGET + MARGIN);
    expect(&mongod.uri(), Reason::Auth, "asks for a login", AT_ONCE);
    expect(&user(mongod, "stranger:right"), Reason::NotAuthorized, "", BUDGET + MARGIN);
    eventually(PATIENCE, "a login", || probe_on("reasons", &user(mongod, "writer:right")).0.ok());
}

#[test]
fn a_server_that_takes_no_writes_is_not_primary() {
    let alone = Mongod::builder().reserve();
    alone.launch_uninitiated();
    let by_name = format!("mongodb://127.0.0.1:{}", alone.port());
    expect(&alone.uri(), Reason::NotPrimary, "initiated", AT_ONCE);
    expect(&by_name, Reason::NotPrimary, "initiated", AT_ONCE);
    expect(&format!("{by_name}/?replicaSet=rs"), Reason::NotPrimary, "initiated", AT_ONCE);
    let other = format!("mongodb://127.0.0.1:{}/?replicaSet=other", shared_mongod().port());
    expect(&other, Reason::NotPrimary, "another name", AT_ONCE);
    expect(&format!("{other}&directConnection=true"), Reason::NotPrimary, "", AT_ONCE);
}

#[test]
fn a_secondary_is_not_primary_and_one_member_leads_to_the_primary() {
    let set = ReplicaSet::start(3);
    let primary = set.primary_index();
    let follower = set.member((primary + 1) % 3);
    expect(&follower.uri(), Reason::NotPrimary, "secondary", AT_ONCE);
    let one = format!("mongodb://127.0.0.1:{}/?replicaSet=rs", follower.port());
    assert_eq!(probe_on("reasons", &one).0, Ok(()));
    assert_eq!(probe_on("reasons", &format!("{one}&readPreference=secondary")).0, Ok(()));
    let next = set.step_down();
    assert_ne!(next, primary);
    assert_eq!(probe_on("reasons", &one).0, Ok(()), "the primary moved");
    // Without a majority there is no primary; the member that is left answers all the same.
    for other in (0..3).filter(|index| set.member(*index).port() != follower.port()) {
        set.member(other).kill();
    }
    let client = follower.client();
    eventually(PATIENCE, "a member that isn't primary", || {
        (client.hello()?.role != Role::Primary).then_some(())
    });
    expect(&one, Reason::NotPrimary, "", BUDGET + MARGIN);
}

#[test]
fn a_server_without_space_is_quota() {
    let mongod = Mongod::start();
    let client = mongod.client();
    let data = doc! { "failCommands": ["find"], "errorCode": 14_031, "appName": "mongo-uplink" };
    client.run("admin", doc! { "configureFailPoint": "failCommand", "mode": "alwaysOn", "data": data });
    expect(&mongod.uri(), Reason::Quota, "14031", AT_ONCE);
}

#[test]
fn a_connection_string_that_cannot_be_used_is_options() {
    for uri in ["mongodb://:27017", "mongodb://h:port", "mongodb://u:p%@h", "mongodb+srv://h.example.net:1"] {
        expect(uri, Reason::Options, "written as %XX", AT_ONCE);
    }
    expect("mongodb://h/?maxPoolSize=many", Reason::Options, "maxPoolSize", AT_ONCE);
    expect("mongodb://h/?directConnection=perhaps", Reason::Options, "directConnection", AT_ONCE);
}

#[test]
fn a_host_with_a_closed_and_an_open_address_is_reached() {
    // Where localhost is ::1 and 127.0.0.1, nothing listens on the first.
    let port = shared_mongod().port();
    let database = fresh_database("two_addresses");
    let uri = format!("mongodb://localhost:{port}/?directConnection=true");
    assert_eq!(probe_on(&database, &uri).0, Ok(()));
}
