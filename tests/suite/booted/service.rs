//! Starting, stopping, and several tables on one host.

use std::time::{Duration, Instant};

use super::{HOME, Stage, UNIT, ask, wait_completed};
use crate::support::booted::on_a_host_of_its_own;
use crate::support::sqlite::TABLE;
use crate::support::wait::{PATIENCE, eventually};

/// An address that nothing leads to before it is plugged in.
const ADDRESS: &str = "10.231.7.1";

#[test]
fn it_is_ready_before_there_is_a_network_and_delivers_as_soon_as_there_is_one() {
    on_a_host_of_its_own(|host| {
        let stage = Stage::set(host);
        stage.application().insert_inquiries(20);
        let machine = stage.boot("initial_interval = \"100ms\"");
        let uri = stage.mongod.uri().replace("127.0.0.1", ADDRESS);
        machine.write("/etc/credstore/mongo-uplink.mongodb-uri", &uri);
        let begun = Instant::now();
        machine.run(&["systemctl", "start", UNIT]);
        println!("from `systemctl start` to ready: {:?}", begun.elapsed());
        machine.wait_shown(UNIT, "StatusText", |text| text.starts_with("offline (unreachable)"));
        assert_eq!(machine.show(UNIT, "ActiveState"), "active");

        host.plug(ADDRESS);
        let plugged = Instant::now();
        stage.wait_count(&machine, 20);
        println!("from the cable to the rows: {:?}", plugged.elapsed());
        let done = "online; last export completed: 20 sent, 0 skipped, 0 rejected";
        machine.wait_shown(UNIT, "StatusText", |text| text == done);

        let begun = Instant::now();
        machine.run(&["systemctl", "stop", UNIT]);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        assert_eq!(machine.show(UNIT, "Result"), "success");
        assert_eq!(machine.show(UNIT, "NRestarts"), "0");
        machine.wait_journal(&["EVENT=stopped"], 1);
    });
}

#[test]
fn two_tables_of_one_host_have_two_services_that_leave_each_other_alone() {
    on_a_host_of_its_own(|host| {
        let stage = Stage::set(host);
        let mut app = stage.application();
        app.execute(&format!("CREATE TABLE visits AS SELECT * FROM {TABLE}"));
        app.insert_inquiries(3);
        let machine = stage.boot("");
        let names = ["first", "second"];
        for (name, table, port) in [("first", TABLE, 8001), ("second", "visits", 8002)] {
            let more = format!(
                "[mongodb]\ncollection = \"{name}\"\n[http]\nlisten = \"127.0.0.1:{port}\"\n[export]\nduplicate_key = []"
            );
            let config = stage.config(&more).replace("[probe]", &format!("table = \"{table}\"\n[probe]"));
            machine.write(&format!("/etc/mongo-uplink/{name}.toml"), &config);
            machine.write(&format!("/etc/credstore/mongo-uplink-{name}.mongodb-uri"), &stage.mongod.uri());
            machine.write(
                &format!("/etc/systemd/system/mongo-uplink@{name}.service.d/test.conf"),
                super::DROP_IN,
            );
        }
        machine.sh("systemctl daemon-reload; systemctl start mongo-uplink@first mongo-uplink@second");
        app.execute(&format!("INSERT INTO visits SELECT * FROM {TABLE} LIMIT 2"));
        let client = stage.mongod.client();
        let count = |name| client.count(super::DATABASE, name);
        eventually(PATIENCE, "rows of both tables", || (names.map(count) == [3, 2]).then_some(()));
        let states = machine.sh("cd /var/lib/mongo-uplink; ls */state.db");
        assert_eq!(states.lines().collect::<Vec<_>>(), ["first/state.db", "second/state.db"]);

        machine.run(&["systemctl", "stop", "mongo-uplink@first"]);
        assert!(ask(8001, "/api/export/status").is_none());
        app.execute(&format!("INSERT INTO visits SELECT * FROM {TABLE} WHERE id = 3"));
        app.insert_inquiries(1);
        eventually(PATIENCE, "the second one's rows", || (count("second") == 3).then_some(()));
        assert_eq!(count("first"), 3);
        machine.run(&["systemctl", "start", "mongo-uplink@first"]);
        eventually(PATIENCE, "the first one's rows", || (count("first") == 4).then_some(()));
    });
}

#[test]
fn after_a_power_cut_it_starts_by_itself_and_goes_on_where_it_was() {
    on_a_host_of_its_own(|host| {
        let stage = Stage::set(host);
        let mut app = stage.application();
        app.insert_inquiries(50);
        let machine = stage.boot("[export]\nbatch_size = 2\nmax_batch_size = 2\nmax_in_flight = 1");
        machine.run(&["systemctl", "enable", "--now", UNIT]);
        stage.wait_count(&machine, 50);
        wait_completed(&machine);
        app.insert_inquiries(600);
        eventually(PATIENCE, "an export under way", || (stage.count() > 50).then_some(()));
        machine.cut_power();
        let there = stage.count();
        println!("{there} of 650 documents when the power was cut");

        let machine = host.boot();
        stage.wait_count(&machine, 650);
        wait_completed(&machine);
        assert_eq!(stage.count(), 650);
        let rebuilt = machine.journal(&["EVENT=ledger_rebuilt"]);
        assert!(rebuilt.is_empty(), "{rebuilt:?}");
        let history = ask(8000, "/api/export/history").expect("the daemon answers").to_string();
        assert_eq!(history.matches("export_id").count(), 3, "the exports of before and after: {history}");
        // The sandbox sees the directory; it was the application's before and is so now.
        assert!(machine.sh(&format!("ls {HOME}")).contains("inquiries.db"));
    });
}
