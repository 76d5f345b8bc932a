//! What a manual export that didn't go through leaves in doubt.
//!
//! What holds: once [`Ledger::settle_doubts`] was called, no row that such an export may have written is remembered as one
//! that isn't in the collection.
//!
//! A manual export sends duplicates if it is told to, and what was refused before. If it ends between the sending and the
//! recording, what was remembered of those rows from before isn't true any more, and nothing else would ever look at them.

use super::entry::outcome_code;
use super::{Ledger, LedgerError};
use crate::report::{Outcome, RunState, Trigger};

/// The fact that a manual export began; its number, until one goes through.
const UNSETTLED: &str = "unsettled";

impl Ledger {
    /// An export begins.
    pub(super) fn doubt(&self, trigger: Trigger, number: i64) -> Result<(), LedgerError> {
        if trigger == Trigger::Manual { self.set_fact(UNSETTLED, &number.to_string()) } else { Ok(()) }
    }

    /// An export ended.
    pub(super) fn end_doubt(&self, number: i64, state: RunState) -> Result<(), LedgerError> {
        if state == RunState::Completed {
            self.connection
                .prepare_cached("DELETE FROM fact WHERE name = ?1 AND value = ?2")?
                .execute([UNSETTLED, &number.to_string()])?;
        }
        Ok(())
    }

    /// Makes the rows pending that the last manual export may have written without recording it, unless it went through.
    /// What there is to tell of them stays until they were looked at. Answers how many there are.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn settle_doubts(&mut self) -> Result<u64, LedgerError> {
        if self.fact(UNSETTLED)?.is_none() {
            return Ok(0);
        }
        let transaction = self.begin()?;
        let released = transaction.execute(
            "DELETE FROM entry WHERE outcome IN (?1, ?2)",
            [Outcome::Duplicate, Outcome::Rejected].map(outcome_code),
        )?;
        transaction.execute("DELETE FROM fact WHERE name = ?1", [UNSETTLED])?;
        transaction.commit()?;
        Ok(released as u64)
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::oid::ObjectId;

    use super::super::{Record, RunEnd, RunStart, Standing};
    use super::*;
    use crate::record::ValueRef;
    use crate::report::{Progress, Timestamp};

    fn ledger_after(trigger: Trigger, state: Option<RunState>) -> Ledger {
        let mut ledger = Ledger::temporary().unwrap();
        let at = Timestamp::from_millis(0);
        let number = ledger.run_started(&RunStart { export_id: "export".to_owned(), trigger, at }).unwrap();
        let progress = Progress::default();
        let standing = Standing { run: number, progress: &progress, written_at: "" };
        let records: Vec<_> = [Outcome::Exported, Outcome::Duplicate, Outcome::Rejected]
            .into_iter()
            .zip(1..)
            .map(|(outcome, rowid)| Record {
                position: ValueRef::Integer(rowid),
                key: "",
                id: ObjectId::from_bytes([0; 12]),
                content: [0; 16],
                outcome,
                code: None,
                detail: "",
                duplicate_of: None,
                moved: false,
            })
            .collect();
        ledger.record(standing, &records, at).unwrap();
        if let Some(state) = state {
            ledger.run_ended(number, &RunEnd { state, progress, reason: None, error: None, at }).unwrap();
        }
        ledger
    }

    #[test]
    fn what_a_manual_export_that_did_not_go_through_may_have_written_is_pending() {
        for state in [None, Some(RunState::Failed)] {
            let mut ledger = ledger_after(Trigger::Manual, state);
            assert_eq!(ledger.settle_doubts().unwrap(), 2);
            let known = |rowid| ledger.entry(ValueRef::Integer(rowid)).unwrap().is_some();
            assert_eq!([known(1), known(2), known(3)], [true, false, false]);
            assert_eq!(ledger.settle_doubts().unwrap(), 0, "once");
        }
    }

    #[test]
    fn nothing_is_in_doubt_after_one_that_went_through_or_an_automatic_one() {
        for (trigger, state) in [(Trigger::Manual, Some(RunState::Completed)), (Trigger::Automatic, None)] {
            assert_eq!(ledger_after(trigger, state).settle_doubts().unwrap(), 0);
        }
    }
}
