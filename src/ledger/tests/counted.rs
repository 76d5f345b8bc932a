//! Rows that an export wrote and didn't come to count: whoever finds them counts them, once.

use std::fs;
use std::path::Path;

use super::store::ended;
use super::*;
use crate::report::{Progress, RunState};

const RECORDED: &str = "2024-01-01T00:00:01.000Z";
const LOST: &str = "2024-01-01T00:00:02.000Z";

/// An export that broke off with a batch that it wrote at [`LOST`] and didn't count.
fn broken_off(store: &Store, export_id: &str) {
    let run = store.run_started(&start(export_id)).unwrap();
    let standing = Standing { run, progress: &Progress::default(), written_at: RECORDED };
    store.with(|ledger| ledger.record(standing, &[], Timestamp::from_millis(2)).map(drop)).unwrap();
    store.run_ended(run, RunEnd { state: RunState::Failed, ..ended(0) });
}

/// Whether a row of the batch that `broken_off` left is to be counted by whoever finds it.
fn is_owed(store: &Store, export_id: &str) -> bool {
    let counted = store.with(|ledger| ledger.counted_to(export_id)).unwrap();
    counted.is_some_and(|counted| counted.leaves_out(LOST))
}

fn delete(directory: &Path, store: &Store) {
    fs::remove_file(directory.join("state.db")).unwrap();
    store.refresh().unwrap();
    assert!(store.take_lost());
}

#[test]
fn what_a_later_export_may_have_counted_is_not_counted_again_when_its_entries_are_lost() {
    let temp = tempfile::tempdir().unwrap();
    let store = Store::open(temp.path()).unwrap();
    store.bind("source", "target").unwrap();
    broken_off(&store, "a");
    let finder = store.run_started(&start("b")).unwrap();
    assert!(is_owed(&store, "a"), "nobody has counted it");
    let progress = Progress { total: 9, successful: 1, ..Progress::default() };
    let standing = Standing { run: finder, progress: &progress, written_at: LOST };
    store
        .with(|ledger| ledger.record(standing, &[Row::number(1).record()], Timestamp::from_millis(2)))
        .unwrap();
    assert!(is_owed(&store, "a"), "the next row may be another one of that batch");
    delete(temp.path(), &store);
    assert!(!is_owed(&store, "a"));
}

#[test]
fn what_nobody_can_have_counted_is_still_counted_when_the_entries_are_lost() {
    let temp = tempfile::tempdir().unwrap();
    let store = Store::open(temp.path()).unwrap();
    store.bind("source", "target").unwrap();
    broken_off(&store, "a");
    // One that got nowhere has counted nothing.
    let nowhere = store.run_started(&start("b")).unwrap();
    store.run_ended(nowhere, RunEnd { state: RunState::Failed, ..ended(0) });
    delete(temp.path(), &store);
    assert!(is_owed(&store, "a"));
    assert_eq!(store.bind("source", "another target").unwrap(), Bound::Same, "there are no entries");
    assert!(is_owed(&store, "a"));
}

#[test]
fn what_a_later_export_may_have_counted_is_not_counted_again_at_another_target_and_back() {
    let temp = tempfile::tempdir().unwrap();
    let store = Store::open(temp.path()).unwrap();
    store.bind("source", "target").unwrap();
    broken_off(&store, "a");
    let finder = store.run_started(&start("b")).unwrap();
    store.with(|ledger| record(ledger, &rows(30), 10)).unwrap();
    store.run_ended(finder, ended(27));
    assert_eq!(store.bind("source", "another target").unwrap(), Bound::Forgotten { entries: 30 });
    assert_eq!(store.bind("source", "target").unwrap(), Bound::Same);
    assert!(!is_owed(&store, "a"));
}

#[test]
fn once_every_row_was_compared_nothing_that_an_earlier_export_wrote_is_left_to_count() {
    let temp = tempfile::tempdir().unwrap();
    let store = Store::open(temp.path()).unwrap();
    broken_off(&store, "a");
    let under_way = store.run_started(&start("b")).unwrap();
    store.compared();
    assert!(!is_owed(&store, "a"));
    let own = store.with(|ledger| ledger.counted_to("b")).unwrap().unwrap();
    assert!(own.leaves_out(LOST), "the one under way goes on counting");
    store.run_ended(under_way, ended(0));
    store.compared();
    assert!(!is_owed(&store, "b"), "nor has one that is over");
}

#[test]
fn exports_are_told_once_though_the_ledger_went_to_memory_and_back() {
    let mut file = Ledger::temporary().unwrap();
    file.run_started(&start("a")).unwrap();
    file.run_started(&start("b")).unwrap();
    let mut memory = Ledger::temporary().unwrap();
    memory.take_over(&file.runs().unwrap()).unwrap();
    memory.run_ended(2, &ended(3)).unwrap();
    memory.run_started(&start("c")).unwrap();
    file.forget_entries().unwrap();
    file.take_over(&memory.runs().unwrap()).unwrap();
    let told = file.history(10, None).unwrap();
    let told: Vec<_> = told.iter().map(|past| (past.export_id.as_str(), past.successful_records)).collect();
    assert_eq!(told, [("c", 0), ("b", 3), ("a", 0)], "as they were known last");
    let is_owed = |id: &str| file.counted_to(id).unwrap().unwrap().leaves_out(LOST);
    assert_eq!([is_owed("a"), is_owed("b"), is_owed("c")], [false, true, true]);
}
