//! Rows that are not in the collection, and why.

use std::str::FromStr;

use mongodb::bson::Bson;
use mongodb::bson::oid::ObjectId;
use rusqlite::types::Value;
use rusqlite::{Row, Transaction, params};

use super::entry::{outcome_code, outcome_of};
use super::{Ledger, LedgerError, Record};
use crate::report::{Outcome, Remark, Remarks, Timestamp};

/// Rows released in one transaction: the write-ahead log stays small, and the daemon isn't kept waiting.
const RELEASED_AT_ONCE: i64 = 10_000;

/// An `_id` that takes more bytes than this as extended JSON isn't kept.
const LONGEST_ID: usize = 1024;

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

/// Remembers what there is to tell of a row that isn't in the collection.
pub(super) fn remark_upon(
    transaction: &Transaction<'_>,
    record: &Record<'_>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    transaction
        .prepare_cached(
            // Another id: another row stands here now, with a history of its own.
            "INSERT INTO remark VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?8) ON CONFLICT DO UPDATE SET
             attempts = CASE WHEN id = excluded.id THEN attempts + 1 ELSE 1 END,
             first_at = CASE WHEN id = excluded.id THEN first_at ELSE excluded.first_at END,
             id = excluded.id, key = excluded.key, outcome = excluded.outcome, code = excluded.code,
             detail = excluded.detail, duplicate_of = excluded.duplicate_of,
             last_at = excluded.last_at",
        )?
        .execute(params![
            record.position,
            record.id.bytes(),
            record.key,
            outcome_code(record.outcome),
            record.code,
            record.detail,
            record.duplicate_of.and_then(stored_id),
            now.as_millis(),
        ])?;
    Ok(())
}

/// An `_id` as it is kept: an ObjectId by its bytes, another one as extended JSON; `None` if that is long.
fn stored_id(id: &Bson) -> Option<Value> {
    match id {
        Bson::ObjectId(id) => Some(Value::Blob(id.bytes().to_vec())),
        other => {
            let text = extended_json(other)?.to_string();
            (text.len() <= LONGEST_ID).then_some(Value::Text(text))
        }
    }
}

fn extended_json(id: &Bson) -> Option<serde_json::Value> {
    serde_json::to_value(id).ok()
}

/// What [`stored_id`] kept, as extended JSON.
fn shown_id(kept: Value) -> Result<Option<serde_json::Value>, LedgerError> {
    match kept {
        Value::Null => Ok(None),
        Value::Blob(bytes) => {
            let bytes = bytes.try_into().map_err(|_| LedgerError::Damaged)?;
            Ok(extended_json(&Bson::ObjectId(ObjectId::from_bytes(bytes))))
        }
        Value::Text(text) => serde_json::from_str(&text).map(Some).map_err(|_| LedgerError::Damaged),
        Value::Integer(_) | Value::Real(_) => Err(LedgerError::Damaged),
    }
}
