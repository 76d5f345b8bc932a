//! A page of the table while it is read: which of its rows are candidates.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::Scope;
use super::known::Known;
use crate::export::candidate::Candidate;
use crate::ledger::{LedgerError, Ranks, Store};
use crate::record::{Fingerprinter, Position, Shape, Value, document_weight, original_id, packed};
use crate::report::Outcome;
use crate::source::{RowRef, Visitor};
use crate::target::MAX_DOCUMENT_BYTES;

/// What a page may read, in bytes, and for how long: rows that are known are read, too, and while a page is read the WAL
/// can't be emptied.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
const PAGE_TIME: Duration = Duration::from_millis(20);

/// What a page's rows are judged with.
pub(super) struct Context<'a> {
    pub(super) shape: Shape,
    pub(super) source: &'a str,
    pub(super) store: &'a Store,
    pub(super) fingerprinter: &'a Fingerprinter,
    pub(super) ranks: Option<&'a Ranks>,
    pub(super) scope: Scope,
    pub(super) skip_duplicates: bool,
}

#[derive(Default)]
pub(super) struct Taken {
    pub(super) candidates: Vec<Candidate>,
    /// The rowids of the page, in their order.
    pub(super) rowids: Vec<i64>,
    /// What was read, in bytes.
    pub(super) read: usize,
    pub(super) bytes: usize,
}

pub(super) struct Page<'a> {
    pub(super) scan: Context<'a>,
    pub(super) known: Known,
    pub(super) room: usize,
    pub(super) room_bytes: usize,
    pub(super) taken: Taken,
    pub(super) began: Instant,
    pub(super) error: Option<LedgerError>,
}

impl Visitor for Page<'_> {
    fn begin(&mut self) {
        self.taken = Taken::default();
        self.known.rewind();
        self.began = Instant::now();
        self.error = self.scan.ranks.and_then(|ranks| ranks.begin().err());
    }

    fn row(&mut self, row: RowRef<'_>) -> ControlFlow<()> {
        match self.judge(&row) {
            Ok(()) if self.has_room() => ControlFlow::Continue(()),
            Ok(()) => ControlFlow::Break(()),
            Err(error) => {
                self.error = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}

impl Page<'_> {
    fn has_room(&self) -> bool {
        self.taken.candidates.len() < self.room
            && self.taken.bytes < self.room_bytes
            && self.taken.read < PAGE_BYTES
            && self.began.elapsed() < PAGE_TIME
    }

    fn judge(&mut self, row: &RowRef<'_>) -> Result<(), LedgerError> {
        let scan = &self.scan;
        self.taken.read += row.values.iter().map(|value| value.weight()).sum::<usize>();
        if let Position::Rowid(rowid) = row.position {
            self.taken.rowids.push(rowid);
        }
        let content = scan.fingerprinter.content(row.values);
        let mut rank = 0;
        if scan.fingerprinter.needs_rank(row.values) {
            let Some(ranks) = scan.ranks else {
                // Left to a scan from the start.
                return Ok(());
            };
            rank = ranks.next(&scan.fingerprinter.equality(row.values, content))?;
        }
        let position = row.position.to_value();
        let entry = self.known.next(scan.store, &row.position, &position)?;
        let is_dealt_with = entry.as_ref().is_some_and(|entry| {
            // A duplicate that was skipped is pending again when duplicates aren't skipped any more.
            entry.content == content && (entry.outcome != Outcome::Duplicate || scan.skip_duplicates)
        });
        if is_dealt_with && scan.scope == Scope::Pending {
            return Ok(());
        }
        let mut candidate = scan.candidate(row, position, content, rank);
        if let Some(entry) = entry.filter(|entry| entry.outcome == Outcome::Exported) {
            candidate.known = true;
            candidate.unchanged = entry.content == content && entry.id == candidate.id;
        }
        self.taken.bytes += candidate.memory();
        self.taken.candidates.push(candidate);
        Ok(())
    }
}

impl Context<'_> {
    fn candidate(&self, row: &RowRef<'_>, position: Value, content: [u8; 16], rank: u64) -> Candidate {
        let values = row.values;
        let id = self.fingerprinter.id(values, rank);
        let key = original_id(&self.shape, &row.position, values);
        let duplicate_key = if self.skip_duplicates { self.shape.duplicate_hash(values) } else { None };
        let packed = packed(&self.shape, values, MAX_DOCUMENT_BYTES);
        let weigh =
            |_: &_| (document_weight(&self.shape, values, &key, self.source), self.shape.growth(values));
        let (bytes, grown) = packed.as_ref().map(weigh).unwrap_or_default();
        Candidate {
            position,
            key,
            id,
            content,
            duplicate_key,
            row: packed,
            bytes,
            grown,
            known: false,
            unchanged: false,
        }
    }
}
