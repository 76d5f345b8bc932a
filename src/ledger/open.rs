//! Finding, making and checking the ledger's file.
//!
//! What holds: a file is used only if its tables are to the letter those that this release makes; a file of another
//! program is never touched.

use std::fs::{DirBuilder, OpenOptions};
use std::ops::RangeInclusive;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::aside::{FILE, remove_beside, set_aside};
use super::{Ledger, LedgerError};

/// The form of the tables, kept in `PRAGMA user_version`.
const VERSION: i64 = 1;

/// Marks the file as this program's, in `PRAGMA application_id`: "UPLK".
const APPLICATION_ID: i64 = 0x55_50_4c_4b;

/// How long another process at the same file (the command line) is waited for.
const BUSY: Duration = Duration::from_secs(2);

/// The write-ahead log is carried over after so many pages of 4 KiB, and cut back to that size: half as many as the ledger
/// has, within these bounds. On a small disk it takes a small part, and with a large ledger a page that is written by many
/// batches is carried over once: of each row that is somebody's duplicate, one anywhere in an index.
const WAL_PAGES: RangeInclusive<i64> = 64..=1024;

const SCHEMA: &str = include_str!("schema.sql");

/// How the ledger was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It was there.
    Existing,
    /// There was none.
    New,
    /// It was damaged and set aside; this one is empty.
    Recovered,
}

/// The file as it was opened.
pub(super) struct LedgerFile {
    pub(super) path: PathBuf,
    device: u64,
    inode: u64,
    /// After how many pages the write-ahead log is carried over.
    wal_pages: i64,
}

impl Ledger {
    /// Opens the ledger of this directory; makes it if there is none; sets it aside if it is damaged.
    ///
    /// # Errors
    /// [`LedgerError::Full`], [`LedgerError::Unwritable`], [`LedgerError::File`] or [`LedgerError::Foreign`] if the
    /// directory can't be used.
    pub fn open(directory: &Path) -> Result<(Self, Opened), LedgerError> {
        let file_error = |source| LedgerError::File { path: directory.to_owned(), source };
        // Keys of rows may be people's addresses.
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(file_error)?;
        let path = directory.join(FILE);
        let opened = match path.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => {
                set_aside(directory)?;
                Opened::Recovered
            }
            Ok(metadata) if metadata.len() > 0 => Opened::Existing,
            Ok(_) => Opened::New,
            Err(_) => {
                // A write-ahead log without its file: whose rows are in it nobody knows.
                remove_beside(directory)?;
                Opened::New
            }
        };
        match Self::open_file(&path) {
            Ok(ledger) => Ok((ledger, opened)),
            Err(LedgerError::Damaged | LedgerError::Newer { .. }) => {
                set_aside(directory)?;
                Ok((Self::open_file(&path)?, Opened::Recovered))
            }
            Err(error) => Err(error),
        }
    }

    /// Opens the ledger of this directory beside the daemon, to look at it.
    ///
    /// # Errors
    /// See [`LedgerError`]; nothing is set aside or made.
    pub fn open_to_read(directory: &Path) -> Result<Self, LedgerError> {
        Self::open_beside(directory, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    /// Opens the ledger of this directory beside the daemon, to change it.
    ///
    /// # Errors
    /// See [`LedgerError`]; nothing is set aside or made.
    pub fn open_to_write(directory: &Path) -> Result<Self, LedgerError> {
        Self::open_beside(directory, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    fn open_beside(directory: &Path, access: OpenFlags) -> Result<Self, LedgerError> {
        let path = directory.join(FILE);
        let file = look_at(&path)?;
        let mut connection = Connection::open_with_flags(&path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY)?;
        connection.set_transaction_behavior(TransactionBehavior::Immediate);
        match form(&connection)? {
            Form::Ours => Ok(Self { connection, file: Some(file) }),
            Form::Empty => Err(LedgerError::Damaged),
            Form::Unusable(error) => Err(error),
        }
    }

    /// A ledger that lasts as long as the daemon, for a state directory that can't be used. It spills into
    /// SQLite's own temporary file, so that memory stays bounded.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn temporary() -> Result<Self, LedgerError> {
        let mut connection = Connection::open("")?;
        connection.pragma_update(None, "journal_mode", "memory")?;
        connection.pragma_update(None, "synchronous", "off")?;
        connection.pragma_update(None, "cache_size", -1024)?;
        connection.set_transaction_behavior(TransactionBehavior::Immediate);
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection, file: None })
    }

    /// Carries the write-ahead log over into the file and empties it. Whether that worked.
    pub(super) fn carry_over(&self) -> bool {
        let busy =
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        busy.is_ok_and(|busy| busy == 0) && self.file.is_some()
    }

    /// Whether the file that was opened is still the one that its path leads to.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        self.file.as_ref().is_none_or(|file| {
            look_at(&file.path).is_ok_and(|now| (now.device, now.inode) == (file.device, file.inode))
        })
    }

    fn open_file(path: &Path) -> Result<Self, LedgerError> {
        let file_error = |source| LedgerError::File { path: path.to_owned(), source };
        // SQLite gives the files beside it the same rights.
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        match made {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => return Err(LedgerError::Full),
            Err(error) => return Err(file_error(error)),
        }
        let access = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, access)?;
        connection.busy_timeout(BUSY)?;
        connection.set_transaction_behavior(TransactionBehavior::Immediate);
        // Before anything is changed: it may be somebody else's.
        let form = form(&connection)?;
        if let Form::Unusable(error) = form {
            return Err(error);
        }
        if connection.is_readonly(rusqlite::MAIN_DB)? {
            return Err(LedgerError::Unwritable("it can only be read"));
        }
        connection.pragma_update(None, "journal_mode", "wal")?;
        // A power cut may take the last entries with it: they are found again in MongoDB.
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update(None, "cache_size", -1024)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.set_prepared_statement_cache_capacity(32);
        if matches!(form, Form::Empty) {
            let transaction = connection.transaction()?;
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
            transaction.commit()?;
        }
        let mut ledger = Self { connection, file: Some(look_at(path)?) };
        ledger.stretch_log()?;
        Ok(ledger)
    }

    /// Sees to it that the write-ahead log may be as long as befits the ledger's size.
    pub(super) fn stretch_log(&mut self) -> Result<(), LedgerError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let pages: i64 =
            self.connection.prepare_cached("PRAGMA page_count")?.query_row([], |row| row.get(0))?;
        let wanted = (pages / 2).clamp(*WAL_PAGES.start(), *WAL_PAGES.end());
        // Each is a statement of its own: not for a page more or less.
        if file.wal_pages == 0 || wanted > file.wal_pages + file.wal_pages / 8 || wanted < file.wal_pages / 2
        {
            self.connection.pragma_update(None, "wal_autocheckpoint", wanted)?;
            self.connection.pragma_update(None, "journal_size_limit", wanted * 4096)?;
            file.wal_pages = wanted;
        }
        Ok(())
    }
}

fn look_at(path: &Path) -> Result<LedgerFile, LedgerError> {
    let metadata = path.metadata().map_err(|source| LedgerError::File { path: path.to_owned(), source })?;
    Ok(LedgerFile { path: path.to_owned(), device: metadata.dev(), inode: metadata.ino(), wal_pages: 0 })
}

/// What a file holds.
enum Form {
    Ours,
    Empty,
    Unusable(LedgerError),
}

fn form(connection: &Connection) -> Result<Form, LedgerError> {
    let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let (id, version) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    let found = definitions(connection)?;
    if found.is_empty() {
        return Ok(Form::Empty);
    }
    let plain = Connection::open_in_memory()?;
    plain.execute_batch(SCHEMA)?;
    let ours = definitions(&plain)?;
    Ok(match (id == APPLICATION_ID, version) {
        (true, VERSION) if found == ours => Form::Ours,
        (true, newer) if newer > VERSION => {
            Form::Unusable(LedgerError::Newer { found: newer, known: VERSION })
        }
        (false, _) if !found.iter().any(|table| ours.contains(table)) => Form::Unusable(LedgerError::Foreign),
        _ => Form::Unusable(LedgerError::Damaged),
    })
}

/// The tables and indexes, by name, with what made them.
fn definitions(connection: &Connection) -> Result<Vec<(String, Option<String>)>, LedgerError> {
    let mut statement = connection.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
