//! What the tests stand on, tested itself.

use mongodb::bson::doc;

use crate::support::mongod::{Mongod, ReplicaSet, fresh_database, shared_mongod};

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
    assert!(std::net::TcpStream::connect(("127.0.0.1", mongod.port())).is_err());
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
    use std::io::{ErrorKind, Read};
    use std::time::Duration;
    let mongod = Mongod::start();
    mongod.freeze();
    let mut connection = std::net::TcpStream::connect(("127.0.0.1", mongod.port())).expect("a backlog");
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
