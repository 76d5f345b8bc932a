//! What the tests stand on, tested itself.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use mongodb::bson::doc;

use crate::support::mongo::Mongo;
use crate::support::mongod::{Mongod, ReplicaSet, fresh_database, shared_mongod};
use crate::support::proxy::Proxy;
use crate::support::sqlite::{App, Inquiry};
use crate::support::wait::{PATIENCE, eventually};

#[test]
fn the_shared_server_gives_each_test_a_database_of_its_own() {
    let (one, other) = (fresh_database("same"), fresh_database("same"));
    let mongo = shared_mongod().client();
    mongo.insert(&one, "c", doc! { "x": 1 });
    assert_eq!((mongo.count(&one, "c"), mongo.count(&other, "c")), (1, 0));
}

#[test]
fn a_reserved_server_is_away_until_it_is_launched() {
    let mongod = Mongod::reserve();
    let mongo = mongod.client();
    assert!(TcpStream::connect(("127.0.0.1", mongod.port())).is_err());
    mongod.launch();
    mongo.insert("db", "c", doc! { "_id": 1 });
}

#[test]
fn a_killed_server_comes_back_with_its_data() {
    let mongod = Mongod::start();
    let mongo = mongod.client();
    mongo.insert("db", "c", doc! { "_id": 1 });
    let before = mongod.pid();
    mongod.restart();
    assert_ne!(mongod.pid(), before);
    assert_eq!(mongo.find_all("db", "c"), [doc! { "_id": 1 }]);
}

#[test]
fn a_frozen_server_accepts_connections_and_answers_only_when_thawed() {
    let mongod = Mongod::start();
    mongod.freeze();
    let mut connection = TcpStream::connect(("127.0.0.1", mongod.port())).expect("a backlog");
    connection.set_read_timeout(Some(Duration::from_millis(50))).expect("a valid timeout");
    let silence = connection.read(&mut [0]).expect_err("a frozen server says nothing");
    assert_eq!(silence.kind(), ErrorKind::WouldBlock);
    mongod.thaw();
    mongod.client().insert("db", "c", doc! { "_id": 1 });
}

#[test]
fn a_set_of_three_survives_a_step_down_and_the_loss_of_its_primary() {
    let set = ReplicaSet::start(3);
    let mongo = set.client();
    mongo.insert("db", "c", doc! { "_id": 1 });
    let former = set.primary_index();
    let next = set.step_down();
    assert_ne!(next, former);
    mongo.insert("db", "c", doc! { "_id": 2 });
    set.member(next).kill();
    assert_ne!(set.primary_index(), next);
    assert_eq!(mongo.count("db", "c"), 2);
    set.restart(next);
    set.wait_until_whole();
}

#[test]
fn a_refusing_proxy_refuses_until_it_is_opened() {
    let proxy = Proxy::start(shared_mongod().port());
    let mongo = Mongo::connect(&proxy.uri());
    assert!(mongo.hello().is_some());
    proxy.refuse();
    let refused = TcpStream::connect(("127.0.0.1", proxy.port())).expect_err("nobody listens");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert!(proxy.counters().open > 0, "open connections stay");
    proxy.cut_all();
    eventually(PATIENCE, "all connections cut", || (proxy.counters().open == 0).then_some(()));
    proxy.open();
    assert!(mongo.hello().is_some());
}

#[test]
fn a_cut_resets_and_a_close_ends_in_good_order() {
    let (proxy, mut client, _server) = pair();
    proxy.cut_all();
    let error = client.read(&mut [0]).expect_err("a reset is an error");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    let (proxy, mut client, _server) = pair();
    proxy.close_all();
    assert_eq!(client.read(&mut [0]).expect("the end of the stream is none"), 0);
}

#[test]
fn a_stalled_proxy_delivers_what_it_held_when_it_is_opened() {
    let (proxy, mut client, mut server) = pair();
    proxy.stall();
    client.write_all(b"held").expect("the proxy reads");
    server.set_read_timeout(Some(Duration::from_millis(50))).expect("a valid timeout");
    let silence = server.read(&mut [0]).expect_err("nothing passes");
    assert_eq!(silence.kind(), ErrorKind::WouldBlock);
    proxy.open();
    server.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
    let mut received = [0; 4];
    server.read_exact(&mut received).expect("what was held");
    assert_eq!(&received, b"held");
    assert_eq!(proxy.counters().request_bytes, 4);
}

#[test]
fn a_proxy_delays_and_limits_the_rate() {
    let (proxy, mut client, mut server) = pair();
    let mut received = [0; 1000];
    let mut carry = || {
        let begun = Instant::now();
        client.write_all(&[1; 1000]).expect("the proxy reads");
        server.read_exact(&mut received).expect("all arrives");
        begun.elapsed()
    };
    proxy.delay(Duration::from_millis(150));
    assert!(carry() >= Duration::from_millis(150));
    proxy.open();
    proxy.rate(5_000);
    // Twenty portions a second: the first at once, the last of four after three twentieths.
    assert!(carry() >= Duration::from_millis(140));
}

#[test]
fn a_reply_is_cut_after_the_request_was_carried_out() {
    let database = fresh_database("cut");
    let server = shared_mongod().client();
    let proxy = Proxy::start(shared_mongod().port());
    let mongo = Mongo::connect(&format!("{}&retryWrites=false", proxy.uri()));
    proxy.cut_reply_of("insert", 10);
    mongo.try_run(&database, doc! { "find": "c" }).expect("another command passes");
    let cut = mongo.try_run(&database, doc! { "insert": "c", "documents": [{ "_id": 1 }] });
    assert!(cut.is_err(), "ten bytes are no answer");
    assert_eq!(proxy.counters().replies_cut, 1);
    assert_eq!(server.count(&database, "c"), 1);
    mongo.insert(&database, "c", doc! { "_id": 2 });
}

#[test]
fn inquiries_are_the_same_each_time_and_their_persons_differ() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut app = App::create(directory.path());
    app.insert_inquiries(500);
    app.insert_duplicates(20);
    app.close();
    let mut app = App::open(&directory.path().join("inquiries.db"));
    assert_eq!(app.count(), 520);
    let sql = "SELECT count(DISTINCT email || mobile), max(mobile) FROM chat_inquiry_information";
    let (persons, mobile): (i64, String) = app
        .connection()
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("the table as created");
    assert_eq!((persons, mobile.as_str()), (500, "0700000499"));
    assert_eq!(Inquiry::number(7), Inquiry::number(7));
}

/// A proxy with one connection through it, and that connection's two ends.
fn pair() -> (Proxy, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let proxy = Proxy::start(listener.local_addr().expect("it is bound").port());
    let client = TcpStream::connect(("127.0.0.1", proxy.port())).expect("the proxy listens");
    let (server, _) = listener.accept().expect("the proxy connects");
    (proxy, client, server)
}
