//! New rows are seen at once, and nothing is read while there are none.

use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use mongodb::bson::doc;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use crate::source::rig::{Rig, rows};
use crate::support::daemon::daemon_binary;
use crate::support::privilege::{needs, permitted};
use crate::support::sqlite::{App, Journal, TABLE};
use crate::support::wait::{PATIENCE, eventually, poll};

#[test]
fn a_new_row_is_in_the_collection_in_a_moment() {
    for journal in [Journal::Wal, Journal::Delete] {
        let rig = Rig::start("moment");
        let mut app = App::create_with(rig.directory(), journal);
        app.insert_inquiries(100);
        rig.wait_for("the first rows", &rows(app.connection(), TABLE));
        let mut times: Vec<Duration> = (101..=130)
            .map(|id: i64| {
                app.insert_inquiries(1);
                let committed = Instant::now();
                eventually(PATIENCE, "the row", || {
                    (rig.mongo.count_where(&rig.database, TABLE, doc! { "id": id }) == 1).then_some(())
                });
                committed.elapsed()
            })
            .collect();
        times.sort();
        eprintln!("{journal:?}: from commit to document: median {:?}, worst {:?}", times[15], times[29]);
        assert!(times[15] < Duration::from_secs(1), "{journal:?}: {times:?}");
    }
}

#[test]
fn an_idle_daemon_does_not_touch_the_database() {
    for journal in [Journal::Wal, Journal::Delete] {
        let rig = Rig::start("idle");
        let mut app = App::create_with(rig.directory(), journal);
        app.insert_inquiries(100);
        rig.wait_for("the rows", &rows(app.connection(), TABLE));
        let touches = Touches::of(rig.directory());
        // It may still make sure once that it has seen everything: on a busy machine, after a while.
        eventually(Duration::from_secs(60), "a daemon that lets the files be", || {
            poll(Duration::from_secs(6), || touches.any()).is_none().then_some(())
        });
        app.insert_inquiries(1);
        rig.wait_for("the daemon is still awake", &rows(app.connection(), TABLE));
    }
}

#[test]
fn a_writer_that_never_rests_makes_at_most_ten_exports_a_second() {
    let rig = Rig::start("restless");
    let mut app = App::create(rig.directory());
    app.insert_inquiries(1);
    rig.wait_for("the first row", &rows(app.connection(), TABLE));
    let (mark, began) = (rig.daemon.log().mark(), Instant::now());
    while began.elapsed() < Duration::from_secs(3) {
        app.insert_inquiries(1);
    }
    let seconds = began.elapsed().as_secs_f64();
    rig.wait_for("all rows", &rows(app.connection(), TABLE));
    let exports =
        rig.daemon.log().since(mark).iter().filter(|line| line.event() == Some("export_started")).count();
    eprintln!("{} rows in {seconds:.1} s, {exports} exports", app.count());
    assert!((exports as f64) < seconds.mul_add(10.0, 3.0), "{exports} in {seconds} s");
    assert!(exports >= 3, "{exports} in {seconds} s");
}

#[test]
fn without_inotify_the_files_are_looked_at_and_it_is_said_once() {
    // A user namespace has limits of its own.
    const WITHOUT: &str = "echo 0 > /proc/sys/user/max_inotify_instances && exec \"$0\" \"$@\"";
    let unshare = ["--user", "--map-root-user", "sh", "-c", WITHOUT];
    needs("unshare", "util-linux");
    let made = Command::new("unshare").args(unshare).arg("true").status();
    if !permitted("making a user namespace", made.is_ok_and(|status| status.success())) {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let script = directory.path().join("without-inotify");
    let program = daemon_binary();
    let text = format!(
        "#!/bin/sh\nexec unshare --user --map-root-user sh -c '{WITHOUT}' {} \"$@\"\n",
        program.display()
    );
    fs::write(&script, text).expect("our own directory");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("our own file");
    for journal in [Journal::Wal, Journal::Delete] {
        let rig = Rig::new("blind", "inquiries.db", |builder| builder.program(&script));
        rig.daemon.start();
        rig.daemon.wait_log("watch_degraded");
        let mut app = App::create_with(rig.directory(), journal);
        for count in [20, 1, 1] {
            app.insert_inquiries(count);
            rig.wait_for("rows", &rows(app.connection(), TABLE));
        }
        let said =
            rig.daemon.log().all().iter().filter(|line| line.event() == Some("watch_degraded")).count();
        assert_eq!(said, 1);
    }
}

/// Whoever opens, reads or writes a file of a directory.
struct Touches(OwnedFd);

impl Touches {
    fn of(directory: &Path) -> Self {
        let inotify = inotify::init(CreateFlags::NONBLOCK).expect("inotify works here");
        let flags = WatchFlags::ACCESS | WatchFlags::OPEN | WatchFlags::MODIFY;
        inotify::add_watch(&inotify, directory, flags).expect("our own directory");
        Self(inotify)
    }

    fn any(&self) -> Option<String> {
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut events = inotify::Reader::new(&self.0, &mut buffer);
        let mut seen = None;
        while let Ok(event) = events.next() {
            // The directory itself is looked into by whoever lists it.
            if let Some(name) = event.file_name() {
                seen = Some(format!("{} {:?}", name.to_string_lossy(), event.events()));
            }
        }
        seen
    }
}
