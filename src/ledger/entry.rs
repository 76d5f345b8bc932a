//! What became of each row.

use mongodb::bson::Bson;
use mongodb::bson::oid::ObjectId;
use rusqlite::{OptionalExtension as _, params};

use super::remark::remark_upon;
use super::remarked::Remarked;
use super::run::set_progress;
use super::{Ledger, LedgerError};
use crate::record::ValueRef;
use crate::report::{Outcome, Progress, Timestamp};

/// What is remembered of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its document's `_id`.
    pub id: ObjectId,
    /// The hash of its values when it was dealt with.
    pub content: [u8; 16],
    /// What became of it.
    pub outcome: Outcome,
}

/// What is to be remembered of a row.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// Where it stands.
    pub position: ValueRef<'a>,
    /// Its key, as people know it.
    pub key: &'a str,
    /// Its document's `_id`.
    pub id: ObjectId,
    /// The hash of its values.
    pub content: [u8; 16],
    /// What became of it.
    pub outcome: Outcome,
    /// If it was rejected, MongoDB's error code.
    pub code: Option<i32>,
    /// If it isn't in the collection: why, without any value of it.
    pub detail: &'a str,
    /// If it is a duplicate: of which document.
    pub duplicate_of: Option<&'a Bson>,
    /// Whether its document may have been somebody else before: then what is remembered as its duplicate isn't any more.
    pub moved: bool,
}

/// Where an export stands once a batch is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The export's number.
    pub run: i64,
    /// Its counters, this batch included.
    pub progress: &'a Progress,
    /// The time that the batch's documents bear, RFC 3339.
    pub written_at: &'a str,
}

impl Ledger {
    /// What is remembered of the row at this position.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn entry(&self, position: ValueRef<'_>) -> Result<Option<Entry>, LedgerError> {
        self.connection
            .prepare_cached("SELECT id, content, outcome FROM entry WHERE position = ?1")?
            .query_row([position], |row| Ok((row.get::<_, [u8; 12]>(0)?, row.get(1)?, row.get::<_, i64>(2)?)))
            .optional()?
            .map(|(id, content, outcome)| {
                let outcome = outcome_of(outcome).ok_or(LedgerError::Damaged)?;
                Ok(Entry { id: ObjectId::from_bytes(id), content, outcome })
            })
            .transpose()
    }

    /// How many rows are remembered. Reads all of them.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn entries(&self) -> Result<u64, LedgerError> {
        let count: i64 =
            self.connection.prepare_cached("SELECT count(*) FROM entry")?.query_row([], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// What is remembered of the rows behind this rowid (of all, if there is none), in the order of their rowids, at most so
    /// many.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn entries_behind(&self, after: Option<i64>, limit: u32) -> Result<Vec<(i64, Entry)>, LedgerError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT position, id, content, outcome FROM entry WHERE position >= ?1 AND position < '' ORDER BY position
             LIMIT ?2",
        )?;
        let first = match after {
            Some(i64::MAX) => return Ok(Vec::new()),
            after => after.map_or(i64::MIN, |after| after + 1),
        };
        let mut rows = statement.query(params![first, limit])?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            let outcome = outcome_of(row.get(3)?).ok_or(LedgerError::Damaged)?;
            let id = ObjectId::from_bytes(row.get::<_, [u8; 12]>(1)?);
            entries.push((row.get(0)?, Entry { id, content: row.get(2)?, outcome }));
        }
        Ok(entries)
    }

    /// The highest rowid that is remembered; `None` if there is no entry.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn highest_rowid(&self) -> Result<Option<i64>, LedgerError> {
        Ok(self
            .connection
            .prepare_cached("SELECT position FROM entry WHERE position < x'' AND typeof(position) = 'integer' ORDER BY position DESC LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()?)
    }

    /// Forgets the rows behind `after` (of all, if there is none) up to `last` that aren't among those `there`, which are in
    /// their order.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn forget_gone(&mut self, after: Option<i64>, last: i64, there: &[i64]) -> Result<(), LedgerError> {
        let mut gone: Vec<i64> = Vec::new();
        {
            let mut there = there.iter().peekable();
            let mut statement = self.connection.prepare_cached(
                "SELECT position FROM entry WHERE position >= ?1 AND position <= ?2 ORDER BY position",
            )?;
            let mut rows =
                statement.query([after.map_or(i64::MIN, |after| after.saturating_add(1)), last])?;
            while let Some(row) = rows.next()? {
                let position: i64 = row.get(0)?;
                while there.next_if(|found| **found < position).is_some() {}
                if there.peek() != Some(&&position) {
                    gone.push(position);
                }
            }
        }
        if gone.is_empty() {
            return Ok(());
        }
        let transaction = self.begin()?;
        for table in ["entry", "remark"] {
            let mut statement =
                transaction.prepare_cached(&format!("DELETE FROM {table} WHERE position = ?1"))?;
            for position in &gone {
                statement.execute([position])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// Forgets rows behind the table's last one, which a scan of the whole table has found to be gone.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn forget_behind(&mut self, last: Option<i64>) -> Result<(), LedgerError> {
        let transaction = self.begin()?;
        for table in ["entry", "remark"] {
            transaction
                .prepare_cached(&format!(
                    "DELETE FROM {table} WHERE position > ?1 AND position < x'' AND typeof(position) = 'integer'"
                ))?
                .execute([last.unwrap_or(i64::MIN)])?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Remembers the outcomes of a batch and the export's counters: all of it, or nothing. Answers how many rows are
    /// pending again, as what they were duplicates of has moved.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn record(
        &mut self,
        standing: Standing<'_>,
        batch: &[Record<'_>],
        now: Timestamp,
    ) -> Result<usize, LedgerError> {
        self.stretch_log()?;
        let transaction = self.begin()?;
        set_progress(&transaction, standing.run, standing.progress)?;
        transaction
            .prepare_cached("UPDATE run SET recorded_to = ?2 WHERE number = ?1")?
            .execute(params![standing.run, standing.written_at])?;
        let mut moved = Vec::new();
        for record in batch.iter().filter(|record| record.moved) {
            // A row that is remembered with this content has moved before, and it was seen to.
            let seen_to = transaction
                .prepare_cached("SELECT 1 FROM entry WHERE position = ?1 AND content = ?2")?
                .exists(params![record.position, record.content])?;
            if !seen_to {
                moved.push(record.id.bytes());
            }
        }
        {
            let mut enter = transaction.prepare_cached(
                "INSERT INTO entry VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET
                 id = excluded.id, content = excluded.content, outcome = excluded.outcome, run = excluded.run",
            )?;
            let mut forget = transaction.prepare_cached("DELETE FROM remark WHERE position = ?1")?;
            let mut remarked = Remarked::among(&transaction, batch)?;
            for record in batch {
                let (id, outcome) = (record.id.bytes(), outcome_code(record.outcome));
                enter.execute(params![record.position, id, record.content, outcome, standing.run])?;
                if record.outcome != Outcome::Exported {
                    remark_upon(&transaction, record, now)?;
                    remarked.add(record.position);
                } else if remarked.may_have(record.position) {
                    forget.execute([record.position])?;
                }
            }
        }
        let mut released = 0;
        // Those of this batch, too: they may have been judged before it moved.
        for id in moved {
            released += transaction
                .prepare_cached(
                    "DELETE FROM entry WHERE position IN (SELECT position FROM remark WHERE duplicate_of = ?1)",
                )?
                .execute([id])?;
        }
        transaction.commit()?;
        Ok(released)
    }
}

/// Codes that differ in four bits from each other: one that is flipped gives none of them.
pub(super) fn outcome_code(outcome: Outcome) -> i64 {
    match outcome {
        Outcome::Exported => 0x33,
        Outcome::Duplicate => 0x55,
        Outcome::Rejected => 0x66,
        Outcome::Held => 0x0f,
    }
}

pub(super) fn outcome_of(code: i64) -> Option<Outcome> {
    Outcome::ALL.into_iter().find(|outcome| outcome_code(*outcome) == code)
}
