//! Files that are spoilt while the daemon runs.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::*;
use crate::report::{LedgerState, Progress, RunState};

type Spoil = (&'static str, fn(&Path));

/// A store in use: bound, with 600 rows and an export under way.
fn in_use(directory: &Path) -> (Store, i64) {
    let store = Store::open(directory).unwrap();
    store.bind("source", "target").unwrap();
    let number = store.run_started(&start("under way")).unwrap();
    store.with(|ledger| record(ledger, &rows(600), 10)).unwrap();
    assert_eq!(store.state(), LedgerState::Kept);
    assert!(!store.take_lost());
    (store, number)
}

/// An export that went through.
pub(super) fn ended(successful: u64) -> RunEnd {
    RunEnd {
        state: RunState::Completed,
        progress: Progress { total: 600, successful, ..Progress::default() },
        reason: None,
        error: None,
        at: Timestamp::from_millis(20),
    }
}

/// Looks every row up, as a pass does, and records it again.
fn goes_on(store: &Store) {
    for row in rows(600) {
        store.with(|ledger| ledger.entry(row.position.as_ref())).unwrap();
    }
    store.with(|ledger| record(ledger, &rows(600), 20)).unwrap();
    let known = |row: &Row| store.with(|ledger| ledger.entry(row.position.as_ref())).unwrap().is_some();
    assert!(rows(600).iter().all(known) || store.take_lost());
}

#[test]
fn how_it_is_doing_is_told_while_the_disk_hangs() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    store
        .with(|_| {
            // Whoever asked behind the lock would wait for himself.
            assert_eq!((store.state(), store.take_lost()), (LedgerState::Kept, false));
            Ok(())
        })
        .unwrap();
}

#[test]
fn whatever_happens_to_the_file_work_goes_on_and_the_export_under_way_is_remembered() {
    let spoils: [Spoil; 6] = [
        ("deleted", |path| fs::remove_file(path).unwrap()),
        ("deleted with its directory", |path| fs::remove_dir_all(path.parent().unwrap()).unwrap()),
        ("replaced by a directory", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
        ("replaced by a text", |path| {
            fs::write(path.with_extension("new"), "what is this?\n").unwrap();
            fs::rename(path.with_extension("new"), path).unwrap();
        }),
        ("emptied", |path| fs::File::options().write(true).open(path).unwrap().set_len(0).unwrap()),
        ("zeroed", |path| {
            let length = fs::metadata(path).unwrap().len();
            let mut file = fs::File::options().write(true).open(path).unwrap();
            file.write_all(&vec![0; usize::try_from(length).unwrap()]).unwrap();
        }),
    ];
    for (what, spoil) in spoils {
        for checkpointed in [true, false] {
            let temp = tempfile::tempdir().unwrap();
            let directory = temp.path().join("state");
            let (store, number) = in_use(&directory);
            if checkpointed {
                let checkpoint = |ledger: &mut Ledger| {
                    Ok(ledger.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
                };
                store.with(checkpoint).unwrap();
            }
            spoil(&directory.join("state.db"));
            goes_on(&store);
            store.run_ended(number, ended(600));
            store.refresh().unwrap();
            goes_on(&store);
            drop(store);
            let store = Store::open(&directory).unwrap();
            goes_on(&store);
            // What was overwritten in place can't be saved.
            if what.starts_with("deleted") || what.starts_with("replaced") {
                assert_eq!(store.history(10).unwrap().len(), 1, "{what}, checkpointed: {checkpointed}");
            }
        }
    }
}

#[test]
fn a_deleted_ledger_is_noticed_and_told() {
    let temp = tempfile::tempdir().unwrap();
    let (store, _) = in_use(temp.path());
    fs::remove_file(temp.path().join("state.db")).unwrap();
    store.refresh().unwrap();
    assert_eq!(store.state(), LedgerState::Rebuilt);
    assert!(store.take_lost() && !store.take_lost());
    assert_eq!(store.with(|ledger| ledger.entry(at(1))).unwrap(), None);
    let target = store.with(|ledger| ledger.fact("target")).unwrap();
    assert_eq!(target.as_deref(), Some("target"), "it speaks of the same target");
    let uncounted = |at: &str| {
        store
            .with(|ledger| Ok(ledger.counted_to("under way")?.map(|counted| counted.leaves_out(at))))
            .unwrap()
    };
    assert_eq!(uncounted(""), Some(false), "what it wrote until then is counted");
}

#[test]
fn a_directory_that_spoils_its_files_again_and_again_is_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    let (store, _) = in_use(temp.path());
    for _ in 0..3 {
        let _ = fs::remove_file(temp.path().join("state.db"));
        store.refresh().unwrap();
        goes_on(&store);
    }
    assert_eq!(store.state(), LedgerState::Temporary);
}

#[test]
fn a_directory_that_can_be_used_at_last_is_used() {
    let temp = tempfile::tempdir().unwrap();
    let directory = temp.path().join("file/state");
    fs::write(temp.path().join("file"), "").unwrap();
    let store = Store::open(&directory).unwrap();
    let number = store.run_started(&start("in memory")).unwrap();
    store.run_ended(number, ended(600));
    store.refresh().unwrap();
    assert_eq!(store.state(), LedgerState::Temporary);
    fs::remove_file(temp.path().join("file")).unwrap();
    store.refresh().unwrap();
    assert_eq!(store.state(), LedgerState::Rebuilt);
    assert!(store.take_lost());
    assert_eq!(store.history(10).unwrap()[0].export_id, "in memory");
    goes_on(&store);
    assert!(directory.join("state.db").is_file());
}

#[test]
fn entries_that_slept_while_a_temporary_ledger_worked_are_forgotten() {
    let temp = tempfile::tempdir().unwrap();
    let directory = temp.path().join("state");
    drop(in_use(&directory));
    let away = temp.path().join("away");
    fs::rename(&directory, &away).unwrap();
    fs::write(&directory, "").unwrap();
    let store = Store::open(&directory).unwrap();
    assert_eq!(store.state(), LedgerState::Temporary);
    fs::remove_file(&directory).unwrap();
    fs::rename(&away, &directory).unwrap();
    store.refresh().unwrap();
    assert_eq!(store.with(|ledger| ledger.entry(at(1))).unwrap(), None);
    assert_eq!(store.history(10).unwrap()[0].export_id, "under way", "past exports are kept");
}

#[test]
fn the_command_line_can_release_rows_beside_the_daemon_and_call_it() {
    let temp = tempfile::tempdir().unwrap();
    let (store, _) = in_use(temp.path());
    assert_eq!(Ledger::open_to_read(temp.path()).unwrap().remark_counts().unwrap(), (56, 46));
    assert_eq!(Ledger::open_to_write(temp.path()).unwrap().release().unwrap(), 46);
    assert!(!was_called(temp.path()));
    call(temp.path()).unwrap();
    assert!(was_called(temp.path()) && !was_called(temp.path()));
    assert_eq!(store.with(|ledger| ledger.entry(at(13))).unwrap(), None);
    goes_on(&store);
    assert_eq!(store.state(), LedgerState::Kept);
}
