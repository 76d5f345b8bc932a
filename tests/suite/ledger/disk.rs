//! A state directory on a disk of its own, that fills up and is made read-only. Needs the right to mount.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{Scene, history, sum};
use crate::support::daemon::{Daemon, daemon_binary};
use crate::support::privilege::{needs, permitted};

/// A mount namespace of its own, in which a disk of 1 MiB lies at a directory. It lasts as long as this value: nothing
/// leaks, even if the test is killed, as the process that holds it ends with its standard input.
struct Island {
    holder: Child,
    at: PathBuf,
}

impl Island {
    #[track_caller]
    fn new(at: &Path) -> Self {
        fs::create_dir(at).expect("our own directory");
        let script =
            r#"mount -t tmpfs -o size=1m,mode=0700 tmpfs "$0" && echo mounted && exec cat >/dev/null"#;
        let mut holder = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c", script])
            .arg(at)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("unshare (util-linux) is installed");
        let mut line = String::new();
        let output = holder.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("a pipe");
        assert_eq!(
            line, "mounted\n",
            "this test mounts a tmpfs in a namespace of its own, for which it needs CAP_SYS_ADMIN: run it as root"
        );
        Self { holder, at: at.to_owned() }
    }

    /// A program that runs the daemon on the island; its process is the daemon's own.
    fn program(&self, directory: &Path) -> PathBuf {
        let path = directory.join("daemon-on-island");
        let (namespace, binary) = (self.namespace(), daemon_binary());
        fs::write(&path, format!("#!/bin/sh\nexec nsenter {namespace} -- '{}' \"$@\"\n", binary.display()))
            .expect("our own directory");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our own file");
        path
    }

    fn namespace(&self) -> String {
        format!("--mount=/proc/{}/ns/mnt", self.holder.id())
    }

    /// The disk, as seen from outside.
    fn disk(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.at.strip_prefix("/").expect("an absolute path"))
    }

    #[track_caller]
    fn remount(&self, options: &str) {
        let status = Command::new("nsenter")
            .arg(self.namespace())
            .args(["--", "mount", "-o", &format!("remount,{options}")])
            .arg(&self.at)
            .status()
            .expect("nsenter (util-linux) is installed");
        assert!(status.success(), "remount,{options}");
    }

    /// Fills the disk but for `left` KiB.
    #[track_caller]
    fn fill(&self, left: usize) {
        let page = [0x55; 4096];
        let mut filler = fs::File::create(self.disk().join("filler")).expect("a file on the disk");
        while std::io::Write::write_all(&mut filler, &page).is_ok() {}
        let length = filler.metadata().expect("it is open").len();
        filler.set_len(length.saturating_sub(left as u64 * 1024)).expect("a file can be cut");
    }

    fn free(&self) {
        fs::remove_file(self.disk().join("filler")).expect("it was filled");
    }
}

impl Drop for Island {
    fn drop(&mut self) {
        let _gone = self.holder.kill();
        let _reaped = self.holder.wait();
    }
}

fn daemon(scene: &Scene, island: &Island) -> Daemon {
    scene
        .builder()
        .set("state.directory", island.at.to_str().expect("a readable name"))
        .program(island.program(scene.directory.path()))
        .prepare()
}

/// The status says that something is wrong on this side.
fn says_so(status: &Value) -> bool {
    status["waiting_for"].as_str().is_some_and(|text| text.contains("full"))
        || status["ledger"] == "temporary"
}

fn may_mount() -> bool {
    needs("unshare", "util-linux");
    permitted("mounting a disk of its own", rustix::process::geteuid().is_root())
}

#[test]
fn a_disk_that_fills_up_while_the_daemon_runs_is_told_and_costs_nothing() {
    if !may_mount() {
        return;
    }
    for left in [0, 40, 120] {
        let mut scene = Scene::new("full");
        let island = Island::new(&scene.directory.path().join("disk"));
        let daemon = daemon(&scene, &island);
        daemon.start();
        scene.app.insert_inquiries(200);
        scene.wait_delivered(&daemon);
        island.fill(left);
        scene.app.insert_inquiries(3_000);
        let rows = scene.app.count();
        let told = daemon.wait_status("full or done", |status| says_so(status) || scene.count() == rows);
        assert!(says_so(&told) || left > 0, "{left} KiB left: {told}");
        island.free();
        scene.wait_delivered(&daemon);
        daemon.wait_status("work again", |status| {
            status["waiting_for"].is_null() && status["status"] == "completed"
        });
        let told = history(&daemon);
        if daemon.status()["ledger"] == "kept" {
            assert_eq!(sum(&told, "successful_records"), rows, "{left} KiB left: {told:?}");
        }
        assert_eq!(sum(&told, "failed_records"), 0);
        daemon.restart();
        scene.app.insert_inquiries(5);
        scene.wait_delivered(&daemon);
        assert!(!daemon.log().text().contains("panicked"));
    }
}

#[test]
fn a_disk_that_is_full_when_the_daemon_starts_is_told_and_costs_nothing() {
    if !may_mount() {
        return;
    }
    for fresh in [true, false] {
        let mut scene = Scene::new("fullstart");
        let island = Island::new(&scene.directory.path().join("disk"));
        let daemon = daemon(&scene, &island);
        if !fresh {
            scene.app.insert_inquiries(200);
            daemon.start();
            scene.wait_delivered(&daemon);
            daemon.terminate();
        }
        island.fill(0);
        scene.app.insert_inquiries(200);
        daemon.start();
        daemon.wait_status("that it is full", says_so);
        island.free();
        scene.app.insert_inquiries(1);
        scene.wait_delivered(&daemon);
        daemon.wait_status("the disk in use", |status| {
            status["ledger"] != "temporary" && status["waiting_for"].is_null()
        });
        daemon.restart();
        scene.app.insert_inquiries(5);
        scene.wait_delivered(&daemon);
        assert_eq!(daemon.status()["ledger"], "kept");
    }
}

#[test]
fn a_state_directory_that_is_read_only_is_replaced_by_memory() {
    if !may_mount() {
        return;
    }
    let mut scene = Scene::new("readonly");
    let island = Island::new(&scene.directory.path().join("disk"));
    let daemon = daemon(&scene, &island);
    scene.app.insert_inquiries(200);
    daemon.start();
    scene.wait_delivered(&daemon);
    daemon.terminate();

    island.remount("ro");
    scene.app.insert_inquiries(50);
    daemon.start();
    scene.wait_delivered(&daemon);
    let status = daemon.status();
    assert_eq!((&status["ledger"], &status["waiting_for"]), (&"temporary".into(), &Value::Null));

    island.remount("rw");
    scene.app.insert_inquiries(50);
    scene.wait_delivered(&daemon);
    daemon.wait_status("the disk in use", |status| status["ledger"] == "rebuilt");

    daemon.restart();
    scene.app.insert_inquiries(5);
    scene.wait_delivered(&daemon);
    assert_eq!(daemon.status()["ledger"], "kept");
}
