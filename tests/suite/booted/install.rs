//! Installing: as a package, and by hand as the README says.

use std::fs;
use std::path::Path;

use super::{DROP_IN, Stage, UNIT, ask, wait_completed};
use crate::support::booted::{Machine, on_a_host_of_its_own};
use crate::support::daemon::daemon_binary;
use crate::support::package::Workshop;

const CONFIG: &str = "/etc/mongo-uplink/config.toml";
const PACKAGES: &str = "/srv/packages";

/// Whether systemd knows, starts and runs it.
#[track_caller]
fn is(machine: &Machine, state: &str) -> bool {
    machine.try_run(&["systemctl", &format!("is-{state}"), "--quiet", UNIT]).status.success()
}

#[test]
fn a_package_is_installed_upgraded_removed_and_purged_and_keeps_what_is_the_administrators() {
    on_a_host_of_its_own(|host| {
        let stage = Stage::bare(host);
        let mut app = stage.application();
        app.insert_inquiries(3);
        let workshop = Workshop::open(&host.share(PACKAGES));
        let machine = host.boot();
        // Where it keeps packages from starting services, that is another machine's wish.
        machine.sh("rm -f /usr/sbin/policy-rc.d; groupadd --gid 12345 inquiries");
        let dpkg = |options: &[&str], version: &str| {
            let package = format!("{PACKAGES}/{}", workshop.pack(version));
            machine.run(&[&["dpkg"], options, &["--install", &package]].concat())
        };

        dpkg(&[], "0.1.0");
        assert!(is(&machine, "active") && is(&machine, "enabled"));
        // It is told of nothing yet, and waits.
        machine.wait_shown(UNIT, "StatusText", |text| text.starts_with("offline (refused)"));
        assert_eq!(machine.run(&["stat", "-c", "%a %U %G", CONFIG]), "640 root mongo-uplink\n");
        assert!(machine.sh("zcat /usr/share/man/man1/mongo-uplink.1.gz").contains("mongo\\-uplink"));
        machine.sh("bash -n /usr/share/bash-completion/completions/mongo-uplink");
        let shipped = machine.run(&["cat", CONFIG]);
        let edited = format!("# mine\n{}", stage.config(""));
        machine.write(CONFIG, &edited);
        machine.write("/etc/credstore/mongo-uplink.mongodb-uri", &stage.mongod.uri());
        machine.write("/etc/systemd/system/mongo-uplink.service.d/test.conf", DROP_IN);
        machine.sh("systemctl daemon-reload; systemctl restart mongo-uplink");
        stage.wait_count(&machine, 3);
        wait_completed(&machine);

        // The same file in the package: no question is asked.
        let process = machine.show(UNIT, "MainPID");
        dpkg(&[], "0.1.1");
        assert!(is(&machine, "active"));
        assert_ne!(machine.show(UNIT, "MainPID"), process, "it runs the old program");
        assert_eq!(machine.run(&["cat", CONFIG]), edited);
        app.insert_inquiries(2);
        stage.wait_count(&machine, 5);
        wait_completed(&machine);
        assert!(machine.journal(&["EVENT=ledger_rebuilt"]).is_empty());
        let history = ask(8000, "/api/export/history").expect("the daemon answers").to_string();
        assert_eq!(history.matches("export_id").count(), 2, "the exports of before and after: {history}");

        // Another one, for a service that its administrator has turned off.
        machine.run(&["systemctl", "disable", "--quiet", "--now", UNIT]);
        fs::write(workshop.file("etc/mongo-uplink/config.toml"), format!("{shipped}# newer\n"))
            .expect("our own file");
        dpkg(&["--force-confdef", "--force-confold"], "0.2.0");
        assert!(!is(&machine, "active") && !is(&machine, "enabled"));
        assert_eq!(machine.run(&["cat", CONFIG]), edited);
        assert!(machine.path(&format!("{CONFIG}.dpkg-dist")).exists());

        machine.run(&["systemctl", "enable", "--quiet", "--now", UNIT]);
        machine.run(&["dpkg", "--remove", "mongo-uplink"]);
        assert!(ask(8000, "/api/export/status").is_none());
        assert_eq!(machine.show(UNIT, "ActiveState"), "inactive");
        assert!(!machine.path("/usr/bin/mongo-uplink").exists());
        assert_eq!(machine.run(&["cat", CONFIG]), edited);
        assert!(machine.path("/var/lib/mongo-uplink/state.db").exists());

        machine.run(&["dpkg", "--purge", "mongo-uplink"]);
        for gone in [
            "/etc/mongo-uplink",
            "/var/lib/mongo-uplink",
            "/etc/credstore/mongo-uplink.mongodb-uri",
            "/etc/systemd/system/multi-user.target.wants/mongo-uplink.service",
        ] {
            assert!(machine.path(gone).symlink_metadata().is_err(), "{gone} is left");
        }
        machine.run(&["id", "mongo-uplink"]);
        let failed = machine.run(&["systemctl", "--failed", "--no-legend", "--plain"]);
        assert!(!failed.contains("mongo-uplink"), "{failed}");
    });
}

#[test]
fn the_readmes_commands_install_it_by_hand() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(project.join("README.md")).expect("it is there");
    let block = |text: &str| {
        let blocks = readme.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
        blocks.into_iter().find(|block| block.contains(text)).expect("README.md tells of it")
    };
    let commands = block("install -m 755 target/release/mongo-uplink");
    on_a_host_of_its_own(|host| {
        let stage = Stage::bare(host);
        stage.application().insert_inquiries(2);
        host.show(&daemon_binary(), "/srv/source/target/release/mongo-uplink");
        host.show(&project.join("config.toml"), "/srv/source/config.toml");
        host.show(&project.join("systemd"), "/srv/source/systemd");
        let machine = host.boot();
        // The build is there already.
        let script = format!("set -e; cd /srv/source; cargo() {{ :; }}\n{commands}");
        let output = machine.try_run_with(&["bash", "-c", &script], &stage.mongod.uri());
        assert!(output.status.success(), "{output:?}\n{}", machine.tail());
        assert!(is(&machine, "active") && is(&machine, "enabled"));

        // And what it says behind them.
        machine.sh("groupadd --gid 12345 inquiries");
        let path = "path = \"inquiries.db\"";
        let config = machine.run(&["cat", CONFIG]);
        assert!(config.contains(path), "{config}");
        machine.write(CONFIG, &config.replace(path, "path = \"/srv/inquiries/inquiries.db\""));
        assert!(readme.contains("```ini\n[Service]\nSupplementaryGroups=the-applications-group\n```"));
        machine.write("/etc/systemd/system/mongo-uplink.service.d/override.conf", DROP_IN);
        machine.sh("systemctl daemon-reload; systemctl restart mongo-uplink");
        stage.wait_count(&machine, 2);
        wait_completed(&machine);

        // How it is watched, and how others are let in. What goes on for ever is ended; there is no sudo here.
        let run = |commands: &str| {
            let helpers = "set -eo pipefail
                journalctl() { timeout 1 journalctl --no-pager \"$@\" || [ $? = 124 ]; }
                sudo() { runuser -u \"$2\" -- \"${@:3}\"; }";
            machine.run(&["bash", "-c", &format!("{helpers}\n{commands}")])
        };
        let watched = run(block("journalctl -u mongo-uplink -f"));
        assert!(watched.contains("Export completed"), "{watched}");
        assert_eq!(watched.matches(r#"{"success":true"#).count(), 2, "{watched}");
        let records = run(block("sudo -u mongo-uplink mongo-uplink"));
        assert!(!records.contains("rejected"), "{records}");
        let asked = run(block("openssl rand -hex 32"));
        assert!(asked.contains(r#"{"success":true"#), "{asked}");
        assert!(ask(8000, "/api/export/status").is_none_or(|data| data.is_null()), "without the token");
    });
}
