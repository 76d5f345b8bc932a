//! What is told of the local memory: its own state, past exports, and rows that aren't in the collection.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Outcome, Progress, Reason, RunState, Timestamp, Trigger};

/// How the memory of what was delivered is doing. Work goes on in each case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LedgerState {
    /// Its file is in use.
    #[default]
    Kept,
    /// Since the daemon started it was damaged or gone once, and was filled anew by comparing with MongoDB.
    Rebuilt,
    /// Its directory can't be used: what is learned lasts until the daemon ends.
    Temporary,
}

impl LedgerState {
    /// The word used in JSON and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Rebuilt => "rebuilt",
            Self::Temporary => "temporary",
        }
    }
}

/// An export of the past, in the words of its status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PastExport {
    /// `export_YYYYMMDD_HHMMSS`.
    pub export_id: String,
    /// Who asked for it.
    pub trigger: Trigger,
    /// How it ended: `completed` or `failed`.
    pub status: RunState,
    /// Rows to look at.
    pub total_records: u64,
    /// Rows whose outcome was known at its end.
    pub processed_records: u64,
    /// Rows written.
    pub successful_records: u64,
    /// Rows refused by MongoDB.
    pub failed_records: u64,
    /// Rows left out: duplicates, or already there.
    pub skipped_records: u64,
    /// Of the successful: rows written over their own earlier copy.
    pub updated_records: u64,
    /// Of the skipped: duplicates of another document or an earlier row.
    pub duplicate_records: u64,
    /// Of the skipped: rows whose copy in MongoDB was kept, by the rule for updates.
    pub kept_records: u64,
    /// When it started.
    pub start_time: Timestamp,
    /// When it ended; unknown if it was broken off from outside.
    pub end_time: Option<Timestamp>,
    /// Why it failed, as one of the stable words.
    pub reason: Option<Reason>,
    /// Why it failed, without secrets or personal data.
    pub error_message: Option<String>,
}

impl PastExport {
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
}

/// A row that is not in the collection.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Remark {
    /// Its key, as people know it.
    pub key: String,
    /// `duplicate` or `rejected`.
    pub outcome: Outcome,
    /// Why, without any value of the row.
    pub reason: String,
    /// MongoDB's error code.
    pub code: Option<i32>,
    /// For a duplicate: the `_id` of the document that it duplicates, as extended JSON (`{"$oid": "..."}`).
    pub duplicate_of: Option<Value>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was tried first.
    pub first_at: Timestamp,
    /// When it was tried last.
    pub last_at: Timestamp,
}

/// A page of remarks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Remarks {
    /// The rows, in the order of their places in the table.
    pub records: Vec<Remark>,
    /// What to pass as `after` for the next page; `None` at the end.
    pub next: Option<String>,
}

/// Which remarks are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemarkQuery {
    /// Of this outcome only.
    pub outcome: Option<Outcome>,
    /// Behind this cursor, as [`Remarks::next`] gave it.
    pub after: Option<String>,
    /// How many at most, 1..=1000.
    pub limit: u16,
}
