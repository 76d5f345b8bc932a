//! The state directory is spoilt: between runs, while the daemon waits, and during an export.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Scene, history};
use crate::support::daemon::Daemon;
use crate::support::mongod::shared_mongod;
use crate::support::proxy::Proxy;
use crate::support::wait::{PATIENCE, eventually};

type Spoil = (&'static str, fn(&Path));

const SPOILS: [Spoil; 12] = [
    ("cut to nothing", |path| cut(path, |_| 0)),
    ("cut in its header", |path| cut(path, |_| 50)),
    ("cut at half", |path| cut(path, |length| length / 2)),
    ("cut by a byte", |path| cut(path, |length| length - 1)),
    ("flipped in its header", |path| flip(path, 18..30)),
    ("flipped in its schema", |path| flip(path, 100..200)),
    ("flipped everywhere", |path| flip(path, 100..usize::MAX)),
    ("zeroed", |path| change(path, |bytes| bytes.fill(0))),
    ("deleted", |path| fs::remove_file(path).expect("it is there")),
    ("deleted with its directory", |path| {
        fs::remove_dir_all(path.parent().expect("it has a directory")).expect("it is there");
    }),
    ("replaced by a directory", |path| {
        fs::remove_file(path).expect("it is there");
        fs::create_dir(path).expect("its directory is writable");
    }),
    ("replaced by a text", |path| {
        let text = path.with_extension("text");
        fs::write(&text, "nothing of interest\n").expect("its directory is writable");
        fs::rename(&text, path).expect("its directory is writable");
    }),
];

fn cut(path: &Path, length: impl Fn(u64) -> u64) {
    let file = fs::File::options().write(true).open(path).expect("it is there");
    let now = file.metadata().expect("it is open").len();
    file.set_len(length(now)).expect("a file can be cut");
}

fn flip(path: &Path, range: std::ops::Range<usize>) {
    change(path, |bytes| {
        let end = range.end.min(bytes.len());
        bytes.get_mut(range.start..end).unwrap_or_default().iter_mut().step_by(7).for_each(|byte| *byte ^= 4);
    });
}

/// Writes over a file in place, as a failing disk does.
fn change(path: &Path, change: impl Fn(&mut [u8])) {
    let mut bytes = fs::read(path).expect("it is there");
    change(&mut bytes);
    let mut file = fs::File::options().write(true).open(path).expect("it is there");
    std::io::Write::write_all(&mut file, &bytes).expect("it is writable");
}

fn state_file(daemon: &Daemon) -> std::path::PathBuf {
    daemon.directory().join("state/state.db")
}

#[track_caller]
fn is_calm(daemon: &Daemon) {
    let text = daemon.log().text();
    assert!(!text.contains("panicked") && !text.contains("\"ERROR\""), "{text}");
}

#[test]
fn a_ledger_spoilt_between_runs_costs_no_row_and_doubles_none() {
    let mut scene = Scene::new("between");
    scene.app.insert_inquiries(300);
    let daemon = scene.builder().start();
    scene.wait_delivered(&daemon);
    for (what, spoil) in SPOILS {
        let before = daemon.status()["start_time"].clone();
        daemon.terminate();
        spoil(&state_file(&daemon));
        scene.app.insert_inquiries(5);
        // Without its memory the daemon can't know which ids it gave in this second.
        eventually(PATIENCE, "another second", || {
            let now = jiff::Timestamp::now().to_string();
            (Some(&now[..19]) != before.as_str().map(|before| &before[..19])).then_some(())
        });
        let mark = daemon.log().mark();
        daemon.start();
        scene.wait_delivered(&daemon);
        daemon.wait_log_after(mark, "export_completed");
        // Damage that is met on the way leads to a second look: what counts is the sum.
        let sum = |counter: &str| -> u64 {
            let lines = daemon.log().since(mark);
            lines.iter().filter_map(|line| line.field(counter)?.as_u64()).sum()
        };
        assert_eq!(sum("failed"), 0, "{what}");
        assert_eq!(sum("successful"), 5, "{what}: what was there isn't counted as written");
        is_calm(&daemon);
    }
}

#[test]
fn a_ledger_of_a_newer_release_is_set_aside() {
    let mut scene = Scene::new("newer");
    scene.app.insert_inquiries(30);
    let daemon = scene.builder().start();
    scene.wait_delivered(&daemon);
    daemon.terminate();
    let newer = rusqlite::Connection::open(state_file(&daemon)).expect("a database");
    newer.pragma_update(None, "user_version", 99).expect("it is writable");
    drop(newer);
    scene.app.insert_inquiries(3);
    daemon.start();
    scene.wait_delivered(&daemon);
    assert_eq!(daemon.status()["ledger"], "rebuilt");
    assert!(state_file(&daemon).with_extension("db.damaged").is_file());
}

#[test]
fn a_ledger_spoilt_while_the_daemon_waits_costs_no_row_and_doubles_none() {
    for (what, spoil) in SPOILS {
        let mut scene = Scene::new("waiting");
        scene.app.insert_inquiries(300);
        let daemon = scene.builder().start();
        scene.wait_delivered(&daemon);
        let pid = daemon.pid();
        spoil(&state_file(&daemon));
        for _ in 0..2 {
            scene.app.insert_inquiries(5);
            scene.wait_delivered(&daemon);
        }
        let exported = super::export(&daemon);
        assert_eq!(
            (&exported["status"], &exported["skipped_records"]),
            (&"completed".into(), &310.into()),
            "{what}"
        );
        assert_eq!(daemon.pid(), pid, "{what}");
        is_calm(&daemon);
        daemon.restart();
        scene.is_exact();
    }
}

#[test]
fn a_ledger_spoilt_during_an_export_costs_no_row_and_doubles_none() {
    for (what, spoil) in SPOILS {
        let mut scene = Scene::new("during");
        scene.app.insert_inquiries(1_500);
        let proxy = Proxy::start(shared_mongod().port());
        proxy.rate(700_000);
        let daemon = scene.builder_at(&proxy.uri()).set("export.batch_size", 100).start();
        daemon.wait_status("some batches", |status| status["processed_records"].as_u64() >= Some(200));
        spoil(&state_file(&daemon));
        proxy.open();
        scene.wait_delivered(&daemon);
        let status = daemon.wait_status(what, |status| status["status"] == "completed");
        assert_eq!(status["failed_records"], 0, "{what}");
        is_calm(&daemon);
        daemon.restart();
        scene.app.insert_inquiries(1);
        scene.wait_delivered(&daemon);
    }
}

#[test]
fn a_state_directory_that_can_t_be_made_is_replaced_by_memory_until_it_can() {
    let mut scene = Scene::new("unmakable");
    let file = scene.directory.path().join("file");
    fs::write(&file, "").expect("our own directory");
    let state = file.join("state");
    scene.app.insert_inquiries(50);
    let daemon = scene.builder().set("state.directory", state.to_str().expect("a readable name")).start();
    scene.wait_delivered(&daemon);
    let status = daemon.status();
    assert_eq!((&status["ledger"], &status["waiting_for"]), (&"temporary".into(), &Value::Null));
    daemon.wait_log("ledger_temporary");
    assert_eq!(history(&daemon)[0]["successful_records"], 50);

    fs::remove_file(&file).expect("our own file");
    scene.app.insert_inquiries(5);
    scene.wait_delivered(&daemon);
    daemon.wait_status("the directory in use", |status| status["ledger"] == "rebuilt");
    daemon.restart();
    scene.app.insert_inquiries(5);
    scene.wait_delivered(&daemon);
    assert_eq!(daemon.status()["ledger"], "kept");
    let said = daemon.log().all().iter().filter(|line| line.event() == Some("ledger_temporary")).count();
    assert_eq!(said, 1, "it is said once");
}
