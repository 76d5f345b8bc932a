//! The daemon as a service of a real systemd, in its sandbox, with a real journal.
//!
//! Each test has a machine and a `mongod` of its own. The application is another user's: its directory and files are for
//! him and his group alone.

mod credentials;
mod install;
mod journal;
mod reload;
mod restart;
mod sandbox;
mod service;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;

use crate::support::booted::{Host, Machine};
use crate::support::daemon::daemon_binary;
use crate::support::mongod::Mongod;
use crate::support::sqlite::{App, TABLE};
use crate::support::wait::{PATIENCE, poll};

const UNIT: &str = "mongo-uplink.service";
const DATABASE: &str = "inquiryassistant";

/// The application's user and group, and the directory of its database.
const APPLICATION: u32 = 12_345;
const HOME: &str = "/srv/inquiries";

/// Lets the service in, and has it come back sooner than anybody needs in earnest.
const DROP_IN: &str = "[Service]\nSupplementaryGroups=inquiries\nRestartSec=100ms\n";

/// The application, where its rows go, and what a machine is shown.
struct Stage<'a> {
    host: &'a Host,
    mongod: Mongod,
    home: PathBuf,
}

impl<'a> Stage<'a> {
    /// The application has written nothing yet.
    #[track_caller]
    fn set(host: &'a Host) -> Self {
        let stage = Self::bare(host);
        host.show(&daemon_binary(), "/usr/bin/mongo-uplink");
        host.show(&Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd"), "/srv/systemd");
        stage
    }

    /// The same, and machines have nothing of the daemon.
    #[track_caller]
    fn bare(host: &'a Host) -> Self {
        let mongod = Mongod::builder().arg("--bind_ip_all").start();
        Self { host, mongod, home: host.share(HOME) }
    }

    /// The application starts, for the first time or again.
    #[track_caller]
    fn application(&self) -> App {
        let path = self.home.join("inquiries.db");
        let app = if path.exists() { App::open(&path) } else { App::create(&self.home) };
        self.close_to_others();
        app
    }

    /// The files are the application's and its group's, and nobody else's.
    #[track_caller]
    fn close_to_others(&self) {
        for entry in fs::read_dir(&self.home).expect("our own directory") {
            hand_over(&entry.expect("a name").path(), 0o640);
        }
        hand_over(&self.home, 0o750);
    }

    /// A machine with the units installed and this configuration beside what every test needs.
    #[track_caller]
    fn boot(&self, config: &str) -> Machine {
        let machine = self.host.boot();
        machine.sh("groupadd --gid 12345 inquiries
             install -m 644 /srv/systemd/*.service /etc/systemd/system/
             install -m 644 /srv/systemd/mongo-uplink.sysusers.conf /usr/lib/sysusers.d/mongo-uplink.conf
             systemd-sysusers");
        machine.write("/etc/mongo-uplink/config.toml", &self.config(config));
        machine.write("/etc/credstore/mongo-uplink.mongodb-uri", &self.mongod.uri());
        machine.write("/etc/systemd/system/mongo-uplink.service.d/test.conf", DROP_IN);
        machine.run(&["systemctl", "daemon-reload"]);
        machine
    }

    /// What every test needs of a configuration, and then some.
    fn config(&self, more: &str) -> String {
        format!("[sqlite]\npath = \"{HOME}/inquiries.db\"\n[probe]\nmax_interval = \"1s\"\n{more}\n")
    }

    fn count(&self) -> u64 {
        self.mongod.client().count(DATABASE, TABLE)
    }

    /// Waits until the collection holds so many documents.
    #[track_caller]
    fn wait_count(&self, machine: &Machine, count: u64) {
        let mut last = 0;
        let found = poll(PATIENCE * 2, || {
            last = self.count();
            (last == count).then_some(())
        });
        assert!(found.is_some(), "{last} documents instead of {count}\n{}", machine.tail());
    }
}

#[track_caller]
fn hand_over(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("we are root");
    chown(path, Some(APPLICATION), Some(APPLICATION)).expect("we are root");
}

/// The `data` of an answer of the daemon on that port, if it gives one.
fn ask(port: u16, path: &str) -> Option<Value> {
    let config =
        Agent::config_builder().timeout_global(Some(Duration::from_secs(2))).http_status_as_error(false);
    let agent: Agent = config.build().into();
    let mut response = agent.get(format!("http://127.0.0.1:{port}{path}")).call().ok()?;
    let mut answer: Value = response.body_mut().read_json().ok()?;
    Some(answer["data"].take())
}

/// Waits until no export is under way and the last one went through.
#[track_caller]
fn wait_completed(machine: &Machine) {
    let completed =
        poll(PATIENCE, || (ask(8000, "/api/export/status")?["status"] == "completed").then_some(()));
    assert!(completed.is_some(), "no completed export\n{}", machine.tail());
}
