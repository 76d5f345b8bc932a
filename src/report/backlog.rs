//! What is told of the rows that wait.

use std::time::Instant;

use super::{ExportStatus, RunState, Timestamp, Trigger};

/// Rows that wait to be exported, as far as is known: nobody reads the table only to know this better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many there are.
    pub rows: u64,
    /// When the oldest of them was first seen by this process. (No time of the wall clock: that may be set meanwhile.)
    pub oldest: Option<Instant>,
}

impl Backlog {
    /// Fills in what a status says of the rows that wait.
    #[must_use]
    pub fn told_in(&self, mut status: ExportStatus, now: Instant) -> ExportStatus {
        // What a manual export has to look at may be there already; what an automatic one has to, is what waits.
        let is_automatic = status.trigger == Some(Trigger::Automatic);
        status.pending_records = if status.status == RunState::Running && is_automatic {
            status.total_records.saturating_sub(status.processed_records)
        } else {
            self.rows
        };
        let seen = self.oldest.filter(|_| status.pending_records > 0);
        status.oldest_pending_time =
            seen.map(|seen| Timestamp::now().before(now.saturating_duration_since(seen)));
        status
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn status(state: RunState, trigger: Trigger) -> ExportStatus {
        ExportStatus {
            status: state,
            trigger: Some(trigger),
            total_records: 50,
            processed_records: 20,
            ..ExportStatus::default()
        }
    }

    #[test]
    fn what_waits_is_what_the_running_export_has_left_or_what_was_last_seen() {
        let now = Instant::now();
        let backlog = Backlog { rows: 9, oldest: Some(now - Duration::from_secs(60)) };
        let told = |state, trigger| backlog.told_in(status(state, trigger), now);
        assert_eq!(told(RunState::Running, Trigger::Automatic).pending_records, 30);
        assert_eq!(told(RunState::Running, Trigger::Manual).pending_records, 9);
        assert_eq!(told(RunState::Failed, Trigger::Automatic).pending_records, 9);
        let age = told(RunState::Failed, Trigger::Automatic).oldest_pending_time.expect("rows wait");
        let age = Timestamp::now().as_millis() - age.as_millis();
        assert!((59_000..70_000).contains(&age), "{age} ms");
    }

    #[test]
    fn nothing_that_waits_has_no_age() {
        let now = Instant::now();
        let told = Backlog { rows: 0, oldest: Some(now) }.told_in(ExportStatus::default(), now);
        assert_eq!((told.pending_records, told.oldest_pending_time), (0, None));
    }
}
