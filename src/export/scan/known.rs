//! What the ledger knows of a page's rows, read in one go and walked along with the page.

use crate::ledger::{Entry, LedgerError, Store};
use crate::record::{Position, Value};

/// What the ledger knows of the rows of a page.
#[derive(Default)]
pub(super) struct Known {
    /// In the order of their rowids.
    entries: Vec<(i64, Entry)>,
    /// How far the page has got in them.
    at: usize,
    /// Whether there are none behind the last of them.
    is_all: bool,
    /// Whether an entry was passed that no row stands at, or one may have been.
    has_gaps: bool,
}

impl Known {
    /// Reads what is known of the rows behind `after`, of so many at most.
    pub(super) fn read(store: &Store, after: Option<&Position>, rows: u32) -> Result<Self, LedgerError> {
        let after = match after {
            None => None,
            Some(Position::Rowid(rowid)) => Some(*rowid),
            // Other keys aren't in the table's order: they are asked for one by one.
            Some(Position::Key(_)) => return Ok(Self { has_gaps: true, ..Self::default() }),
        };
        let entries = store.with(|ledger| ledger.entries_behind(after, rows))?;
        let is_all = entries.len() < rows as usize;
        Ok(Self { entries, is_all, ..Self::default() })
    }

    /// The page begins again.
    pub(super) fn rewind(&mut self) {
        self.at = 0;
        self.has_gaps = self.entries.is_empty() && !self.is_all;
    }

    /// What is known of the next row.
    pub(super) fn next(
        &mut self,
        store: &Store,
        position: &Position,
        value: &Value,
    ) -> Result<Option<Entry>, LedgerError> {
        if let Position::Rowid(rowid) = position {
            while self.entries.get(self.at).is_some_and(|(known, _)| known < rowid) {
                self.at += 1;
                self.has_gaps = true;
            }
            match self.entries.get(self.at) {
                Some((known, entry)) if known == rowid => {
                    self.at += 1;
                    return Ok(Some(entry.clone()));
                }
                Some(_) => return Ok(None),
                None if self.is_all => return Ok(None),
                None => self.has_gaps = true,
            }
        }
        store.with(|ledger| ledger.entry(value.as_ref()))
    }

    /// Whether each entry that was passed is a row's.
    pub(super) fn is_whole(&self) -> bool {
        !self.has_gaps
    }
}
