//! The table's rows, a page at a time, each with its document's `_id` and the columns that the document ought to have.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::RawDocumentBuf;

use super::AuditError;
use super::scratch::Scratch;
use crate::config;
use crate::ledger::LedgerError;
use crate::record::{DuplicateKey, Fingerprinter, Position, Shape, fields, original_id};
use crate::source::{PageEnd, Reader, RowRef, SourceError, Visitor};
use crate::target::MAX_DOCUMENT_BYTES;

/// Rows of a page, which is a batch: what one look-up asks for.
const PAGE_ROWS: u32 = 1_000;

/// What a page may hold, and how long it may take: while it is read the application's WAL can't be emptied.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
const PAGE_TIME: Duration = Duration::from_millis(20);

/// How often a read is begun again that the application kept disturbing for half a second.
const TRIES: u32 = 20;

/// A row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) position: Position,
    /// Its key, as people know it.
    pub(super) key: String,
    /// Its document's `_id`.
    pub(super) id: ObjectId,
    pub(super) content: [u8; 16],
    /// Its fields, as they stand in the document; `None` if the row can't become one.
    pub(super) fields: Option<RawDocumentBuf>,
    pub(super) duplicate: Option<DuplicateKey>,
    /// How many equal rows came before, where that tells it from them.
    pub(super) rank: u64,
}

impl Row {
    /// What it takes to look at it again, and no more.
    pub(super) fn without_fields(self) -> Self {
        Self { fields: None, duplicate: None, ..self }
    }
}

/// Goes through the table once.
pub(super) struct Walk {
    reader: Reader,
    fingerprinter: Fingerprinter,
    shape: Shape,
    after: Option<Position>,
    done: bool,
}

impl Walk {
    pub(super) fn new(
        sqlite: &config::Sqlite,
        duplicate_key: &[String],
        source: &str,
    ) -> Result<Self, SourceError> {
        let reader = Reader::open(sqlite, duplicate_key)?;
        let shape = reader.shape().clone();
        let fingerprinter = Fingerprinter::new(source, &shape);
        Ok(Self { reader, fingerprinter, shape, after: None, done: false })
    }

    /// The table's columns and what becomes of them.
    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The number of rows; zero if the application leaves no time to count them.
    pub(super) fn total(&mut self) -> Result<u64, SourceError> {
        self.reader.count(None).or_else(|error| if error.is_transient() { Ok(0) } else { Err(error) })
    }

    /// The next page; `None` behind the last one. Each row is noted in `scratch`.
    pub(super) fn next(&mut self, scratch: &Scratch) -> Result<Option<Vec<Row>>, AuditError> {
        if self.done {
            return Ok(None);
        }
        let (reader, after) = (&mut self.reader, self.after.as_ref());
        let mut page = Page::new(&self.shape, &self.fingerprinter, Some(scratch));
        let PageEnd { last, done } = patiently(|| reader.page(after, PAGE_ROWS, &mut page))?;
        let rows = page.into_rows()?;
        scratch.keep()?;
        self.after = last.or(self.after.take());
        self.done = done;
        Ok(Some(rows))
    }

    /// The row as it is now; `None` if it is gone.
    pub(super) fn again(&mut self, position: &Position, rank: u64) -> Result<Option<Row>, AuditError> {
        let reader = &mut self.reader;
        let mut page = Page::new(&self.shape, &self.fingerprinter, None);
        page.rank = rank;
        patiently(|| reader.row(position, &mut page))?;
        Ok(page.into_rows()?.pop())
    }
}

/// An application that writes without a pause is waited for, not for ever.
fn patiently<T>(mut read: impl FnMut() -> Result<T, SourceError>) -> Result<T, SourceError> {
    for _ in 1..TRIES {
        match read() {
            Err(SourceError::Busy(_)) => {}
            result => return result,
        }
    }
    read()
}

struct Page<'a> {
    shape: &'a Shape,
    fingerprinter: &'a Fingerprinter,
    /// Where rows are counted and noted; `None` for a row that is looked at again.
    scratch: Option<&'a Scratch>,
    rank: u64,
    rows: Vec<Row>,
    bytes: usize,
    began: Instant,
    error: Option<LedgerError>,
}

impl<'a> Page<'a> {
    fn new(shape: &'a Shape, fingerprinter: &'a Fingerprinter, scratch: Option<&'a Scratch>) -> Self {
        let (rows, began) = (Vec::new(), Instant::now());
        Self { shape, fingerprinter, scratch, rank: 0, rows, bytes: 0, began, error: None }
    }

    fn into_rows(self) -> Result<Vec<Row>, AuditError> {
        self.error.map_or(Ok(self.rows), |error| Err(error.into()))
    }

    fn take(&mut self, row: &RowRef<'_>) -> Result<(), LedgerError> {
        let content = self.fingerprinter.content(row.values);
        let mut rank = self.rank;
        if let Some(scratch) = self.scratch.filter(|_| self.fingerprinter.needs_rank(row.values)) {
            rank = scratch.next_rank(&self.fingerprinter.equality(row.values, content))?;
        }
        let id = self.fingerprinter.id(row.values, rank);
        let key = original_id(self.shape, &row.position, row.values);
        let fields = fields(self.shape, row.values, MAX_DOCUMENT_BYTES).ok();
        if let Some(scratch) = self.scratch {
            // What the configuration makes of the columns isn't in the content's hash alone.
            let mapped = fields.as_ref().filter(|_| self.shape.is_mapped());
            scratch.note(id, row.position.to_value().as_ref(), &key, &content, mapped)?;
        }
        let duplicate = self.shape.duplicate_key(row.values);
        self.bytes += fields.as_ref().map_or(0, |fields| fields.as_bytes().len());
        self.rows.push(Row { position: row.position.clone(), key, id, content, fields, duplicate, rank });
        Ok(())
    }
}

impl Visitor for Page<'_> {
    fn begin(&mut self) {
        self.rows.clear();
        (self.bytes, self.began) = (0, Instant::now());
        self.error = self.scratch.and_then(|scratch| scratch.begin().err());
    }

    fn row(&mut self, row: RowRef<'_>) -> ControlFlow<()> {
        match self.take(&row) {
            Ok(()) if self.bytes < PAGE_BYTES && self.began.elapsed() < PAGE_TIME => {
                ControlFlow::Continue(())
            }
            Ok(()) => ControlFlow::Break(()),
            Err(error) => {
                self.error = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}
