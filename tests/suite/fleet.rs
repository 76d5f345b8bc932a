//! Many daemons on one server: none holds a connection while it is idle, and a restart brings no rush.

use std::time::Duration;

use mongodb::bson::{Bson, doc};

use crate::support::daemon::Daemon;
use crate::support::mongo::Mongo;
use crate::support::mongod::Mongod;
use crate::support::sqlite::{App, TABLE};
use crate::support::wait::eventually;

const DAEMONS: u32 = 8;
const ROWS: u32 = 20;

/// Connections that one daemon may hold: those of its pool, and two for the monitor.
const EACH: i64 = 10;

const LONG: Duration = Duration::from_secs(60);

fn counter(mongo: &Mongo, name: &str) -> i64 {
    let status = mongo.run("admin", doc! { "serverStatus": 1 });
    let number = status.get_document("connections").ok().and_then(|all| all.get(name).cloned());
    match number {
        Some(Bson::Int32(number)) => number.into(),
        Some(Bson::Int64(number)) => number,
        other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn idle_daemons_hold_no_connection_and_come_back_after_a_restart_without_a_rush() {
    let mongod = Mongod::start();
    let mongo = mongod.client();
    let own = counter(&mongo, "current");
    let directories: Vec<_> =
        (0..DAEMONS).map(|_| tempfile::tempdir().expect("a temporary directory")).collect();
    let mut apps: Vec<_> = directories.iter().map(|directory| App::create(directory.path())).collect();
    let daemons: Vec<_> = apps
        .iter()
        .zip(0..)
        .map(|(app, number): (_, u32)| {
            Daemon::builder(app.path(), &mongod.uri())
                .set("sqlite.source_id", format!("host-{number}"))
                .set("mongodb.idle_disconnect", "500ms")
                .set("export.skip_duplicates", false)
                .start()
        })
        .collect();
    let all = |rows: u32| u64::from(DAEMONS * rows);
    let wait_for_rows = |rows: u32| {
        eventually(LONG, "all rows", || (mongo.count("inquiryassistant", TABLE) == all(rows)).then_some(()));
    };
    let wait_for_idle = || {
        eventually(LONG, "no connection but the test's", || {
            (counter(&mongo, "current") <= own + 2).then_some(())
        });
    };
    apps.iter_mut().for_each(|app| app.insert_inquiries(ROWS));
    wait_for_rows(ROWS);
    wait_for_idle();

    mongod.kill();
    apps.iter_mut().for_each(|app| app.insert_inquiries(ROWS));
    daemons.iter().for_each(|daemon| drop(daemon.wait_log("connectivity_lost")));
    mongod.launch();
    wait_for_rows(2 * ROWS);
    let made = counter(&mongo, "totalCreated");
    println!("{made} connections for {DAEMONS} daemons");
    // Besides those that carry rows, each daemon may try the port and probe a few times until there is a primary.
    assert!(made <= i64::from(DAEMONS) * EACH * 3, "{made} connections");
    wait_for_idle();
}
