//! How far exports have counted what they wrote.
//!
//! What holds: of each export, all that it wrote until a certain time is counted, by itself. What it wrote later is counted
//! by whoever finds it: once, as the entry that is made of it in the same transaction tells. An entry may be lost (with
//! the ledger, with its row, with its place in the table), and then nothing tells any more. Therefore:
//! - as soon as every row was compared, all that earlier exports wrote is counted: what was left is found by then;
//! - where all entries are lost before that, what an export left is taken for counted if a later one has counted anything:
//!   that may have been among it. None is counted twice.
//!
//! Counted never may be, of the few batches that were under way when an export broke off: a row of which the ledger is lost while
//! the next export is finding them; one that was away from the table then; and one that is held, as no comparison sends it.

use rusqlite::Connection;

use super::{Ledger, LedgerError};

/// Later than any time that a document bears: an export that wrote nothing that isn't counted.
pub(super) const ALL_COUNTED: &str = "~";

/// How far an export has counted what it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedTo(Option<String>);

impl CountedTo {
    /// Whether it may have written something at this time (RFC 3339, as documents bear it) that it didn't count, because it
    /// broke off before.
    #[must_use]
    pub fn leaves_out(&self, written_at: &str) -> bool {
        self.0.as_deref().is_none_or(|recorded_to| recorded_to < written_at)
    }
}

impl Ledger {
    /// How far the export of this id has counted what it wrote; `None` if it isn't remembered.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn counted_to(&self, export_id: &str) -> Result<Option<CountedTo>, LedgerError> {
        Ok(self
            .connection
            // A ledger that was lost may have let an id be given twice: then rather not counted than counted twice.
            .prepare_cached("SELECT count(*), max(recorded_to) FROM run WHERE export_id = ?1")?
            .query_row([export_id], |row| {
                Ok(if row.get::<_, i64>(0)? == 0 { None } else { Some(CountedTo(row.get(1)?)) })
            })?)
    }

    /// Every row was compared: all that exports wrote is counted, but for the one under way.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn all_counted(&mut self, under_way: Option<i64>) -> Result<(), LedgerError> {
        self.connection
            .prepare_cached(
                "UPDATE run SET recorded_to = ?1 WHERE number IS NOT ?2 AND recorded_to IS NOT ?1",
            )?
            .execute((ALL_COUNTED, under_way))?;
        Ok(())
    }
}

/// All entries are lost: what a later export may have counted is counted.
pub(super) fn entries_are_lost(connection: &Connection) -> Result<(), LedgerError> {
    connection.execute(
        "UPDATE run SET recorded_to = ?1 WHERE number < (SELECT max(number) FROM run WHERE successful > 0)",
        [ALL_COUNTED],
    )?;
    Ok(())
}
