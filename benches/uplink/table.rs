//! The application's table: so many rows of 17 columns, each tenth by somebody who has asked before.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::guardian;
use crate::support::sqlite::{App, Inquiry};

/// One row of so many is a duplicate of an earlier one.
const DUPLICATE_EACH: u32 = 10;

/// Rows written in one transaction.
const TRANSACTION: u32 = 50_000;

/// The application with its table, open.
pub(crate) struct Table {
    pub(crate) app: App,
    pub(crate) rows: u64,
    /// Rows that are to arrive: all but the duplicates.
    pub(crate) distinct: u64,
    _directory: TempDir,
}

impl Table {
    /// Writes a table of so many rows.
    pub(crate) fn write(rows: u32) -> Self {
        let (directory, mut app) = empty();
        let mut first = 1;
        while first <= rows {
            let last = rows.min(first.saturating_add(TRANSACTION - 1));
            app.insert((first..=last).map(inquiry));
            first = last + 1;
        }
        let distinct = rows - rows / DUPLICATE_EACH;
        Self { app, rows: rows.into(), distinct: distinct.into(), _directory: directory }
    }

    /// Writes a table of a few rows, each of so many bytes.
    pub(crate) fn of_large_rows(rows: u32, bytes: usize) -> Self {
        let (directory, mut app) = empty();
        for number in 1..=rows {
            let school_name = "x".repeat(bytes);
            app.insert([Inquiry { school_name, ..Inquiry::number(number) }]);
        }
        Self { app, rows: rows.into(), distinct: rows.into(), _directory: directory }
    }

    /// The database file.
    pub(crate) fn path(&self) -> &Path {
        self.app.path()
    }

    /// Bytes of the database a row.
    pub(crate) fn bytes_a_row(&mut self) -> u64 {
        let sql = "SELECT sum(pgsize) FROM dbstat WHERE name = 'chat_inquiry_information'";
        let pages = self.app.connection().query_row(sql, [], |row| row.get::<_, i64>(0));
        // Where SQLite was built without `dbstat`: the file, of which nearly all is this table.
        let bytes = pages.map_or_else(|_| file_size(self.path()), i64::unsigned_abs);
        bytes / self.rows.max(1)
    }
}

fn file_size(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}

fn empty() -> (TempDir, App) {
    let directory =
        tempfile::Builder::new().prefix("mongo-uplink-bench-").tempdir().expect("a temporary directory");
    guardian::watch(directory.path());
    let app = App::create(directory.path());
    (directory, app)
}

/// The row of this number. The person of a duplicate is anybody who asked before, not just the neighbour.
pub(crate) fn inquiry(number: u32) -> Inquiry {
    let row = Inquiry::number(number);
    if !number.is_multiple_of(DUPLICATE_EACH) {
        return row;
    }
    // Any earlier number that is no duplicate itself: not a multiple of ten.
    let tens = number / DUPLICATE_EACH;
    let earlier =
        (tens.wrapping_mul(2_654_435_761) % tens) * DUPLICATE_EACH + 1 + number / DUPLICATE_EACH % 9;
    row.by_the_person_of(&Inquiry::number(earlier))
}

/// A file beside nothing, for what other programs read.
pub(crate) fn scratch(name: &str) -> (TempDir, PathBuf) {
    let directory =
        tempfile::Builder::new().prefix("mongo-uplink-bench-").tempdir().expect("a temporary directory");
    guardian::watch(directory.path());
    let path = directory.path().join(name);
    (directory, path)
}

/// Longer than anything that is measured may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(900);
