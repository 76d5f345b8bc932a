//! `systemctl reload`.

use super::{Stage, UNIT};
use crate::support::booted::on_a_host_of_its_own;

const CONFIG: &str = "/etc/mongo-uplink/config.toml";

#[test]
fn systemctl_reload_puts_into_force_what_can_be_and_the_service_stays_what_it_is() {
    on_a_host_of_its_own(|host| {
        let stage = Stage::set(host);
        let mut app = stage.application();
        let machine = stage.boot("");
        machine.run(&["systemctl", "start", UNIT]);
        let process = machine.show(UNIT, "MainPID");

        machine.write(CONFIG, &stage.config("[log]\nfilter = \"debug\"\n[state]\ndirectory = \"elsewhere\""));
        machine.run(&["systemctl", "reload", UNIT]);
        // The unit sets the directory itself, so that the file's has no effect, now or later.
        let told = machine.wait_journal(&["EVENT=reloaded"], 1);
        assert_eq!(told["CHANGED"], "log.filter", "{told}");
        assert!(machine.journal(&["EVENT=restart_needed"]).is_empty());

        machine.write(CONFIG, &stage.config("[http]\nlisten = \"127.0.0.1:8111\""));
        machine.run(&["systemctl", "reload", UNIT]);
        let told = machine.wait_journal(&["EVENT=restart_needed"], 1);
        assert_eq!((&told["KEYS"], &told["PRIORITY"]), (&"http.listen".into(), &"4".into()), "{told}");

        machine.write(CONFIG, &stage.config("[export]\nbatch_size = \"many\""));
        machine.run(&["systemctl", "reload", UNIT]);
        let told = machine.wait_journal(&["EVENT=reload_failed"], 1);
        let error = told["ERROR"].as_str().unwrap_or_default();
        assert!(error.contains("export.batch_size = \"many\"") && error.contains(CONFIG), "{error}");

        machine.wait_shown(UNIT, "ActiveState", |state| state == "active");
        assert_eq!((machine.show(UNIT, "MainPID"), machine.show(UNIT, "NRestarts")), (process, "0".into()));
        app.insert_inquiries(2);
        stage.wait_count(&machine, 2);
        machine
            .wait_shown(UNIT, "StatusText", |text| text.starts_with("online; last export completed: 2 sent"));
    });
}
