//! Reading without being noticed.
//!
//! A database is read in one of two ways, chosen anew for each read:
//!
//! - **shared**, if a WAL with content is there: an ordinary read-only connection. In WAL mode a reader never blocks a
//!   writer, and a short one doesn't keep the WAL from being checkpointed.
//! - **frozen**, if not: everything committed is in the database file itself. A reader's lock could now make the
//!   application's commit fail with `SQLITE_BUSY` (rollback modes), or make files that the application can't open
//!   (WAL mode, closed by everybody). So the file is read without any lock, as immutable, and what was read counts only
//!   if the file, its WAL and its journal are the same afterwards as before; else it is read again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::stamp::{beside, change_counter, has_hot_journal};
use super::{SourceError, Stamp};

/// How often a read that was disturbed is made again before the caller is told.
const ATTEMPTS: u32 = 40;

/// The wait between two attempts: longer than the commits of most applications.
const PAUSE: Duration = Duration::from_millis(5);

/// How long an ordinary connection waits for a lock (recovery of a WAL, or an exclusive lock of the application).
const BUSY_TIMEOUT: Duration = Duration::from_millis(500);

/// Page cache of a connection: reads go through the table once, so that more gains nothing.
const CACHE_KIB: i64 = 512;

/// A way to the database that opens what it needs when it is needed.
pub(super) struct Access {
    path: PathBuf,
    open: Option<Open>,
}

struct Open {
    connection: Connection,
    stamp: Stamp,
    /// The change counter if the file is read as frozen.
    frozen: Option<Option<[u8; 4]>>,
}

impl Access {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), open: None }
    }

    /// Runs `read` on a committed state of the database. It may run several times: the last one counts. Its argument
    /// is the number of attempts before, for a reader that wants to ask for less when it is disturbed.
    pub(super) fn read<T>(
        &mut self,
        mut read: impl FnMut(&Connection, u32) -> Result<T, SourceError>,
    ) -> Result<T, SourceError> {
        let mut last = SourceError::Busy("the database changes faster than it can be read");
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                std::thread::sleep(PAUSE);
            }
            match self.attempt(attempt, &mut read) {
                Ok(Some(value)) => return Ok(value),
                Ok(None) => self.open = None,
                Err(error) => {
                    self.open = None;
                    if !matches!(error, SourceError::Busy(_)) {
                        return Err(error);
                    }
                    last = error;
                }
            }
        }
        Err(last)
    }

    /// One attempt; `None` if what was read can't be trusted.
    fn attempt<T>(
        &mut self,
        attempt: u32,
        read: &mut impl FnMut(&Connection, u32) -> Result<T, SourceError>,
    ) -> Result<Option<T>, SourceError> {
        let before = Stamp::take(&self.path)?;
        let open = match self.open.take() {
            Some(open) if open.still_good(&before) => open,
            stale => {
                drop(stale);
                match self.connect(before.clone())? {
                    Some(open) => open,
                    None => return Ok(None),
                }
            }
        };
        let open = self.open.insert(open);
        let value = in_transaction(&open.connection, &self.path, |connection| read(connection, attempt));
        let after = Stamp::take(&self.path)?;
        let trusted = match open.frozen {
            None => before.same_file(&after),
            Some(counter) => {
                before == after && !has_hot_journal(&self.path)? && counter == change_counter(&self.path)?
            }
        };
        if !trusted {
            return Ok(None);
        }
        value.map(Some)
    }

    fn connect(&self, stamp: Stamp) -> Result<Option<Open>, SourceError> {
        if stamp.has_wal() {
            self.refuse_to_leave_files()?;
            let connection = self.open_uri("")?;
            let _previous = connection.busy_timeout(BUSY_TIMEOUT);
            return Ok(Some(Open { connection, stamp, frozen: None }));
        }
        if has_hot_journal(&self.path)? {
            return Err(SourceError::Busy(
                "a transaction of the application is in progress, or was left behind by a crash: \
                 waiting for the application to finish or to reopen its database",
            ));
        }
        if !stamp.is_settled() {
            return Ok(None);
        }
        let counter = change_counter(&self.path)?;
        let connection = self.open_uri("?immutable=1")?;
        Ok(Some(Open { connection, stamp, frozen: Some(counter) }))
    }

    fn open_uri(&self, parameters: &str) -> Result<Connection, SourceError> {
        let uri = format!("file:{}{parameters}", escaped(&self.path));
        let flags =
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let sqlite = |error: rusqlite::Error| SourceError::from_sqlite(&error, &self.path);
        let connection = Connection::open_with_flags(uri, flags).map_err(sqlite)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(sqlite)?;
        connection.pragma_update(None, "mmap_size", 0).map_err(sqlite)?;
        connection.pragma_update(None, "query_only", true).map_err(sqlite)?;
        Ok(connection)
    }

    /// A left-over WAL without its index would be given an index that belongs to us, and that the application
    /// might not be allowed to open.
    fn refuse_to_leave_files(&self) -> Result<(), SourceError> {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = |path: &Path| {
            std::fs::metadata(path).map_err(|source| SourceError::File { path: path.to_owned(), source })
        };
        if beside(&self.path, "-shm").exists() {
            return Ok(());
        }
        let we = metadata(Path::new("/proc/self"))?.uid();
        if we == 0 || we == metadata(&self.path)?.uid() {
            return Ok(());
        }
        Err(SourceError::Busy(
            "a WAL was left behind without its index: waiting for the application to open its database",
        ))
    }
}

impl Open {
    fn still_good(&self, now: &Stamp) -> bool {
        match self.frozen {
            None => now.has_wal() && self.stamp.same_file(now),
            Some(_) => self.stamp == *now,
        }
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
    // Relative paths stay relative; an empty authority would be needed only for paths that begin with `//`.
    path.as_os_str().as_bytes().iter().fold(String::new(), |mut uri, &byte| {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _infallible = write!(uri, "%{byte:02X}");
        }
        uri
    })
}
