//! What is told of the rows in SQLite.

use serde::Serialize;
use serde_json::{Map, Value};

/// The summary of the table, as `GET /api/export/sqlite-data` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// All rows of the table.
    pub total_records: u64,
    /// At most five rows, in key order, every column under its own name, `id` as a text.
    pub sample_records: Vec<Map<String, Value>>,
    /// Numbers of distinct values and distributions of the configured columns.
    pub statistics: Map<String, Value>,
}
