//! A booted machine.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use super::group::Group;
use crate::support::wait::{PATIENCE, eventually, poll};

/// How long a boot may take on a machine with much else to do.
const BOOT: std::time::Duration = std::time::Duration::from_secs(60);

/// Joins the machine's control groups: processes outside of them are strangers to systemd.
const JOIN: &str =
    "mkdir -p /sys/fs/cgroup/visitors; echo 0 >/sys/fs/cgroup/visitors/cgroup.procs; exec \"$@\"";

/// A booted machine. It ends when this is dropped.
pub struct Machine {
    process: Child,
    /// The id of its first process, on the host.
    pid: u32,
    _group: Group,
}

impl Machine {
    #[track_caller]
    pub(super) fn boot(directory: &Path) -> Self {
        let group = Group::make();
        let log = directory.join("boot.log");
        let output = fs::File::create(&log).expect("our own directory");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/booted/boot.sh");
        let mut process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--mount", "--uts", "--ipc", "--pid"])
            .args(["--fork", "--kill-child=KILL", "bash"])
            .args([script.as_path(), directory, group.path()])
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file of our own"))
            .stderr(output)
            .spawn()
            .expect("setpriv is part of what unshare is");
        let children = format!("/proc/{0}/task/{0}/children", process.id());
        let first = poll(BOOT, || {
            assert!(
                process.try_wait().expect("our own child can be asked").is_none(),
                "no machine: {}",
                fs::read_to_string(&log).unwrap_or_default()
            );
            let first = fs::read_to_string(&children).ok()?.split_whitespace().next()?.parse::<u32>().ok()?;
            let name = fs::read_to_string(format!("/proc/{first}/comm")).ok()?;
            (name.trim() == "systemd").then_some(first)
        });
        let pid = first.expect("the machine's first process becomes systemd");
        let machine = Self { process, pid, _group: group };
        eventually(BOOT, "the end of the boot", || {
            let state = machine.try_run(&["systemctl", "is-system-running"]);
            let state = String::from_utf8_lossy(&state.stdout).into_owned();
            ["running", "degraded"].contains(&state.trim()).then_some(())
        });
        machine
    }

    /// Runs a command to its end; what it printed.
    #[track_caller]
    pub fn run(&self, command: &[&str]) -> String {
        let output = self.try_run(command);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {}\n{said}{errors}\n{}", output.status, self.tail());
        said
    }

    /// The same by the shell.
    #[track_caller]
    pub fn sh(&self, script: &str) -> String {
        self.run(&["sh", "-ec", script])
    }

    /// Runs a command to its end, however it ends.
    #[track_caller]
    pub fn try_run(&self, command: &[&str]) -> Output {
        self.try_run_with(command, "")
    }

    /// The same with something to read.
    #[track_caller]
    pub fn try_run_with(&self, command: &[&str], input: &str) -> Output {
        let mut child = Command::new("nsenter")
            .args(["-t", &self.pid.to_string(), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--"])
            .args(["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])
            .args([
                "HOME=/root",
                "LANG=C.UTF-8",
                "TERM=dumb",
                "SYSTEMD_PAGER=",
                "DEBIAN_FRONTEND=noninteractive",
            ])
            .args(["sh", "-c", JOIN, "sh"])
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nsenter is part of what unshare is");
        // A command that reads nothing closes its end.
        let _ = child.stdin.take().expect("stdin is piped").write_all(input.as_bytes());
        child.wait_with_output().expect("our own child can be waited for")
    }

    /// Writes a file, and the directories that lead to it.
    #[track_caller]
    pub fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("we are root");
        fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Where a file of the machine is seen from outside.
    pub fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.pid))
    }

    /// A property of a unit.
    #[track_caller]
    pub fn show(&self, unit: &str, property: &str) -> String {
        self.run(&["systemctl", "show", "--value", "--property", property, unit]).trim().to_owned()
    }

    /// Waits until a property of a unit is as wanted.
    #[track_caller]
    pub fn wait_shown(&self, unit: &str, property: &str, wanted: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let found = poll(PATIENCE, || {
            last = self.show(unit, property);
            wanted(&last).then(|| last.clone())
        });
        found.unwrap_or_else(|| panic!("{unit}: {property} stays {last:?}\n{}", self.tail()))
    }

    /// The journal's entries that match, the oldest first.
    #[track_caller]
    pub fn journal(&self, matches: &[&str]) -> Vec<Value> {
        let command = [&["journalctl", "--quiet", "--output", "json"], matches].concat();
        let output = self.try_run(&command);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().map(|line| serde_json::from_str(line).expect("an entry is JSON")).collect()
    }

    /// Waits until the journal has so many entries that match; the last one.
    #[track_caller]
    pub fn wait_journal(&self, matches: &[&str], count: usize) -> Value {
        let found = poll(PATIENCE, || {
            let mut entries = self.journal(matches);
            (entries.len() >= count).then(|| entries.pop()).flatten()
        });
        found.unwrap_or_else(|| panic!("not {count} entries with {matches:?}\n{}", self.tail()))
    }

    /// The journal's end, for a test that failed.
    #[track_caller]
    pub fn tail(&self) -> String {
        let output = self.try_run(&["journalctl", "--quiet", "--no-hostname", "--lines", "40"]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Ends everything in it at once.
    pub fn cut_power(self) {}
}

impl Drop for Machine {
    fn drop(&mut self) {
        // With its first process all the others end. Neither fails but for a process that has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let gone = format!("/proc/{}", self.pid);
        let _ = poll(PATIENCE, || (!Path::new(&gone).exists()).then_some(()));
    }
}
