//! Past exports.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{Ledger, LedgerError};
use crate::report::{PastExport, Progress, Reason, RunState, Timestamp, Trigger};

/// How many past exports are remembered.
const KEPT: u32 = 1000;

/// How an export began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunStart {
    /// Its id.
    pub export_id: String,
    /// Who asked for it.
    pub trigger: Trigger,
    /// When it began.
    pub at: Timestamp,
}

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
    pub fn run_started(&mut self, start: &RunStart) -> Result<i64, LedgerError> {
        let transaction = self.begin()?;
        // Documents that bear this id and an earlier time are those of another export: its id was lost with a ledger and
        // given again. They are counted.
        let before = Timestamp::from_millis(start.at.as_millis().saturating_sub(1)).to_string();
        transaction.execute(
            "INSERT INTO run (export_id, trigger, started_at, state, recorded_to) VALUES (?1, ?2, ?3, 'running', ?4)",
            params![start.export_id, start.trigger.as_str(), start.at.as_millis(), before],
        )?;
        let number = transaction.last_insert_rowid();
        transaction.execute("DELETE FROM run WHERE number <= ?1 - ?2", params![number, KEPT])?;
        transaction.commit()?;
        self.doubt(start.trigger, number)?;
        Ok(number)
    }

    /// Writes down how an export ended.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn run_ended(&self, number: i64, end: &RunEnd) -> Result<(), LedgerError> {
        let transaction = self.connection.unchecked_transaction()?;
        set_progress(&transaction, number, &end.progress)?;
        transaction.execute(
            "UPDATE run SET ended_at = ?2, state = ?3, reason = ?4, error = ?5 WHERE number = ?1",
            params![
                number,
                end.at.as_millis(),
                state_word(end.state),
                end.reason.map(Reason::as_str),
                end.error
            ],
        )?;
        self.end_doubt(number, end.state)?;
        Ok(transaction.commit()?)
    }

    /// Forgets an export that didn't begin after all.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn forget_run(&self, number: i64) -> Result<(), LedgerError> {
        self.connection.execute("DELETE FROM run WHERE number = ?1", [number])?;
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

    /// Past exports, the latest first, without the one that is under way. One that never ended, because the daemon was
    /// killed, is told as failed.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn history(&self, limit: u16, under_way: Option<i64>) -> Result<Vec<PastExport>, LedgerError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT export_id, trigger, started_at, ended_at, state, total, successful, failed, skipped, updated,
             duplicates, reason, error, kept FROM run WHERE number IS NOT ?2 ORDER BY number DESC LIMIT ?1",
        )?;
        let rows = statement.query_map(params![limit, under_way], past)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// Writes down an export's counters.
pub(super) fn set_progress(
    connection: &Connection,
    number: i64,
    progress: &Progress,
) -> Result<(), LedgerError> {
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "UPDATE run SET total = ?2, successful = ?3, failed = ?4, skipped = ?5, updated = ?6, duplicates = ?7,
             kept = ?8 WHERE number = ?1",
        )?
        .execute(params![
            number,
            count(progress.total),
            count(progress.successful),
            count(progress.failed),
            count(progress.skipped),
            count(progress.updated),
            count(progress.duplicates),
            count(progress.kept),
        ])?;
    Ok(())
}

fn past(row: &Row<'_>) -> rusqlite::Result<PastExport> {
    let count = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
    let ended: Option<i64> = row.get(3)?;
    let mut past = PastExport {
        export_id: row.get(0)?,
        trigger: if row.get::<_, String>(1)? == "manual" { Trigger::Manual } else { Trigger::Automatic },
        status: if row.get::<_, String>(4)? == "completed" { RunState::Completed } else { RunState::Failed },
        total_records: 0,
        processed_records: 0,
        successful_records: 0,
        failed_records: 0,
        skipped_records: 0,
        updated_records: 0,
        duplicate_records: 0,
        kept_records: 0,
        start_time: Timestamp::from_millis(row.get(2)?),
        end_time: ended.map(Timestamp::from_millis),
        reason: row.get::<_, Option<String>>(11)?.as_deref().and_then(Reason::from_word),
        error_message: row.get(12)?,
    };
    past.set_progress(&Progress {
        total: count(5)?,
        successful: count(6)?,
        failed: count(7)?,
        skipped: count(8)?,
        updated: count(9)?,
        duplicates: count(10)?,
        kept: count(13)?,
    });
    if ended.is_none() {
        past.error_message = Some("broken off: the daemon ended before the export did".to_owned());
    }
    Ok(past)
}

fn state_word(state: RunState) -> &'static str {
    match state {
        RunState::Idle => "idle",
        RunState::Running => "running",
        RunState::Completed => "completed",
        RunState::Failed => "failed",
    }
}
