//! A network of its own for a test, and a cable to the daemon that can be unplugged.
//!
//! The test runs itself again inside a new network namespace, so that nothing of the machine's own network changes and
//! everything is gone with the processes. The daemon lives in a second namespace, at the other end of a veth pair.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::again;
use crate::support::daemon::daemon_binary;
use crate::support::privilege::{needs, permitted};
use crate::support::wait::{PATIENCE, eventually};

/// Runs `body` in a network namespace with nothing but a loopback interface. Where the system permits none, it says so
/// and the test passes.
#[track_caller]
pub(super) fn in_a_network_of_its_own(body: impl FnOnce()) {
    if again::is_inside() {
        return body();
    }
    // Root by itself, or root of a user namespace.
    let ways: [&[&str]; 2] = [&["--net"], &["--net", "--user", "--map-root-user"]];
    needs("unshare", "util-linux");
    needs("ip", "iproute2");
    let way = ways.iter().find(|way| runs(Command::new("unshare").args(**way).arg("true")));
    if !permitted("making network namespaces", way.is_some()) {
        return;
    }
    let Some(way) = way else { return };
    again::run(Command::new("unshare").args(*way).args([
        "sh",
        "-c",
        "ip link set lo up && exec \"$0\" \"$@\"",
    ]));
}

fn runs(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// A second namespace at the end of a veth pair. Both are gone when this is dropped.
pub(super) struct Cable {
    /// Keeps the far end's namespace alive.
    holder: Child,
}

impl Cable {
    /// The address on this side.
    pub(super) const NEAR_END: &str = "10.231.0.1";

    /// Lays the cable, plugged in.
    #[track_caller]
    pub(super) fn lay() -> Self {
        let holder =
            Command::new("unshare").args(["--net", "sleep", "1000"]).spawn().expect("unshare has run before");
        let cable = Self { holder };
        let (own, far) = (namespace("self"), cable.holder.id().to_string());
        eventually(PATIENCE, "another namespace", || {
            namespace(&far).is_some_and(|far| Some(far) != own).then_some(())
        });
        ip(&["link", "add", "near", "type", "veth", "peer", "name", "far"]);
        ip(&["link", "set", "far", "netns", &far]);
        ip(&["addr", "add", &format!("{}/30", Self::NEAR_END), "dev", "near"]);
        ip(&["link", "set", "near", "up"]);
        cable.ip(&["link", "set", "lo", "up"]);
        cable.ip(&["addr", "add", "10.231.0.2/30", "dev", "far"]);
        cable.plug();
        cable
    }

    /// The far end's interface comes up.
    #[track_caller]
    pub(super) fn plug(&self) {
        self.ip(&["link", "set", "far", "up"]);
    }

    /// The far end's interface goes down, and its routes with it.
    #[track_caller]
    pub(super) fn unplug(&self) {
        self.ip(&["link", "set", "far", "down"]);
    }

    /// A program that runs the daemon at the far end.
    #[track_caller]
    pub(super) fn program_at_the_far_end(&self, directory: &Path) -> PathBuf {
        let path = directory.join("daemon-at-the-far-end");
        let daemon = daemon_binary();
        let script =
            format!("#!/bin/sh\nexec nsenter -t {} -n '{}' \"$@\"\n", self.holder.id(), daemon.display());
        fs::write(&path, script).expect("the directory is writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our own file");
        path
    }

    #[track_caller]
    fn ip(&self, arguments: &[&str]) {
        let holder = self.holder.id().to_string();
        let mut command = Command::new("nsenter");
        succeed(command.args(["-t", &holder, "-n", "ip"]).args(arguments));
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // Neither fails but for a process that has ended, which is what is wanted.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn namespace(pid: &str) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

#[track_caller]
fn ip(arguments: &[&str]) {
    succeed(Command::new("ip").args(arguments));
}

#[track_caller]
fn succeed(command: &mut Command) {
    let output = command.output().expect("the program is installed");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
