//! Ledgers of any bytes.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::noise::{Damage, damage, each};

const SNIPPETS: &[&str] =
    &["SQLite format 3\0", "\0\0\0\0", "\u{ff}\u{ff}", "CREATE TABLE", "row", "remark", "\r", "\n", "\u{5}"];

#[test]
fn no_ledger_whatever_makes_it_panic_or_keeps_it_from_going_on() {
    // In memory where it can be: there are many, and what is tried isn't the disk.
    let temp = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let known = rows(60);
    let (whole, log) = {
        let (mut ledger, _) = Ledger::open(temp.path()).unwrap();
        ledger.bind("source", "target").unwrap();
        record(&mut ledger, &known[..40], 10).unwrap();
        drop(ledger);
        let whole = fs::read(temp.path().join("state.db")).unwrap();
        let (mut ledger, _) = Ledger::open(temp.path()).unwrap();
        record(&mut ledger, &known, 20).unwrap();
        (whole, fs::read(temp.path().join("state.db-wal")).unwrap())
    };
    let damages = || prop::collection::vec(damage(SNIPPETS), 0..5);
    each(
        "ledgers",
        1,
        (damages(), prop::option::of(damages())),
        |(to_file, to_log): (Vec<Damage>, Option<Vec<Damage>>)| {
            for entry in fs::read_dir(temp.path()).unwrap() {
                let path = entry.unwrap().path();
                let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            }
            let damaged = |bytes: &[u8], damages: &[Damage]| {
                let mut bytes = bytes.to_vec();
                damages.iter().for_each(|damage| damage.to(&mut bytes));
                bytes
            };
            fs::write(temp.path().join("state.db"), damaged(&whole, &to_file)).unwrap();
            if let Some(to_log) = to_log {
                fs::write(temp.path().join("state.db-wal"), damaged(&log, &to_log)).unwrap();
            }
            let store = Store::open(temp.path()).unwrap();
            store.refresh().unwrap();
            store.bind("source", "target").unwrap();
            // Damage may be met at any time; then the work is done once more, with a ledger that was made anew.
            for _ in 0..3 {
                for row in &known {
                    store.with(|ledger| ledger.entry(row.position.as_ref())).unwrap();
                }
                store.with(|ledger| record(ledger, &known, 30)).unwrap();
                store.with(|ledger| ledger.remarks(None, None, 1000)).unwrap();
                if !store.take_lost() {
                    return;
                }
            }
        },
    );
}
