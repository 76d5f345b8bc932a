//! Whatever ends the daemon, systemd brings it back, and nothing is lost or doubled.

use super::{Stage, UNIT, ask, wait_completed};
use crate::support::booted::{Machine, on_a_host_of_its_own};
use crate::support::wait::{PATIENCE, eventually};

/// Sends the daemon a signal in the middle of an export, and waits until it was started anew.
#[track_caller]
fn strike(stage: &Stage<'_>, machine: &Machine, signal: &str, restarts: &str) {
    let before = stage.count();
    eventually(PATIENCE, "an export under way", || (stage.count() > before).then_some(()));
    machine.run(&["systemctl", "kill", "--signal", signal, UNIT]);
    machine.wait_shown(UNIT, "NRestarts", |count| count == restarts);
    machine.wait_shown(UNIT, "ActiveState", |state| state == "active");
}

#[test]
fn a_loop_that_hangs_is_ended_by_the_watchdog_and_a_crash_costs_nothing() {
    on_a_host_of_its_own(|host| {
        let stage = Stage::set(host);
        let mut app = stage.application();
        // One small batch after another, so that there is time to be struck in the middle.
        let machine = stage.boot("[export]\nbatch_size = 2\nmax_batch_size = 2\nmax_in_flight = 1");
        let quick = "[Service]\nWatchdogSec=1s\n";
        machine.write("/etc/systemd/system/mongo-uplink.service.d/watchdog.conf", quick);
        machine.sh("systemctl daemon-reload; systemctl start mongo-uplink");

        app.insert_inquiries(500);
        // As if the whole process hung: nobody feeds the watchdog.
        strike(&stage, &machine, "STOP", "1");
        machine.wait_journal(&["--grep", "Watchdog timeout"], 1);
        stage.wait_count(&machine, 500);
        app.insert_inquiries(500);
        strike(&stage, &machine, "KILL", "2");
        stage.wait_count(&machine, 1_000);

        wait_completed(&machine);
        assert_eq!(stage.count(), 1_000);
        let records = ask(8000, "/api/export/records").expect("the daemon answers");
        assert_eq!(records["records"].as_array().map(Vec::len), Some(0), "{records}");
        assert!(machine.journal(&["EVENT=ledger_rebuilt"]).is_empty());
    });
}

#[test]
fn a_configuration_error_is_told_and_not_tried_again_until_somebody_starts_it() {
    on_a_host_of_its_own(|host| {
        let stage = Stage::set(host);
        stage.application().insert_inquiries(1);
        let machine = stage.boot("[export]\nbatch_size = 5000");
        assert!(!machine.try_run(&["systemctl", "start", UNIT]).status.success());
        assert_eq!(machine.show(UNIT, "ActiveState"), "failed");
        assert_eq!(
            (machine.show(UNIT, "ExecMainStatus"), machine.show(UNIT, "NRestarts")),
            ("78".into(), "0".into())
        );
        let told = machine.wait_journal(&["-u", UNIT, "--grep", "export.batch_size = 5000"], 1);
        assert!(told["MESSAGE"].as_str().is_some_and(|text| text.contains("1 to 1000")), "{told}");

        machine.write("/etc/mongo-uplink/config.toml", &stage.config(""));
        machine.run(&["systemctl", "start", UNIT]);
        stage.wait_count(&machine, 1);
    });
}
