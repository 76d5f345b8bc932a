//! Finding, making and setting aside the ledger's file.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::{Ledger, LedgerError};

/// The file in the state directory.
const FILE: &str = "state.db";

/// The damaged ledger of before, for whoever wants to look; only one is kept.
const SET_ASIDE: &str = "state.db.damaged";

/// The form of the tables, kept in `PRAGMA user_version`.
const VERSION: i64 = 1;

/// Marks the file as this program's, in `PRAGMA application_id`: "UPLK".
const APPLICATION_ID: i64 = 0x55_50_4c_4b;

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
}

impl Ledger {
    /// Opens the ledger of this directory; makes it if there is none; sets it aside if it is damaged.
    ///
    /// # Errors
    /// [`LedgerError::Unwritable`] or [`LedgerError::File`] if the directory can't be used.
    pub fn open(directory: &Path) -> Result<(Self, Opened), LedgerError> {
        std::fs::create_dir_all(directory)
            .map_err(|source| LedgerError::File { path: directory.to_owned(), source })?;
        let path = directory.join(FILE);
        let existed = path.metadata().is_ok_and(|metadata| metadata.len() > 0);
        match Self::open_file(&path) {
            Ok(ledger) => Ok((ledger, if existed { Opened::Existing } else { Opened::New })),
            Err(LedgerError::Damaged | LedgerError::Newer { .. }) => {
                set_aside(directory)?;
                Ok((Self::open_file(&path)?, Opened::Recovered))
            }
            Err(error) => Err(error),
        }
    }

    /// A ledger that lasts as long as the daemon, for a state directory that can't be used. It spills into
    /// SQLite's own temporary file, so that memory stays bounded.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn temporary() -> Result<Self, LedgerError> {
        let connection = Connection::open("")?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection, file: None })
    }

    /// Moves the damaged file of this directory away, so that the next [`Ledger::open`] makes a new one.
    ///
    /// # Errors
    /// [`LedgerError::File`] if it can't be moved.
    pub fn set_aside(directory: &Path) -> Result<(), LedgerError> {
        set_aside(directory)
    }

    /// Whether the file that was opened is still the one that its path leads to.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        self.file.as_ref().is_none_or(|file| {
            file.path.metadata().is_ok_and(|now| (now.dev(), now.ino()) == (file.device, file.inode))
        })
    }

    fn open_file(path: &Path) -> Result<Self, LedgerError> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(2))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        // A power cut may take the last entries with it: they are found again in MongoDB.
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update(None, "cache_size", -1024)?;
        connection.set_prepared_statement_cache_capacity(32);
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match version {
            0 => {
                let transaction = connection.transaction()?;
                transaction.execute_batch(SCHEMA)?;
                transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
                transaction.pragma_update(None, "user_version", VERSION)?;
                transaction.commit()?;
            }
            VERSION => {}
            found => return Err(LedgerError::Newer { found, known: VERSION }),
        }
        let metadata =
            path.metadata().map_err(|source| LedgerError::File { path: path.to_owned(), source })?;
        let file = LedgerFile { path: path.to_owned(), device: metadata.dev(), inode: metadata.ino() };
        Ok(Self { connection, file: Some(file) })
    }
}

fn set_aside(directory: &Path) -> Result<(), LedgerError> {
    for (from, to) in [
        (FILE.to_owned(), SET_ASIDE.to_owned()),
        (format!("{FILE}-wal"), format!("{SET_ASIDE}-wal")),
        (format!("{FILE}-shm"), format!("{SET_ASIDE}-shm")),
    ] {
        let from = directory.join(from);
        match std::fs::rename(&from, directory.join(to)) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(LedgerError::File { path: from, source }),
        }
    }
    Ok(())
}
