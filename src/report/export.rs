//! What is told of an export.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::{LedgerState, Reason, Timestamp};

/// Who asked for an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// The supervisor, because rows were pending and MongoDB was reachable.
    Automatic,
    /// A person or a program, by `POST /api/export/sqlite-to-mongodb` or the command line.
    Manual,
}

impl Trigger {
    /// The name used in JSON, logs and the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Manual => "manual",
        }
    }
}

/// Longer than any id that an export is given.
const LONGEST_ID: usize = 64;

/// Whether a text could be the id of an export. What can is safe in a request, a log and a terminal.
#[must_use]
pub fn is_export_id(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    plain && text.starts_with("export_") && text.len() <= LONGEST_ID
}

/// What an export was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunRequest {
    /// Who asked.
    pub trigger: Trigger,
    /// Rows a batch, 1..=1000.
    pub batch_size: u16,
    /// Whether a row whose duplicate key is already in the collection is left out.
    pub skip_duplicates: bool,
}

/// The four documented states of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// No export ran since the start or the last reset.
    #[default]
    Idle,
    /// An export is in progress.
    Running,
    /// The last export went through all of its rows.
    Completed,
    /// The last export broke off; `error_message` says why.
    Failed,
}

/// What became of one row. Every row that an export looked at ends as exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// In the collection, acknowledged by a majority and journaled.
    Exported,
    /// Left out, because another document has the same duplicate key.
    Duplicate,
    /// Refused by MongoDB; kept, with the reason, for retry.
    Rejected,
    /// Its document was taken back by a rollback; not sent again by itself.
    Held,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Exported, Self::Duplicate, Self::Rejected, Self::Held];

    /// The word used in JSON and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exported => "exported",
            Self::Duplicate => "duplicate",
            Self::Rejected => "rejected",
            Self::Held => "held",
        }
    }
}

/// Counters of one export. `processed = successful + failed + skipped <= total`, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows that this export has to look at, as far as is known.
    pub total: u64,
    /// Rows written by this export: inserted or updated.
    pub successful: u64,
    /// Rows that MongoDB refused.
    pub failed: u64,
    /// Rows left out: duplicates, or already there.
    pub skipped: u64,
    /// Of `successful`: rows written over their own earlier copy.
    pub updated: u64,
    /// Of `skipped`: duplicates of another document or of an earlier row.
    pub duplicates: u64,
    /// Of `skipped`: changed rows whose copy stays as it is, by the rule for updates.
    pub kept: u64,
}

impl Progress {
    /// Rows whose outcome is known.
    #[must_use]
    pub fn processed(&self) -> u64 {
        self.successful + self.failed + self.skipped
    }

    /// Counts in the rows of `other`. The total grows with what is processed.
    pub fn add(&mut self, other: &Self) {
        self.successful += other.successful;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.updated += other.updated;
        self.duplicates += other.duplicates;
        self.kept += other.kept;
        self.total = self.total.max(self.processed());
    }
}

/// A snapshot of the running or the last export: the nine documented fields, then the project's own.
/// Serializes in the documented order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
// What is documented is always there; what is beside it may be missing in what others serve.
#[schemars(extend("required" = ["status", "total_records", "processed_records", "successful_records",
    "failed_records", "skipped_records", "start_time", "end_time", "error_message"]))]
pub struct ExportStatus {
    /// Where the export stands.
    pub status: RunState,
    /// Rows to look at, as far as is known.
    pub total_records: u64,
    /// Rows whose outcome is known.
    pub processed_records: u64,
    /// Rows written.
    pub successful_records: u64,
    /// Rows refused by MongoDB.
    pub failed_records: u64,
    /// Rows left out: duplicates, or already there.
    pub skipped_records: u64,
    /// When it started.
    pub start_time: Option<Timestamp>,
    /// When it ended.
    pub end_time: Option<Timestamp>,
    /// Why it failed, without secrets or personal data.
    pub error_message: Option<String>,
    /// `export_YYYYMMDD_HHMMSS`.
    pub export_id: Option<String>,
    /// Who asked for it.
    pub trigger: Option<Trigger>,
    /// Of the successful: rows written over their own earlier copy.
    pub updated_records: u64,
    /// Of the skipped: duplicates of another document or an earlier row.
    pub duplicate_records: u64,
    /// Of the skipped: changed rows whose copy stays as it is, as it is newer.
    pub kept_records: u64,
    /// Why it failed, as one of the stable words.
    pub reason: Option<Reason>,
    /// What keeps rows from being sent at the moment, other than the connectivity: SQLite or the ledger.
    pub waiting_for: Option<String>,
    /// Whether exports start by themselves only after `POST /api/export/resume`.
    pub paused: bool,
    /// How the memory of what was delivered is doing.
    pub ledger: LedgerState,
    /// Rows that wait to be exported, as far as is known.
    pub pending_records: u64,
    /// When the daemon first saw the oldest of them.
    pub oldest_pending_time: Option<Timestamp>,
}

impl ExportStatus {
    /// The status without an export: what isn't an export's own stays.
    #[must_use]
    pub fn without_export(&self) -> Self {
        Self {
            waiting_for: self.waiting_for.clone(),
            paused: self.paused,
            ledger: self.ledger,
            ..Self::default()
        }
    }

    /// Whether the export of this id is running.
    #[must_use]
    pub fn is_running(&self, export_id: &str) -> bool {
        self.status == RunState::Running && self.export_id.as_deref() == Some(export_id)
    }

    /// Takes over the counters.
    pub fn set_progress(&mut self, progress: &Progress) {
        self.total_records = progress.total.max(progress.processed());
        self.processed_records = progress.processed();
        self.successful_records = progress.successful;
        self.failed_records = progress.failed;
        self.skipped_records = progress.skipped;
        self.updated_records = progress.updated;
        self.duplicate_records = progress.duplicates;
        self.kept_records = progress.kept;
    }

    /// How long the export ran, once it has ended.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        let (start, end) = (self.start_time?, self.end_time?);
        Some(Duration::from_millis(u64::try_from(end.as_millis() - start.as_millis()).unwrap_or(0)))
    }
}
