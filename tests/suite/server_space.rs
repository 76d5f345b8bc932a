//! MongoDB's own disk is full: told as such, no row is lost or blamed, and it heals when there is space.

use std::fs;
use std::process::{Child, Command, Stdio};

use crate::support::daemon::Daemon;
use crate::support::mongo::Mongo;
use crate::support::mongod::mongod_binary;
use crate::support::ports;
use crate::support::sandbox::is_possible;
use crate::support::sqlite::{App, TABLE};
use crate::support::wait::eventually;

const LONG: std::time::Duration = std::time::Duration::from_secs(60);

/// Barely enough for an empty server and its journal.
const SMALL: &str = "size=260m";
const LARGE: &str = "size=600m";

/// A server whose data lie on a small file system of their own, until it is dropped.
struct Cramped(Child);

impl Drop for Cramped {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_server_whose_disk_is_full_is_quota_and_heals_when_there_is_space() {
    if !is_possible() {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut app = App::create(directory.path());
    app.insert_inquiries(3);
    let data = directory.path().join("data");
    fs::create_dir(&data).expect("our own directory");
    let port = ports::free();
    let script = format!(
        "mount -t tmpfs -o {SMALL} tmpfs {data} && exec {mongod} --dbpath {data} --port {port} --bind_ip 127.0.0.1 \
         --nounixsocket --wiredTigerCacheSizeGB 0.25 --setParameter diagnosticDataCollectionEnabled=false",
        data = data.display(),
        mongod = mongod_binary().display(),
    );
    let mut command = Command::new("unshare");
    command.args(["-r", "-m", "setpriv", "--pdeathsig", "KILL", "sh", "-c", &script]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let server = Cramped(command.spawn().expect("a program to make namespaces"));
    let uri = format!("mongodb://127.0.0.1:{port}/?directConnection=true");
    let mongo = Mongo::connect(&uri);
    eventually(LONG, "a server", || mongo.hello());

    let daemon = Daemon::builder(app.path(), &uri).start();
    let line = daemon.wait_log("connectivity_lost");
    assert!(line.text().contains("quota"), "{}", line.text());
    assert_eq!(daemon.status()["failed_records"], 0, "no row is to blame");

    let mut remount = Command::new("nsenter");
    remount.args(["-t", &server.0.id().to_string(), "-U", "-m", "--preserve-credentials"]);
    remount.args(["mount", "-o", &format!("remount,{LARGE}")]).arg(&data);
    assert!(remount.status().expect("a program to enter namespaces").success());
    daemon.wait_status("an export", |status| status["successful_records"] == 3);
    assert_eq!(mongo.count("inquiryassistant", TABLE), 3);
}
