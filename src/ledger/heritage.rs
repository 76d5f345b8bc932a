//! What a ledger learns of the one whose place it takes: its exports. The entries are lost.

use rusqlite::params;

use super::counted::ALL_COUNTED;
use super::{Ledger, LedgerError, RunStart};

/// An export as it is kept. Typed, so that nothing is taken over of a damaged table that couldn't be read again.
pub(super) struct Kept {
    number: i64,
    texts: [String; 3],
    times: (i64, Option<i64>),
    counters: [i64; 7],
    recorded_to: Option<String>,
    failure: (Option<String>, Option<String>),
}

impl Kept {
    /// Whether it may have counted what an earlier export left.
    fn has_counted(&self) -> bool {
        let [_total, successful, ..] = self.counters;
        successful > 0
    }
}

impl Ledger {
    /// Writes down, in a ledger that took another one's place, an export that had begun, under its number there. What it
    /// wrote until now is counted, and not known here: nobody shall count it again.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub(super) fn adopt_run(&self, number: i64, start: &RunStart) -> Result<(), LedgerError> {
        self.connection.execute(
            "INSERT OR IGNORE INTO run (number, export_id, trigger, started_at, state, recorded_to)
             VALUES (?1, ?2, ?3, ?4, 'running', ?5)",
            params![number, start.export_id, start.trigger.as_str(), start.at.as_millis(), ALL_COUNTED],
        )?;
        Ok(())
    }

    /// Every export that is remembered, for another ledger.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub(super) fn runs(&self) -> Result<Vec<Kept>, LedgerError> {
        let mut statement = self.connection.prepare(
            "SELECT number, export_id, trigger, started_at, ended_at, state, total, successful, failed, skipped,
             updated, duplicates, kept, recorded_to, reason, error FROM run ORDER BY number",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(Kept {
                number: row.get(0)?,
                texts: [row.get(1)?, row.get(2)?, row.get(5)?],
                times: (row.get(3)?, row.get(4)?),
                counters: [
                    row.get(6)?,
                    row.get(7)?,
                    row.get(8)?,
                    row.get(9)?,
                    row.get(10)?,
                    row.get(11)?,
                    row.get(12)?,
                ],
                recorded_to: row.get(13)?,
                failure: (row.get(14)?, row.get(15)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Takes over exports of a ledger whose entries are lost, behind its own; an empty one keeps their numbers. One that it
    /// knows already is taken over as it was known there.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub(super) fn take_over(&mut self, runs: &[Kept]) -> Result<(), LedgerError> {
        let transaction = self.begin()?;
        let last: i64 =
            transaction.query_row("SELECT coalesce(max(number), 0) FROM run", [], |row| row.get(0))?;
        // What its exports have left, those before them here can't have counted: they knew nothing of each other.
        let last_to_count = runs.iter().filter(|run| run.has_counted()).map(|run| run.number).max();
        for run in runs {
            let [export_id, trigger, state] = &run.texts;
            transaction
                .prepare_cached("DELETE FROM run WHERE export_id = ?1 AND started_at = ?2")?
                .execute(params![export_id, run.times.0])?;
            let is_counted = last_to_count.is_some_and(|last| run.number < last);
            let [total, successful, failed, skipped, updated, duplicates, kept] = run.counters;
            transaction.prepare_cached("INSERT INTO run VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")?.execute(
                params![
                    last.saturating_add(run.number),
                    export_id,
                    trigger,
                    run.times.0,
                    run.times.1,
                    state,
                    total,
                    successful,
                    failed,
                    skipped,
                    updated,
                    duplicates,
                    kept,
                    if is_counted { Some(ALL_COUNTED) } else { run.recorded_to.as_deref() },
                    run.failure.0,
                    run.failure.1,
                ],
            )?;
        }
        Ok(transaction.commit()?)
    }
}
