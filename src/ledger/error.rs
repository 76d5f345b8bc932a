//! What can go wrong with the ledger.

use std::path::PathBuf;

use rusqlite::ErrorCode;

/// What can go wrong with the ledger. No text holds a value of a row.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// What is in the file can't be trusted. It will be set aside.
    #[error("the ledger is damaged")]
    Damaged,
    /// There is no space left. It heals when space is freed.
    #[error("the ledger can't be written: the disk of the state directory is full")]
    Full,
    /// There is no right to write, or the disk fails.
    #[error("the ledger can't be written: {0}")]
    Unwritable(&'static str),
    /// Its directory can't be made or its file can't be moved.
    #[error("{path}: {source}")]
    File {
        /// The directory or file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// There is a file of its name that belongs to another program.
    #[error("state.db in the state directory is another program's database")]
    Foreign,
    /// It was made by a newer release.
    #[error("the ledger has version {found}, this release knows {known}")]
    Newer {
        /// The file's version.
        found: i64,
        /// The newest known one.
        known: i64,
    },
    /// SQLite answered with another error.
    #[error("ledger: SQLite: {text} (code {code})")]
    Sqlite {
        /// What the code means.
        text: &'static str,
        /// SQLite's extended result code.
        code: i32,
    },
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        match &error {
            rusqlite::Error::SqliteFailure(failure, _)
            | rusqlite::Error::SqlInputError { error: failure, .. } => {
                let text = rusqlite::ffi::code_to_str(failure.extended_code);
                match failure.code {
                    ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged,
                    ErrorCode::DiskFull => Self::Full,
                    ErrorCode::ReadOnly
                    | ErrorCode::CannotOpen
                    | ErrorCode::PermissionDenied
                    | ErrorCode::SystemIoFailure => Self::Unwritable(text),
                    // A table or column that ought to be there isn't: the schema was damaged.
                    ErrorCode::Unknown => Self::Damaged,
                    _ => Self::Sqlite { text, code: failure.extended_code },
                }
            }
            // A value of another type than was written.
            _ => Self::Damaged,
        }
    }
}
