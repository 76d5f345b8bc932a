//! The `data` of answers, where they aren't a snapshot of [`report`](crate::report) as it is.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::report::{PastExport, Summary, Transition};
use crate::supervisor::control::{Connected, Started};

/// What is in SQLite.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct SqliteData {
    /// Rows in the table.
    total_records: u64,
    /// At most five rows in key order, every column under its own name.
    #[schemars(length(max = 5))]
    sample_records: Vec<Map<String, Value>>,
    /// Numbers of distinct values (`unique_<column>s`) and distributions, of the columns that exist. Not there if the
    /// table is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    statistics: Option<Map<String, Value>>,
}

impl From<Summary> for SqliteData {
    fn from(summary: Summary) -> Self {
        let Summary { total_records, sample_records, statistics } = summary;
        Self { total_records, sample_records, statistics: (total_records > 0).then_some(statistics) }
    }
}

/// MongoDB can be used.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Connection {
    connection_status: ConnectionStatus,
    /// The database.
    database: String,
    /// The collection.
    collection: String,
    /// Documents in the collection.
    existing_records: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum ConnectionStatus {
    Connected,
}

impl From<Connected> for Connection {
    fn from(connected: Connected) -> Self {
        let Connected { database, collection, existing_records } = connected;
        Self { connection_status: ConnectionStatus::Connected, database, collection, existing_records }
    }
}

/// An export that was taken on.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ExportStarted {
    /// `export_YYYYMMDD_HHMMSS`, UTC; with a number behind it if there is one of this second already.
    #[schemars(regex(pattern = "^export_[0-9]{8}_[0-9]{6}(_[0-9]+)?$"))]
    export_id: String,
    /// Rows a batch.
    #[schemars(range(min = 1, max = 1000))]
    batch_size: u16,
    /// Whether duplicates are left out.
    skip_duplicates: bool,
    status: StartedStatus,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum StartedStatus {
    Started,
}

impl From<Started> for ExportStarted {
    fn from(started: Started) -> Self {
        let Started { export_id, batch_size, skip_duplicates } = started;
        Self { export_id, batch_size, skip_duplicates, status: StartedStatus::Started }
    }
}

/// An export that was told to end.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ExportStopping {
    /// Its id; `null` if it had broken off and waited for MongoDB.
    pub(super) export_id: Option<String>,
    pub(super) status: StoppingStatus,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum StoppingStatus {
    Stopping,
}

/// Past exports.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct History {
    /// The latest first.
    pub(super) exports: Vec<PastExport>,
}

/// The connectivity of the last day.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct LinkHistory {
    /// The earliest first; what was before the first one isn't known.
    pub(super) transitions: Vec<Transition>,
}

/// Rejected and held rows that will be sent again.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Released {
    /// How many there are.
    pub(super) released: u64,
}

/// For supervisors and load balancers.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Health {
    pub(super) status: HealthStatus,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum HealthStatus {
    /// The process answers.
    Alive,
    /// The loop runs.
    Ready,
}
