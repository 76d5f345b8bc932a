//! What there is to know of the application's database, for a person who sets the daemon up.

use std::fs::File;
use std::io::Read as _;
use std::ops::ControlFlow;

use super::{Reader, RowRef, SourceError, Visitor};
use crate::config;
use crate::record::{Shape, ValueRef, created_seconds};

/// Rows that are looked at.
const SAMPLE: u32 = 200;

/// Where the header tells how the database is written, and what it says there of a write-ahead log (SQLite file format,
/// 1.3.3).
const WRITE_VERSION: usize = 18;
const WAL: u8 = 2;

/// How the application keeps its transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journal {
    /// With a write-ahead log.
    Wal,
    /// With a rollback journal.
    Rollback,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Survey {
    /// How the application keeps its transactions.
    pub journal: Journal,
    /// The number of rows.
    pub rows: u64,
    /// The table.
    pub shape: Shape,
    /// Columns of the duplicate key that the table lacks.
    pub missing_duplicate: Vec<String>,
    /// Columns that the configuration of columns names and the table lacks.
    pub missing_mapped: Vec<String>,
    /// Of the first rows: how many there are, and in how many the creation column reads as a time.
    pub sample: (u32, u32),
}

/// Looks at the database.
///
/// # Errors
/// See [`SourceError`].
pub fn survey(sqlite: &config::Sqlite, duplicate_key: &[String]) -> Result<Survey, SourceError> {
    let mut reader = Reader::open(sqlite, duplicate_key)?;
    let mut header = [0; WRITE_VERSION + 1];
    let read = File::open(&sqlite.path).and_then(|mut file| file.read_exact(&mut header));
    let journal = if read.is_ok() && header[WRITE_VERSION] == WAL { Journal::Wal } else { Journal::Rollback };
    let shape = reader.shape().clone();
    let mut sample = Sample { created: shape.created, rows: 0, times: 0 };
    reader.page(None, SAMPLE, &mut sample)?;
    Ok(Survey {
        journal,
        rows: reader.count(None)?,
        missing_mapped: reader.missing_mapped_columns().to_vec(),
        missing_duplicate: reader.missing_duplicate_columns().to_vec(),
        sample: (sample.rows, sample.times),
        shape,
    })
}

struct Sample {
    created: Option<usize>,
    rows: u32,
    times: u32,
}

impl Visitor for Sample {
    fn begin(&mut self) {
        (self.rows, self.times) = (0, 0);
    }

    fn row(&mut self, row: RowRef<'_>) -> ControlFlow<()> {
        let created = self.created.map_or(ValueRef::Null, |column| row.values[column]);
        self.rows += 1;
        self.times += u32::from(created_seconds(created).is_some());
        ControlFlow::Continue(())
    }
}
