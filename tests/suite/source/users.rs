//! The application open or closed, its WAL left over or not, its directory writable for the daemon or not.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use super::rig::{Rig, Rows, rows};
use crate::support::daemon::daemon_binary;
use crate::support::privilege::{needs, permitted};
use crate::support::sqlite::{App, Journal, TABLE};

/// "nobody" and the application's own user.
const DAEMON: u32 = 65_534;
const APPLICATION: u32 = 12_345;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Writer {
    /// The application has its database open.
    Open,
    /// It closed it, and so cleared the WAL away.
    Closed,
    /// It crashed: the WAL and its index were left behind.
    Crashed,
    /// The host crashed: the WAL was left behind, and its index is gone.
    WithoutIndex,
}

#[test]
fn a_foreign_database_is_read_whether_it_is_open_or_closed_and_nothing_is_left_beside_it() {
    let Some(program) = as_another_user() else { return };
    for journal in [Journal::Wal, Journal::Delete] {
        for writer in [Writer::Open, Writer::Closed, Writer::Crashed, Writer::WithoutIndex] {
            if journal == Journal::Delete && !matches!(writer, Writer::Open | Writer::Closed) {
                continue;
            }
            let rig = Rig::new("foreign", "app/inquiries.db", |builder| builder.program(&program.1));
            give_away(rig.daemon.directory(), 0o755, DAEMON);
            give_away(rig.directory(), 0o755, 0);
            let (app, wanted) = prepared(&rig, journal, writer);
            let before = names(&rig.path("app"));
            rig.daemon.start();
            if writer == Writer::WithoutIndex {
                // Only its owner may make an index for it. Wrong rows would be worse than none.
                let line = rig.daemon.wait_log("source_unavailable");
                assert!(line.text().contains("left behind"), "{}", line.text());
                assert_eq!(rig.documents(), Rows::new());
                let mut app = App::open(&rig.path("app/inquiries.db"));
                assert_eq!(rows(app.connection(), TABLE), wanted);
                rig.wait_for("the rows once the application is back", &wanted);
                continue;
            }
            rig.wait_for(&format!("{journal:?} {writer:?}"), &wanted);
            assert_eq!(names(&rig.path("app")), before, "{journal:?} {writer:?}");
            drop(app);
        }
    }
}

#[test]
fn a_cleanly_closed_wal_database_is_read_without_leaving_a_file_beside_it() {
    let rig = Rig::start("clean");
    let mut app = App::create(rig.directory());
    app.insert_inquiries(25);
    let wanted = rows(app.connection(), TABLE);
    app.close();
    rig.wait_for("the rows", &wanted);
    assert_eq!(rig.daemon.get("/api/export/sqlite-data").1["data"]["total_records"], 25);
    rig.daemon.post("/api/export/sqlite-to-mongodb");
    rig.daemon.wait_status("the export's end", |status| status["status"] == "completed");
    assert_eq!(names(rig.directory()), ["inquiries.db"]);
}

/// A database of a user that isn't the daemon's, in a directory that only he can write to.
fn prepared(rig: &Rig, journal: Journal, writer: Writer) -> (Option<App>, Rows) {
    let work = rig.path("work");
    fs::create_dir(&work).expect("our own directory");
    let mut app = App::create_with(&work, journal);
    app.insert_inquiries(25);
    let wanted = rows(app.connection(), TABLE);
    let directory = rig.path("app");
    let app = match writer {
        Writer::Open => Some(app),
        Writer::Closed => {
            app.close();
            None
        }
        Writer::Crashed | Writer::WithoutIndex => {
            let copy = rig.path("copy");
            fs::create_dir(&copy).expect("our own directory");
            for name in names(&work) {
                if writer == Writer::Crashed || !name.ends_with("-shm") {
                    fs::copy(work.join(&name), copy.join(&name)).expect("our own files");
                }
            }
            app.close();
            fs::rename(&copy, &work)
                .or_else(|_| {
                    fs::remove_dir_all(&work)?;
                    fs::rename(&copy, &work)
                })
                .expect("our own directories");
            None
        }
    };
    for name in names(&work) {
        give_away(&work.join(name), 0o644, APPLICATION);
    }
    give_away(&work, 0o755, APPLICATION);
    fs::rename(&work, &directory).expect("our own directory");
    (app, wanted)
}

fn give_away(path: &Path, mode: u32, user: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("we are root");
    chown(path, Some(user), Some(user)).expect("we are root");
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("our own directory");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("a name").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A program that runs the daemon as another user, if the tests may do that.
fn as_another_user() -> Option<(tempfile::TempDir, PathBuf)> {
    needs("setpriv", "util-linux");
    if !permitted("running the daemon as somebody else", rustix::process::geteuid().is_root()) {
        return None;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    // The build's own directory may be closed to others.
    let copy = directory.path().join("mongo-uplink");
    fs::copy(daemon_binary(), &copy).expect("the program can be read");
    let script = directory.path().join("as-nobody");
    let text = format!(
        "#!/bin/sh\nexec setpriv --reuid {DAEMON} --regid {DAEMON} --clear-groups {} \"$@\"\n",
        copy.display()
    );
    fs::write(&script, text).expect("our own directory");
    for path in [directory.path(), &copy, &script] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("our own files");
    }
    Some((directory, script))
}
