//! What the journal keeps of the daemon's words, and what the daemon does without it.

use mongo_uplink::telemetry::message_id;

use super::{Stage, UNIT, ask};
use crate::support::booted::on_a_host_of_its_own;
use crate::support::wait::{PATIENCE, eventually};

#[test]
fn events_are_found_in_the_journal_by_their_ids_and_with_their_fields() {
    on_a_host_of_its_own(|host| {
        let stage = Stage::set(host);
        let mut app = stage.application();
        app.insert_inquiries(3);
        app.insert_duplicates(2);
        let machine = stage.boot("initial_interval = \"100ms\"");
        machine.run(&["systemctl", "start", UNIT]);
        stage.wait_count(&machine, 3);
        let by_id = |event: &str| format!("MESSAGE_ID={}", message_id(event));
        let completed = machine.wait_journal(&[&by_id("export_completed")], 1);
        for (field, value) in [
            ("EVENT", "export_completed"),
            ("PROCESSED", "5"),
            ("SUCCESSFUL", "3"),
            ("SKIPPED", "2"),
            ("FAILED", "0"),
            ("PRIORITY", "6"),
            ("SYSLOG_IDENTIFIER", "mongo-uplink"),
            ("_SYSTEMD_UNIT", UNIT),
            ("_TRANSPORT", "journal"),
        ] {
            assert_eq!(completed[field], value, "{field}: {completed}");
        }
        let id = completed["EXPORT_ID"].as_str().expect("the export's id").to_owned();
        assert!(id.starts_with("export_"), "{id}");
        // One export's story, by its id.
        let story = machine.journal(&[&format!("EXPORT_ID={id}")]);
        let events: Vec<&str> = story.iter().filter_map(|entry| entry["EVENT"].as_str()).collect();
        assert_eq!(events, ["export_started", "export_completed"]);

        stage.mongod.kill();
        app.insert_inquiries(1);
        let lost = machine.wait_journal(&[&by_id("connectivity_lost")], 1);
        // What the connection that breaks is told first, or what the next one is.
        let reason = lost["REASON"].as_str().unwrap_or_default();
        assert!(["disconnected", "refused"].contains(&reason) && lost["PRIORITY"] == "4", "{lost}");
        let failed = machine.wait_journal(&[&by_id("probe_failed"), "REASON=refused"], 1);
        assert!(failed["ATTEMPTS"].as_str().is_some_and(|text| text.parse::<u32>().is_ok()), "{failed}");
    });
}

#[test]
fn a_journal_that_is_stopped_stalled_or_restarted_holds_nothing_up() {
    on_a_host_of_its_own(|host| {
        let stage = Stage::set(host);
        let mut app = stage.application();
        app.insert_inquiries(1);
        let machine = stage.boot("initial_interval = \"100ms\"\n[log]\nfilter = \"trace\"");
        machine.run(&["systemctl", "start", UNIT]);
        stage.wait_count(&machine, 1);
        let journal = machine.show("systemd-journald.service", "MainPID");

        // Stalled: many more lines than its queue takes, each of them written while somebody waits for an answer.
        machine.run(&["kill", "-STOP", &journal]);
        for _ in 0..1_500 {
            let answer = ask(8000, "/api/export/status");
            assert!(answer.is_some(), "the daemon doesn't answer any more");
        }
        app.insert_inquiries(2);
        stage.wait_count(&machine, 3);
        machine.run(&["kill", "-CONT", &journal]);
        eventually(PATIENCE, "what was lost is told", || {
            ask(8000, "/api/export/status");
            (!machine.journal(&["EVENT=log_lines_dropped"]).is_empty()).then_some(())
        });

        // Stopped, with its sockets; then started again.
        let sockets = "systemd-journald.socket systemd-journald-dev-log.socket";
        machine.sh(&format!("systemctl stop {sockets} systemd-journald.service 2>/dev/null"));
        app.insert_inquiries(2);
        stage.wait_count(&machine, 5);
        assert!(ask(8000, "/api/export/status").is_some());
        machine.sh(&format!("systemctl start {sockets} systemd-journald.service"));
        app.insert_inquiries(2);
        stage.wait_count(&machine, 7);
        machine.wait_journal(&["EVENT=export_completed", "--since", "-10s"], 1);

        // Restarted under its feet.
        machine.run(&["systemctl", "restart", "systemd-journald.service"]);
        let before = machine.journal(&["EVENT=export_completed"]).len();
        app.insert_inquiries(2);
        stage.wait_count(&machine, 9);
        machine.wait_journal(&["EVENT=export_completed"], before + 1);
        assert_eq!(
            (machine.show(UNIT, "NRestarts").as_str(), machine.show(UNIT, "ActiveState").as_str()),
            ("0", "active")
        );
    });
}
