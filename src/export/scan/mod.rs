//! From the table to candidates: reads page by page and leaves out what the ledger knows.

mod known;
mod page;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::candidate::Candidate;
use crate::ledger::{LedgerError, Ranks, Store};
use crate::record::{Fingerprinter, Position, Shape};
use crate::source::{PageEnd, Reader, SourceError};
use known::Known;
use page::{Context, Page, Taken};

/// Rows read in one go: a few milliseconds, after which the application's WAL can be checkpointed.
const PAGE_ROWS: u32 = 2_000;

/// What a scan is to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Rows that the ledger doesn't know, or knows with another content.
    Pending,
    /// Every row.
    Everything,
}

/// Why a scan broke off.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScanError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Candidates.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) candidates: Vec<Candidate>,
    /// The memory that they take, roughly.
    pub(super) bytes: usize,
    /// Whether the table's end was reached.
    pub(super) done: bool,
}

/// Goes through the table once. Its calls block: for blocking threads only.
pub(super) struct Scan {
    reader: Reader,
    store: Arc<Store>,
    fingerprinter: Fingerprinter,
    source: String,
    /// `None` where the start of the table isn't read, so that ranks are unknown.
    ranks: Option<Ranks>,
    scope: Scope,
    skip_duplicates: bool,
    after: Option<Position>,
    /// Whether it began with the table's first row.
    from_start: bool,
    /// The time that reading and comparing took.
    pub(super) spent: Duration,
}

impl Scan {
    /// A scan of the rows behind `after`, or of all.
    pub(super) fn new(
        reader: Reader,
        store: Arc<Store>,
        source: &str,
        scope: Scope,
        skip_duplicates: bool,
        after: Option<Position>,
    ) -> Result<Self, ScanError> {
        let fingerprinter = Fingerprinter::new(source, reader.shape());
        let from_start = after.is_none();
        let ranks = if from_start { Some(Ranks::new()?) } else { None };
        Ok(Self {
            reader,
            store,
            fingerprinter,
            source: source.to_owned(),
            ranks,
            scope,
            skip_duplicates,
            after,
            from_start,
            spent: Duration::ZERO,
        })
    }

    /// The table's columns and what they mean.
    pub(super) fn shape(&self) -> &Shape {
        self.reader.shape()
    }

    /// Where the last row that was read stands.
    pub(super) fn position(&self) -> Option<Position> {
        self.after.clone()
    }

    /// The rowid of the last row that was read.
    pub(super) fn last_rowid(&self) -> Option<i64> {
        if let Some(Position::Rowid(rowid)) = self.after { Some(rowid) } else { None }
    }

    /// The next candidates, at most `size` of them, that take so many `bytes`, or one row more than that; fewer only
    /// at the table's end, or if `stop`, which is asked between pages, says so.
    pub(super) fn next_batch(
        &mut self,
        size: usize,
        bytes: usize,
        stop: &mut dyn FnMut() -> bool,
    ) -> Result<Batch, ScanError> {
        let began = Instant::now();
        let batch = self.fill(size, bytes, stop);
        self.spent += began.elapsed();
        batch
    }

    /// Rows that went from the middle of the table are forgotten by a scan of all of it.
    fn forget_gone(&self, last: Option<&Position>, there: &[i64]) -> Result<(), LedgerError> {
        let (true, Some(Position::Rowid(last))) = (self.from_start, last) else { return Ok(()) };
        let after = if let Some(Position::Rowid(after)) = &self.after { Some(*after) } else { None };
        self.store.with(|ledger| ledger.forget_gone(after, *last, there))
    }

    fn fill(
        &mut self,
        size: usize,
        bytes: usize,
        stop: &mut dyn FnMut() -> bool,
    ) -> Result<Batch, ScanError> {
        let mut batch = Batch::default();
        let most = size.max(1);
        while batch.candidates.len() < most && batch.bytes < bytes && !batch.done && !stop() {
            let wanted = match self.scope {
                Scope::Pending => PAGE_ROWS,
                Scope::Everything => {
                    u32::try_from(most - batch.candidates.len()).unwrap_or(PAGE_ROWS).min(PAGE_ROWS)
                }
            };
            let known = Known::read(&self.store, self.after.as_ref(), wanted)?;
            let mut page = Page {
                known,
                scan: Context {
                    shape: self.reader.shape().clone(),
                    source: &self.source,
                    store: &self.store,
                    fingerprinter: &self.fingerprinter,
                    ranks: self.ranks.as_ref(),
                    scope: self.scope,
                    skip_duplicates: self.skip_duplicates,
                },
                room: most - batch.candidates.len(),
                room_bytes: bytes - batch.bytes,
                taken: Taken::default(),
                began: Instant::now(),
                error: None,
            };
            let PageEnd { last, done } = self.reader.page(self.after.as_ref(), wanted, &mut page)?;
            let Page { taken, error, known, .. } = page;
            if let Some(error) = error {
                return Err(error.into());
            }
            if !known.is_whole() {
                self.forget_gone(last.as_ref(), &taken.rowids)?;
            }
            if let Some(ranks) = &self.ranks {
                ranks.keep()?;
            }
            self.after = last.or(self.after.take());
            batch.bytes += taken.bytes;
            batch.candidates.extend(taken.candidates);
            batch.done = done;
        }
        Ok(batch)
    }
}
