//! Rows whose documents are taken back: they are held, so that no automatic export sends them right back.
//!
//! What holds: a row is held before its document is deleted. A rollback that breaks off leaves rows that are held and
//! still in the collection, never rows that are sent again at once.

use rusqlite::{Transaction, params};

use super::entry::outcome_code;
use super::remark::remark_upon;
use super::{Ledger, LedgerError, Record};
use crate::record::ValueRef;
use crate::report::{Outcome, Timestamp};

impl Ledger {
    /// Holds these rows, and with them the duplicates of their documents. All of it, or nothing.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn hold(&mut self, rows: &[Record<'_>], now: Timestamp) -> Result<(), LedgerError> {
        let transaction = self.begin()?;
        for row in rows {
            transaction
                .prepare_cached(
                    // Which export dealt with it last stays known.
                    "INSERT INTO entry VALUES (?1, ?2, ?3, ?4, 0) ON CONFLICT DO UPDATE SET
                     id = excluded.id, content = excluded.content, outcome = excluded.outcome",
                )?
                .execute(params![row.position, row.id.bytes(), row.content, outcome_code(Outcome::Held)])?;
            remark_upon(&transaction, row, now)?;
            turn_duplicates(&transaction, row, Outcome::Duplicate, Outcome::Held, now)?;
        }
        Ok(transaction.commit()?)
    }

    /// Lets rows go whose documents stayed after all: the next comparison finds them in the collection.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn let_go(&mut self, rows: &[Record<'_>], now: Timestamp) -> Result<(), LedgerError> {
        let transaction = self.begin()?;
        for row in rows {
            for table in ["entry", "remark"] {
                forget(&transaction, table, row.position)?;
            }
            turn_duplicates(&transaction, row, Outcome::Held, Outcome::Duplicate, now)?;
        }
        Ok(transaction.commit()?)
    }
}

fn forget(transaction: &Transaction<'_>, table: &str, position: ValueRef<'_>) -> Result<(), LedgerError> {
    transaction.prepare_cached(&format!("DELETE FROM {table} WHERE position = ?1"))?.execute([position])?;
    Ok(())
}

/// What duplicates a row's document shares its fate.
fn turn_duplicates(
    transaction: &Transaction<'_>,
    row: &Record<'_>,
    from: Outcome,
    to: Outcome,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let (from, to) = (outcome_code(from), outcome_code(to));
    transaction
        .prepare_cached(
            "UPDATE entry SET outcome = ?3 WHERE outcome = ?2
             AND position IN (SELECT position FROM remark WHERE duplicate_of = ?1 AND outcome = ?2)",
        )?
        .execute(params![row.id.bytes(), from, to])?;
    transaction
        .prepare_cached(
            "UPDATE remark SET outcome = ?3, last_at = ?4 WHERE duplicate_of = ?1 AND outcome = ?2",
        )?
        .execute(params![row.id.bytes(), from, to, now.as_millis()])?;
    Ok(())
}
