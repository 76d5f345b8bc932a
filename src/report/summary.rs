//! What is told of the rows in SQLite.

use serde::Serialize;
use serde_json::{Map, Value};

/// A look at the source: how many rows, a few of them, and how their values are distributed. The samples hold values
/// of rows: for answers to whoever asks on the API, never for a log.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Rows in the table.
    pub total_records: u64,
    /// At most five rows in key order, every column under its own name.
    pub sample_records: Vec<Map<String, Value>>,
    /// Numbers of distinct values and distributions, of the columns that exist.
    pub statistics: Map<String, Value>,
}
