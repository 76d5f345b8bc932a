//! Past exports.

use rusqlite::{OptionalExtension as _, Row, params};

use super::{Ledger, LedgerError};
use crate::report::{ExportStatus, Progress, Reason, RunState, Timestamp, Trigger};

/// How many past exports are remembered.
const KEPT: u32 = 1000;

/// How an export ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEnd {
    /// [`RunState::Completed`] or [`RunState::Failed`].
    pub state: RunState,
    /// The counters.
    pub progress: Progress,
    /// Why it failed, as one of the stable words.
    pub reason: Option<Reason>,
    /// Why it failed, redacted.
    pub error: Option<String>,
    /// When it ended.
    pub at: Timestamp,
}

impl Ledger {
    /// Writes down that an export begins. Answers its number.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn run_started(
        &mut self,
        export_id: &str,
        trigger: Trigger,
        at: Timestamp,
    ) -> Result<i64, LedgerError> {
        let transaction = self.connection.transaction()?;
        transaction.execute(
            "INSERT INTO run (export_id, trigger, started_at, state) VALUES (?1, ?2, ?3, 'running')",
            params![export_id, trigger.as_str(), at.as_millis()],
        )?;
        let number = transaction.last_insert_rowid();
        transaction.execute("DELETE FROM run WHERE number <= ?1 - ?2", params![number, KEPT])?;
        transaction.commit()?;
        Ok(number)
    }

    /// Writes down how an export ended.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn run_ended(&self, number: i64, end: &RunEnd) -> Result<(), LedgerError> {
        let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let progress = &end.progress;
        self.connection.execute(
            "UPDATE run SET ended_at = ?2, state = ?3, total = ?4, successful = ?5, failed = ?6, skipped = ?7,
             updated = ?8, duplicates = ?9, reason = ?10, error = ?11 WHERE number = ?1",
            params![
                number,
                end.at.as_millis(),
                state_word(end.state),
                count(progress.total),
                count(progress.successful),
                count(progress.failed),
                count(progress.skipped),
                count(progress.updated),
                count(progress.duplicates),
                end.reason.map(Reason::as_str),
                end.error,
            ],
        )?;
        Ok(())
    }

    /// Whether an export of this id is remembered.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn knows_run(&self, export_id: &str) -> Result<bool, LedgerError> {
        Ok(self
            .connection
            .prepare_cached("SELECT 1 FROM run WHERE export_id = ?1")?
            .query_row([export_id], |_| Ok(()))
            .optional()?
            .is_some())
    }

    /// Whether an export of this id is remembered that didn't get to its end, so that it may have written what it
    /// couldn't count.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn run_broke_off(&self, export_id: &str) -> Result<bool, LedgerError> {
        Ok(self
            .connection
            .prepare_cached("SELECT 1 FROM run WHERE export_id = ?1 AND state <> 'completed'")?
            .query_row([export_id], |_| Ok(()))
            .optional()?
            .is_some())
    }

    /// Past exports, the latest first. One that never ended (the daemon was killed) is told as failed.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn history(&self, limit: u32) -> Result<Vec<ExportStatus>, LedgerError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT export_id, trigger, started_at, ended_at, state, total, successful, failed, skipped, updated,
             duplicates, reason, error FROM run ORDER BY number DESC LIMIT ?1",
        )?;
        let rows = statement.query_map([limit], status)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn status(row: &Row<'_>) -> rusqlite::Result<ExportStatus> {
    let count = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
    let ended: Option<i64> = row.get(3)?;
    let mut status = ExportStatus {
        export_id: row.get(0)?,
        trigger: Some(if row.get::<_, String>(1)? == "manual" {
            Trigger::Manual
        } else {
            Trigger::Automatic
        }),
        start_time: Some(Timestamp::from_millis(row.get(2)?)),
        end_time: ended.map(Timestamp::from_millis),
        status: if row.get::<_, String>(4)? == "completed" { RunState::Completed } else { RunState::Failed },
        reason: row.get::<_, Option<String>>(11)?.as_deref().and_then(Reason::from_word),
        error_message: row.get(12)?,
        ..ExportStatus::default()
    };
    status.set_progress(&Progress {
        total: count(5)?,
        successful: count(6)?,
        failed: count(7)?,
        skipped: count(8)?,
        updated: count(9)?,
        duplicates: count(10)?,
    });
    if ended.is_none() {
        status.error_message = Some("the daemon was stopped before the export ended".to_owned());
    }
    Ok(status)
}

fn state_word(state: RunState) -> &'static str {
    match state {
        RunState::Idle => "idle",
        RunState::Running => "running",
        RunState::Completed => "completed",
        RunState::Failed => "failed",
    }
}
