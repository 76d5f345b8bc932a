//! A daemon's own view of the host, by way of Linux's namespaces: the resolver's files, or the network.
//!
//! - What a test does in there, nobody outside notices.
//! - Needs namespaces: as root, or where users may make their own. [`is_possible`] tells.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use tempfile::TempDir;

use super::daemon::daemon_binary;
use super::guardian;
use super::privilege::{needs, permitted};

/// Whether this process may make namespaces. If not, it says so once.
pub fn is_possible() -> bool {
    static POSSIBLE: LazyLock<bool> = LazyLock::new(|| {
        let mut command = Command::new("unshare");
        command.args(["-r", "-m", "-n", "ip", "link", "set", "lo", "up"]).stdin(Stdio::null());
        command.output().is_ok_and(|output| output.status.success())
    });
    needs("unshare", "util-linux");
    needs("ip", "iproute2");
    permitted("making namespaces", *POSSIBLE)
}

/// A program that runs the daemon with its own `/etc` or its own network.
pub struct Sandbox {
    directory: TempDir,
}

impl Sandbox {
    /// With an `/etc` of its own that has neither DNS servers nor hosts but localhost.
    #[must_use]
    #[track_caller]
    pub fn with_own_etc() -> Self {
        let sandbox = Self::with_script("-m", "mount --bind \"$here/etc\" /etc");
        let etc = sandbox.directory.path().join("etc");
        fs::create_dir(&etc).expect("our own directory");
        fs::write(etc.join("nsswitch.conf"), "hosts: files dns\n").expect("our own directory");
        if let Ok(id) = fs::read("/etc/machine-id") {
            fs::write(etc.join("machine-id"), id).expect("our own directory");
        }
        sandbox.set_hosts("");
        sandbox
    }

    /// With a network of its own that this shell script sets up.
    #[must_use]
    #[track_caller]
    pub fn with_own_network(script: &str) -> Self {
        Self::with_script("-n", &format!("ip link set lo up\n{script}"))
    }

    #[track_caller]
    fn with_script(namespace: &str, script: &str) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("mongo-uplink-sandbox-")
            .tempdir()
            .expect("a temporary directory");
        guardian::watch(directory.path());
        let sandbox = Self { directory };
        let here = sandbox.directory.path().display();
        let daemon = daemon_binary();
        let inside = format!("#!/bin/sh\nset -e\nhere={here}\n{script}\nexec {} \"$@\"\n", daemon.display());
        sandbox.write_program("inside", &inside);
        sandbox.write_program(
            "daemon",
            &format!("#!/bin/sh\nexec unshare -r {namespace} {here}/inside \"$@\"\n"),
        );
        sandbox
    }

    /// What to run instead of the daemon.
    pub fn program(&self) -> PathBuf {
        self.directory.path().join("daemon")
    }

    /// Names a DNS server, or none at all.
    #[track_caller]
    pub fn set_dns(&self, server: Option<&str>) {
        let path = self.directory.path().join("etc/resolv.conf");
        match server {
            Some(server) => replace(&path, &format!("nameserver {server}\n")),
            None => drop(fs::remove_file(path)),
        }
    }

    /// Gives hosts their addresses, a line `ADDRESS NAME` each.
    #[track_caller]
    pub fn set_hosts(&self, lines: &str) {
        replace(&self.directory.path().join("etc/hosts"), &format!("127.0.0.1 localhost\n{lines}"));
    }

    #[track_caller]
    fn write_program(&self, name: &str, text: &str) {
        let path = self.directory.path().join(name);
        fs::write(&path, text).expect("our own directory");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our own file");
    }
}

#[track_caller]
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).expect("our own directory");
    fs::rename(new, path).expect("our own directory");
}
