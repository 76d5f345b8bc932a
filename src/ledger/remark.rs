//! Rows that are not in the collection, and why.

use mongodb::bson::oid::ObjectId;
use rusqlite::params;
use serde::Serialize;

use super::entry::{outcome_code, outcome_of};
use super::{Ledger, LedgerError};
use crate::report::{Outcome, Timestamp};

/// A row that is not in the collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// Its key, as people know it.
    pub key: String,
    /// `duplicate` or `rejected`.
    pub outcome: Outcome,
    /// MongoDB's error code.
    pub code: Option<i32>,
    /// Why, without any value of the row.
    pub reason: String,
    /// For a duplicate: the `_id` of the document that it duplicates, as 24 hexadecimal digits.
    pub duplicate_of: Option<String>,
    /// How often it was looked at.
    pub attempts: u32,
    /// When it was looked at first.
    pub first_at: Timestamp,
    /// When it was looked at last.
    pub last_at: Timestamp,
}

/// A page of remarks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Remarks {
    /// The rows, in the order of their positions.
    pub records: Vec<Remark>,
    /// What to pass as `after` for the next page; `None` at the end.
    pub next: Option<String>,
}

impl Ledger {
    /// Rows of one outcome behind the cursor `after`, at most `limit`.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn remarks(
        &self,
        outcome: Option<Outcome>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Remarks, LedgerError> {
        // The cursor is the quoted form of the last position: it holds nothing that the page doesn't show.
        let mut statement = self.connection.prepare_cached(
            "SELECT key, outcome, code, detail, duplicate_of, attempts, first_at, last_at, quote(position)
             FROM remark
             WHERE (?1 IS NULL OR outcome = ?1) AND (?2 IS NULL OR position > ?2)
             ORDER BY position LIMIT ?3",
        )?;
        let after = after.and_then(cursor);
        let mut rows = statement.query(params![outcome.map(outcome_code), after, i64::from(limit) + 1])?;
        let mut page = Remarks::default();
        let mut last = None;
        while let Some(row) = rows.next()? {
            if page.records.len() == limit as usize {
                page.next = last;
                break;
            }
            last = Some(row.get(8)?);
            page.records.push(Remark {
                key: row.get(0)?,
                outcome: outcome_of(row.get(1)?).ok_or(LedgerError::Damaged)?,
                code: row.get(2)?,
                reason: row.get(3)?,
                duplicate_of: row.get::<_, Option<[u8; 12]>>(4)?.map(|id| ObjectId::from_bytes(id).to_hex()),
                attempts: row.get(5)?,
                first_at: Timestamp::from_millis(row.get(6)?),
                last_at: Timestamp::from_millis(row.get(7)?),
            });
        }
        Ok(page)
    }

    /// How many rows are remembered with each outcome: exported, duplicate, rejected.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn remark_counts(&self) -> Result<(u64, u64), LedgerError> {
        let count = |outcome| -> Result<u64, LedgerError> {
            let count: i64 = self
                .connection
                .prepare_cached("SELECT count(*) FROM remark WHERE outcome = ?1")?
                .query_row([outcome_code(outcome)], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        };
        Ok((count(Outcome::Duplicate)?, count(Outcome::Rejected)?))
    }

    /// Forgets the rejected rows, so that the next full comparison sends them again. Answers how many there were.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn release_rejected(&mut self) -> Result<u64, LedgerError> {
        let released = self
            .connection
            .prepare_cached(
                "DELETE FROM entry WHERE position IN (SELECT position FROM remark WHERE outcome = ?1)",
            )?
            .execute([outcome_code(Outcome::Rejected)])?;
        Ok(released as u64)
    }
}

/// A position in its quoted form: an integer, or a blob as `X'..'`.
fn cursor(text: &str) -> Option<rusqlite::types::Value> {
    if let Ok(rowid) = text.parse::<i64>() {
        return Some(rowid.into());
    }
    let digits = text.strip_prefix("X'")?.strip_suffix('\'')?;
    let bytes = (0..digits.len())
        .step_by(2)
        .map(|at| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect::<Option<Vec<u8>>>()?;
    Some(bytes.into())
}
