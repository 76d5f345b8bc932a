//! Files that can't be used, found when the daemon starts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;
use crate::report::LedgerState;

/// A ledger with 600 rows, closed.
fn filled(directory: &Path) {
    let (mut ledger, opened) = Ledger::open(directory).unwrap();
    assert_eq!(opened, Opened::New);
    ledger.bind("source", "target").unwrap();
    record(&mut ledger, &rows(600), 10).unwrap();
}

/// Whatever was done to the file, work goes on, and no outcome is another one than was written.
fn survives(directory: &Path) -> LedgerState {
    let store = Store::open(directory).unwrap();
    store.refresh().unwrap();
    store.bind("source", "target").unwrap();
    for row in rows(600) {
        let entry = store.with(|ledger| ledger.entry(row.position.as_ref())).unwrap();
        if let Some(entry) = entry.filter(|entry| entry.content == row.content) {
            assert_eq!(entry.outcome, row.outcome);
        }
    }
    // Damage may be met at any time; then every row is compared once more, as after a first start.
    store.take_lost();
    for round in 1.. {
        store.with(|ledger| record(ledger, &rows(600), 20)).unwrap();
        let (mut right, mut hidden) = (true, 0);
        for row in rows(600) {
            let entry = store.with(|ledger| ledger.entry(row.position.as_ref())).unwrap();
            // Not found, or found with another content, is safe: the row is looked up in MongoDB. A flipped key hides
            // others from the search, and stands in for one of them.
            hidden += usize::from(entry.as_ref().is_some_and(|entry| entry.content != row.content));
            right &= entry.is_none_or(|entry| entry.content != row.content || entry.outcome == row.outcome);
        }
        right &= hidden <= 1;
        if !store.take_lost() {
            assert!(right);
            break;
        }
        assert!(round < 3);
    }
    store.with(|ledger| ledger.remarks(None, None, 1000)).unwrap();
    store.with(Ledger::release).unwrap();
    store.state()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn only_its_owner_can_read_it() {
    let temp = tempfile::tempdir().unwrap();
    let directory = temp.path().join("a/b");
    let (mut ledger, _) = Ledger::open(&directory).unwrap();
    record(&mut ledger, &rows(3), 10).unwrap();
    assert_eq!(mode(&directory), 0o700);
    for file in ["state.db", "state.db-wal", "state.db-shm"] {
        assert_eq!(mode(&directory.join(file)), 0o600, "{file}");
    }
}

#[test]
fn a_file_cut_short_anywhere_is_survived() {
    let temp = tempfile::tempdir().unwrap();
    filled(temp.path());
    let path = temp.path().join("state.db");
    let whole = fs::read(&path).unwrap();
    for part in 0..24 {
        for length in [whole.len() * part / 24, whole.len() * part / 24 + 1] {
            fs::write(&path, &whole[..length.min(whole.len())]).unwrap();
            survives(temp.path());
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_is_survived() {
    let temp = tempfile::tempdir().unwrap();
    filled(temp.path());
    let path = temp.path().join("state.db");
    let whole = fs::read(&path).unwrap();
    let mut rng = fastrand::Rng::with_seed(25);
    let header = 0..100;
    let elsewhere = std::iter::repeat_with(|| rng.usize(..whole.len())).take(80).collect::<Vec<_>>();
    for place in header.step_by(4).chain(elsewhere) {
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (place % 8);
        fs::write(&path, flipped).unwrap();
        survives(temp.path());
    }
}

#[test]
fn a_zeroed_page_anywhere_is_survived() {
    let temp = tempfile::tempdir().unwrap();
    filled(temp.path());
    let path = temp.path().join("state.db");
    let whole = fs::read(&path).unwrap();
    for page in 0..whole.len() / 4096 {
        let mut zeroed = whole.clone();
        zeroed[page * 4096..(page + 1) * 4096].fill(0);
        fs::write(&path, zeroed).unwrap();
        survives(temp.path());
    }
    fs::write(&path, vec![0; whole.len()]).unwrap();
    assert_eq!(survives(temp.path()), LedgerState::Rebuilt);
}

#[test]
fn whatever_stands_in_its_place_is_moved_aside() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("state.db");
    let newer = || {
        filled(temp.path());
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
    };
    let spoils: [(&str, &dyn Fn()); 6] = [
        ("text", &|| fs::write(&path, "what is this?\n").unwrap()),
        ("a directory", &|| fs::create_dir_all(path.join("full")).unwrap()),
        ("text, where a directory was set aside", &|| fs::write(&path, "what is this?\n").unwrap()),
        ("a directory again", &|| fs::create_dir(&path).unwrap()),
        ("a newer form", &newer),
        ("a lost table", &|| {
            filled(temp.path());
            Connection::open(&path).unwrap().execute_batch("DROP TABLE remark").unwrap();
        }),
    ];
    for (what, spoil) in spoils {
        if path.is_file() {
            fs::remove_file(&path).unwrap();
        }
        spoil();
        assert_eq!(survives(temp.path()), LedgerState::Rebuilt, "{what}");
    }
}

#[test]
fn another_program_s_database_is_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("state.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)").unwrap();
    drop(connection);
    let before = fs::read(&path).unwrap();
    assert!(matches!(Ledger::open(temp.path()), Err(LedgerError::Foreign)));
    assert_eq!(survives(temp.path()), LedgerState::Temporary);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_directory_that_can_t_be_made_is_replaced_by_memory() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("file"), "").unwrap();
    assert_eq!(survives(&temp.path().join("file/state")), LedgerState::Temporary);
}

#[test]
fn a_write_ahead_log_that_is_damaged_or_left_over_is_survived() {
    for spoil in ["damage", "orphan"] {
        let temp = tempfile::tempdir().unwrap();
        let (path, wal) = (temp.path().join("state.db"), temp.path().join("state.db-wal"));
        filled(temp.path());
        let (mut ledger, _) = Ledger::open(temp.path()).unwrap();
        record(&mut ledger, &rows(600), 15).unwrap();
        let mut log = fs::read(&wal).unwrap();
        let database = fs::read(&path).unwrap();
        drop(ledger);
        match spoil {
            "damage" => {
                let middle = log.len() / 2;
                log[middle] ^= 1;
                fs::write(&path, database).unwrap();
            }
            _ => fs::remove_file(&path).unwrap(),
        }
        fs::write(&wal, log).unwrap();
        survives(temp.path());
    }
}
