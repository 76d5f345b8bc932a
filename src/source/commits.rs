//! Which commit took effect last, as far as it stands in a write-ahead log.
//!
//! What holds: two equal answers mean that no commit in the log took effect in between. Without a log there is no answer,
//! and none is needed: a commit in a rollback journal takes effect when the journal goes, which is reported.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::locks::leaving_locks;
use super::stamp::beside;

/// Where the log's index says how far it is valid (SQLite's walformat.html, 2.1): the number of valid frames, the size
/// of the database, the checksum of the last frame, and the log's salts. What stands before and behind it changes without
/// a commit, too.
const OFFSET: u64 = 16;
const LENGTH: usize = 24;

/// The last commit in a write-ahead log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LastCommit([u8; LENGTH]);

impl LastCommit {
    /// The last one now, if the database of this path has a log in use. Blocks.
    ///
    /// # Errors
    /// The log's index can't be read here.
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        let mut bytes = [0; LENGTH];
        let read = path.canonicalize().and_then(|path| {
            // Without a lock: what is caught in mid-change is another answer, as it should be.
            leaving_locks(|| File::open(beside(&path, "-shm"))?.read_exact_at(&mut bytes, OFFSET))
        });
        match read {
            Ok(()) => Ok(Some(Self(bytes))),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use rusqlite::Connection;

    use super::*;

    /// The locks on a file, as the kernel tells them.
    fn locks(file: &Path) -> Vec<String> {
        let inode = format!(":{} ", std::fs::metadata(file).unwrap().ino());
        let all = std::fs::read_to_string("/proc/locks").unwrap();
        // Without their numbers.
        let ours = all.lines().filter(|line| line.contains(&inode)).filter_map(|line| line.split_once(": "));
        ours.map(|(_, lock)| lock.to_owned()).collect()
    }

    fn last_of(path: &Path) -> Option<LastCommit> {
        LastCommit::of(path).unwrap()
    }

    #[test]
    fn a_read_in_progress_keeps_its_locks() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.db");
        let reader = Connection::open(&path).unwrap();
        reader
            .execute_batch("PRAGMA journal_mode = wal; CREATE TABLE t (x); BEGIN; SELECT * FROM t")
            .unwrap();
        let index = beside(&path, "-shm");
        let held = locks(&index);
        assert!(!held.is_empty());
        assert!(last_of(&path).is_some());
        assert_eq!(locks(&index), held);
        // Any other look at it would not do.
        drop(File::open(&index).unwrap());
        assert!(locks(&index).is_empty());
    }

    #[test]
    fn a_commit_in_the_log_is_told_and_what_readers_and_writers_do_beside_it_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.db");
        let application = Connection::open(&path).unwrap();
        assert_eq!(last_of(&path), None);
        let execute = |sql: &str| application.execute_batch(sql).unwrap();
        execute("PRAGMA journal_mode = wal; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (x)");
        let mut last = last_of(&path);
        assert!(last.is_some());
        execute("PRAGMA cache_size = 1; BEGIN");
        for _ in 0..50 {
            execute("INSERT INTO t VALUES (zeroblob(4000))");
        }
        assert_eq!(last_of(&path), last, "it is written and not committed");
        execute("COMMIT");
        for step in 0..10 {
            let now = last_of(&path);
            assert_ne!(now, last, "step {step}");
            last = now;
            let reader = Connection::open(&path).unwrap();
            let rows: i64 = reader.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
            assert_eq!(rows, 50 + step);
            execute("PRAGMA wal_checkpoint(PASSIVE)");
            assert_eq!(last_of(&path), last, "step {step}: it was read, and carried over");
            execute("INSERT INTO t VALUES (1)");
        }
    }
}
