//! Why rows can't be read right now.

use std::path::PathBuf;

use rusqlite::ErrorCode;

use crate::record::UnusableColumn;

/// Why rows can't be read right now. No text holds a value of a row.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no such file (yet).
    #[error("{0}: no such file; waiting for the application to make it")]
    Missing(PathBuf),
    /// The file can't be opened or looked at.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is something else.
    #[error("{0}: not a SQLite database")]
    NotADatabase(PathBuf),
    /// There is no such table (yet).
    #[error("no table {0:?} in the database")]
    NoTable(String),
    /// The table can't be exported as it is.
    #[error("table {table:?} can't be exported: {why}")]
    Unusable {
        /// The table.
        table: String,
        /// What is in the way, and what to do.
        why: &'static str,
    },
    /// A column can't be exported as it is.
    #[error(transparent)]
    Column(#[from] UnusableColumn),
    /// A column that is to be left out isn't there, but nearly is.
    #[error(
        "columns.exclude names column {column:?}, which the table lacks; did you mean {near:?}? Nothing is exported until that is clear"
    )]
    Slip {
        /// The column as it is configured.
        column: String,
        /// The column that may be meant.
        near: String,
    },
    /// A transaction of the application is in the way, or was left behind by a crash.
    #[error("{0}")]
    Busy(&'static str),
    /// The table was changed between two pages; begin again.
    #[error("the table's definition changed")]
    SchemaChanged,
    /// SQLite answered with an error.
    #[error("SQLite: {text} (code {code})")]
    Sqlite {
        /// What the code means.
        text: &'static str,
        /// SQLite's extended result code.
        code: i32,
    },
}

impl SourceError {
    /// Whether the same call may succeed in a moment, without anybody doing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::SchemaChanged)
    }

    /// Takes over an error of SQLite: its code, never its text, which could quote what it read.
    pub(super) fn from_sqlite(error: &rusqlite::Error, path: &std::path::Path) -> Self {
        match error {
            rusqlite::Error::SqliteFailure(failure, _)
            | rusqlite::Error::SqlInputError { error: failure, .. } => match failure.code {
                ErrorCode::NotADatabase => Self::NotADatabase(path.to_owned()),
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
                    Self::Busy("the application has locked its database")
                }
                _ => Self::Sqlite {
                    text: rusqlite::ffi::code_to_str(failure.extended_code),
                    code: failure.extended_code,
                },
            },
            _ => Self::Sqlite { text: "unexpected answer", code: rusqlite::ffi::SQLITE_ERROR },
        }
    }
}
