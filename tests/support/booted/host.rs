//! What a machine stands on: a network, a disk, and what it is shown of this host.

use std::cell::RefCell;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Machine, group};
use crate::support::privilege::{needs, permitted};
use crate::support::{again, guardian};

/// Tells the second run where its directory is.
const DIRECTORY: &str = "UPLINK_TEST_HOST";

/// What a machine's disk takes at most.
const DISK: &str = "size=512m,mode=755";

/// What is run in the new namespaces before the test itself.
const SETUP: &str =
    r#"ip link set lo up && mount -t tmpfs -o "$0" disk "$UPLINK_TEST_HOST/disk" && exec "$@""#;

/// Runs `body` on a host of its own. Where the system permits none, it says so and the test passes.
#[track_caller]
pub fn on_a_host_of_its_own(body: impl FnOnce(&Host)) {
    if again::is_inside() {
        let directory = env::var_os(DIRECTORY).expect("the first run has set it");
        return body(&Host { directory: directory.into(), shown: RefCell::default() });
    }
    for (program, package) in
        [("unshare", "util-linux"), ("ip", "iproute2"), ("systemctl", "systemd"), ("bash", "bash")]
    {
        needs(program, package);
    }
    let is_root = rustix::process::geteuid().is_root();
    if !permitted("booting a machine", is_root && group::mounted().is_some()) {
        return;
    }
    let directory =
        tempfile::Builder::new().prefix("mongo-uplink-machine-").tempdir().expect("a temporary directory");
    guardian::watch(directory.path());
    fs::create_dir(directory.path().join("disk")).expect("our own directory");
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare", "--net", "--mount", "sh", "-c", SETUP, DISK]);
    again::run(command.env(DIRECTORY, directory.path()));
}

/// A host of the test's own.
pub struct Host {
    directory: PathBuf,
    shown: RefCell<Vec<(PathBuf, String)>>,
}

impl Host {
    /// Makes a directory that machines see under this path, with the same content.
    #[track_caller]
    pub fn share(&self, inside: &str) -> PathBuf {
        let path = self.directory.join(inside.replace('/', "-"));
        fs::create_dir(&path).expect("our own directory");
        self.show(&path, inside);
        path
    }

    /// Machines that are booted from now on see this file or directory under that path.
    pub fn show(&self, path: &Path, inside: &str) {
        self.shown.borrow_mut().push((path.to_owned(), inside.to_owned()));
    }

    /// Boots a machine from the disk, and waits until that is done.
    #[track_caller]
    pub fn boot(&self) -> Machine {
        let mut list = String::new();
        for (path, inside) in self.shown.borrow().iter() {
            writeln!(list, "{} {inside}", path.display()).expect("a String takes all");
        }
        fs::write(self.directory.join("shown"), list).expect("our own directory");
        Machine::boot(&self.directory)
    }

    /// Gives the host another network interface with this address, as when a cable is plugged in.
    #[track_caller]
    pub fn plug(&self, address: &str) {
        let script = "ip link add plug type veth peer name socket && ip addr add \"$0/24\" dev plug \
                      && ip link set socket up && ip link set plug up";
        let status = Command::new("sh").args(["-c", script, address]).status().expect("`sh` starts");
        assert!(status.success(), "no interface with {address}");
    }
}
