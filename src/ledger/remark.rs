//! Rows that are not in the collection, and why.

use std::str::FromStr;

use rusqlite::types::Value;
use rusqlite::{Row, params};

use super::entry::{outcome_code, outcome_of, shown_id};
use super::{Ledger, LedgerError};
use crate::report::{Outcome, Remark, Remarks, Timestamp};

/// Rows released in one transaction: the write-ahead log stays small, and the daemon isn't kept waiting.
const RELEASED_AT_ONCE: i64 = 10_000;

const COLUMNS: &str =
    "quote(position), key, outcome, code, detail, duplicate_of, attempts, first_at, last_at";

/// A place in the list of remarks. Its text is SQLite's quoted form of a position: it holds nothing that the page
/// before it doesn't show.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor(Value);

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no cursor that a page of records ended with")]
pub struct InvalidCursor;

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        if let Ok(rowid) = text.parse::<i64>() {
            return if text.starts_with('+') { Err(InvalidCursor) } else { Ok(Self(rowid.into())) };
        }
        let digits = text.strip_prefix("X'").and_then(|text| text.strip_suffix('\'')).ok_or(InvalidCursor)?;
        if !digits.len().is_multiple_of(2) || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(InvalidCursor);
        }
        (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16))
            .collect::<Result<Vec<u8>, _>>()
            .map(|bytes| Self(bytes.into()))
            .map_err(|_| InvalidCursor)
    }
}

impl Ledger {
    /// Rows of one outcome behind the cursor `after`, at most `limit`.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn remarks(
        &self,
        outcome: Option<Outcome>,
        after: Option<&Cursor>,
        limit: u16,
    ) -> Result<Remarks, LedgerError> {
        // The outcome stands in the text, so that the index of one outcome can be used.
        let of =
            outcome.map_or_else(String::new, |outcome| format!("outcome = {} AND", outcome_code(outcome)));
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM remark WHERE {of} (?1 IS NULL OR position > ?1) ORDER BY position LIMIT ?2"
        ))?;
        let mut rows = statement.query(params![after.map(|after| &after.0), i64::from(limit) + 1])?;
        let mut page = Remarks::default();
        let mut last = None;
        while let Some(row) = rows.next()? {
            if page.records.len() == usize::from(limit) {
                page.next = last;
                break;
            }
            last = Some(row.get(0)?);
            page.records.push(remark(row)?);
        }
        Ok(page)
    }

    /// How many rows are remembered that aren't in the collection: duplicates, rejected ones.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn remark_counts(&self) -> Result<(u64, u64), LedgerError> {
        let count = |outcome| -> Result<u64, LedgerError> {
            let code = outcome_code(outcome);
            let sql = format!("SELECT count(*) FROM remark WHERE outcome = {code}");
            let count: i64 = self.connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        };
        Ok((count(Outcome::Duplicate)?, count(Outcome::Rejected)?))
    }

    /// How many rows are remembered, by what became of them.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn outcome_counts(&self) -> Result<Vec<(Outcome, u64)>, LedgerError> {
        let mut counts: Vec<(Outcome, u64)> = Outcome::ALL.into_iter().map(|outcome| (outcome, 0)).collect();
        let mut statement =
            self.connection.prepare_cached("SELECT outcome, count(*) FROM entry GROUP BY outcome")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let outcome = outcome_of(row.get(0)?).ok_or(LedgerError::Damaged)?;
            let count: i64 = row.get(1)?;
            counts.iter_mut().filter(|(of, _)| *of == outcome).for_each(|(_, n)| *n = count.unsigned_abs());
        }
        Ok(counts)
    }

    /// Forgets what became of the rejected rows and of those that are held, so that the next full comparison sends them
    /// again. What there is to tell of them stays until then. Answers how many there were.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn release(&mut self) -> Result<u64, LedgerError> {
        let mut released = 0;
        // One after the other: the index of the rejected ones serves only a question about them.
        for outcome in [Outcome::Rejected, Outcome::Held] {
            let sql = format!(
                "DELETE FROM entry WHERE position IN (SELECT remark.position FROM remark JOIN entry USING (position)
                 WHERE remark.outcome = {} LIMIT {RELEASED_AT_ONCE})",
                outcome_code(outcome)
            );
            loop {
                match self.connection.prepare_cached(&sql)?.execute([])? {
                    0 => break,
                    some => released += some as u64,
                }
            }
        }
        Ok(released)
    }
}

fn remark(row: &Row<'_>) -> Result<Remark, LedgerError> {
    Ok(Remark {
        key: row.get(1)?,
        outcome: outcome_of(row.get(2)?).ok_or(LedgerError::Damaged)?,
        code: row.get(3)?,
        reason: row.get(4)?,
        duplicate_of: shown_id(row.get(5)?)?,
        attempts: row.get(6)?,
        first_at: Timestamp::from_millis(row.get(7)?),
        last_at: Timestamp::from_millis(row.get(8)?),
    })
}
