//! Reading without being noticed.
//!
//! A database is read in one of two ways, chosen anew for each read:
//!
//! - **shared**, if a WAL with content is there: an ordinary read-only connection. In WAL mode a reader never blocks a
//!   writer, and a short one doesn't keep the WAL from being checkpointed. It is closed after each read: one that stays
//!   open keeps the application from clearing its WAL away when it closes, and from leaving WAL mode.
//! - **[frozen](super::frozen)**, if not: everything committed is in the database file itself. A reader's lock could now
//!   make the application's commit fail with `SQLITE_BUSY` (rollback modes), or make files that the application can't
//!   open (WAL mode, closed by everybody). So the file is read without any lock, as immutable, and what was read counts
//!   only if nobody wrote meanwhile; else it is read again.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::frozen::Frozen;
use super::stamp::beside;
use super::{SourceError, Stamp, locks};

/// How long a read that is disturbed is made again before the caller is told.
const PATIENCE: Duration = Duration::from_millis(500);

/// The wait between two attempts: gives a commit under way the time to end, and fits into the gap before the next one.
const PAUSE: Duration = Duration::from_millis(1);

/// How long an ordinary connection waits for a lock (recovery of a WAL, or an exclusive lock of the application).
const BUSY_TIMEOUT: Duration = Duration::from_millis(250);

/// Page cache of a connection: reads go through the table once, so that more gains nothing.
const CACHE_KIB: i64 = 512;

/// A way to the database that opens what it needs when it is needed.
pub(super) struct Access {
    path: PathBuf,
    frozen: Option<Frozen>,
    /// When a read is broken off.
    end: Option<Instant>,
}

impl Access {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), frozen: None, end: None }
    }

    /// The same, whose reads break off at `end`, with SQLite's `SQLITE_INTERRUPT`.
    pub(super) fn until(path: &Path, end: Instant) -> Self {
        Self { end: Some(end), ..Self::new(path) }
    }

    /// Runs `read` on a committed state of the database. It may run several times: the last one counts. Its argument
    /// is the number of attempts before, for a reader that wants to ask for less when it is disturbed.
    pub(super) fn read<T>(
        &mut self,
        mut read: impl FnMut(&Connection, u32) -> Result<T, SourceError>,
    ) -> Result<T, SourceError> {
        let began = Instant::now();
        let mut attempt = 0;
        loop {
            let disturbed = match self.attempt(attempt, &mut read) {
                Ok(Some(value)) => return Ok(value),
                Ok(None) => SourceError::Busy("the database changes faster than it can be read"),
                Err(error @ SourceError::Busy(_)) => error,
                Err(error) => return Err(error),
            };
            if began.elapsed() >= PATIENCE {
                return Err(disturbed);
            }
            attempt += 1;
            std::thread::sleep(PAUSE * (attempt / 16 + 1));
        }
    }

    /// One attempt; `None` if what was read can't be trusted.
    fn attempt<T>(
        &mut self,
        attempt: u32,
        read: &mut impl FnMut(&Connection, u32) -> Result<T, SourceError>,
    ) -> Result<Option<T>, SourceError> {
        let found = Stamp::take(&self.path)?;
        let kept = self.frozen.take().filter(|frozen| frozen.is_still(&found));
        if found.has_wal() {
            drop(kept);
            return self.shared(&found, |connection| read(connection, attempt));
        }
        let mut frozen = match kept {
            Some(frozen) => frozen,
            None => match Frozen::open(&self.path, &found)? {
                Some(frozen) => frozen,
                None => return Ok(None),
            },
        };
        self.limit(&mut frozen.connection)?;
        let value = in_transaction(&frozen.connection, &self.path, |connection| read(connection, attempt));
        if !frozen.held(&self.path)? {
            return Ok(None);
        }
        self.frozen = Some(frozen);
        value.map(Some)
    }

    fn limit(&self, connection: &mut Connection) -> Result<(), SourceError> {
        /// How often it is asked whether the time is over: instructions of SQLite's.
        const ASKED_EACH: i32 = 10_000;
        let Some(end) = self.end else { return Ok(()) };
        connection
            .progress_handler(ASKED_EACH, Some(move || Instant::now() >= end))
            .map_err(|error| SourceError::from_sqlite(&error, &self.path))
    }

    fn shared<T>(
        &self,
        found: &Stamp,
        read: impl FnOnce(&Connection) -> Result<T, SourceError>,
    ) -> Result<Option<T>, SourceError> {
        refuse_to_leave_files(found.file())?;
        let value = {
            let _locks = locks::taken_by_us();
            open_uri(found.file(), "").and_then(|mut connection| {
                self.limit(&mut connection)?;
                let _previous = connection.busy_timeout(BUSY_TIMEOUT);
                in_transaction(&connection, &self.path, read)
            })
        };
        let now = Stamp::take(&self.path)?;
        if !found.same_file(&now) || (value.is_err() && !now.has_wal()) {
            return Ok(None);
        }
        value.map(Some).map_err(without_index)
    }
}

/// Opens the file for reading, with parameters of a URI filename.
pub(super) fn open_uri(file: &Path, parameters: &str) -> Result<Connection, SourceError> {
    let uri = format!("file:{}{parameters}", escaped(file));
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sqlite = |error: rusqlite::Error| SourceError::from_sqlite(&error, file);
    let connection = Connection::open_with_flags(uri, flags).map_err(sqlite)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(sqlite)?;
    // A file that is cut off under a mapping would end the process.
    connection.pragma_update(None, "mmap_size", 0).map_err(sqlite)?;
    Ok(connection)
}

/// A left-over WAL without its index would be given an index that belongs to us, and that the application might not be
/// allowed to open.
fn refuse_to_leave_files(file: &Path) -> Result<(), SourceError> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = |path: &Path| {
        std::fs::metadata(path).map_err(|source| SourceError::File { path: path.to_owned(), source })
    };
    if beside(file, "-shm").exists() {
        return Ok(());
    }
    let we = metadata(Path::new("/proc/self"))?.uid();
    if we == 0 || we == metadata(file)?.uid() {
        return Ok(());
    }
    Err(SourceError::Busy(LEFT_BEHIND))
}

/// What is told of a WAL that only its owner can read.
const LEFT_BEHIND: &str =
    "a WAL was left behind without its index: waiting for the application to open its database";

/// An index that can't be made either, because the directory isn't writable.
fn without_index(error: SourceError) -> SourceError {
    match error {
        SourceError::Sqlite { code, .. } if rusqlite::ffi::Error::new(code).code == ErrorCode::CannotOpen => {
            SourceError::Busy(LEFT_BEHIND)
        }
        other => other,
    }
}

/// Several statements, one state of the database.
fn in_transaction<T>(
    connection: &Connection,
    path: &Path,
    read: impl FnOnce(&Connection) -> Result<T, SourceError>,
) -> Result<T, SourceError> {
    let sqlite = |error: rusqlite::Error| SourceError::from_sqlite(&error, path);
    let transaction = connection.unchecked_transaction().map_err(sqlite)?;
    let value = read(&transaction)?;
    transaction.finish().map_err(sqlite)?;
    Ok(value)
}

/// The path as part of a URI filename: every byte but the plainest as `%XX`.
fn escaped(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    // It is absolute: relative paths and those that begin with `//` were resolved.
    path.as_os_str().as_bytes().iter().fold(String::new(), |mut uri, &byte| {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _infallible = write!(uri, "%{byte:02X}");
        }
        uri
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_breaks_off_at_its_end_in_both_ways() {
        for mode in ["wal", "delete"] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("app.db");
            let application = Connection::open(&path).unwrap();
            application.execute_batch(&format!("PRAGMA journal_mode = {mode}; CREATE TABLE t (x)")).unwrap();
            let endless =
                "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
            let mut access = Access::until(&path, Instant::now() + Duration::from_millis(20));
            let read = access.read(|connection, _| {
                let count = connection.query_row(endless, [], |row| row.get::<_, i64>(0));
                count.map_err(|error| SourceError::from_sqlite(&error, &path))
            });
            assert!(
                matches!(read, Err(SourceError::Sqlite { code: rusqlite::ffi::SQLITE_INTERRUPT, .. })),
                "{mode}: {read:?}"
            );
        }
    }
}
