//! What is answered beside the loop, without waiting for it.

use std::fmt::Debug;
use std::pin::Pin;

use serde::Serialize;

use crate::report::{Failure, PastExport, RemarkQuery, Remarks, Rollback, RollbackRequest, Summary};

/// A future behind a trait object.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The questions that need MongoDB, SQLite or the ledger themselves. Each is dropped when its deadline is over.
pub trait Services: Debug + Send + Sync + 'static {
    /// Tries the configured ways to MongoDB, in order.
    fn test_connection(&self) -> Answer<'_, Result<Connected, Failure>>;

    /// Looks at the rows in SQLite.
    fn summary(&self) -> Answer<'_, Result<Summary, SourceUnavailable>>;

    /// Past exports, the latest first, at most `limit`.
    fn history(&self, limit: u16) -> Answer<'_, Result<Vec<PastExport>, LedgerRefusal>>;

    /// Rows that are not in the collection.
    fn records(&self, query: RemarkQuery) -> Answer<'_, Result<Remarks, LedgerRefusal>>;

    /// Forgets that rows were rejected or are held; answers how many there were.
    fn release(&self) -> Answer<'_, Result<u64, LedgerRefusal>>;

    /// Takes an export back, or tells what that would do.
    fn rollback(&self, request: RollbackRequest) -> Answer<'_, Result<Rollback, RollbackRefusal>>;
}

/// Why an export isn't taken back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RollbackRefusal {
    /// An export is running; its rows might be sent again.
    #[error("an export operation is in progress: stop it first, or wait for its end")]
    ExportRunning,
    /// MongoDB, SQLite or the ledger can't be used, or not within the deadline. What was done until then stays done.
    #[error("{0}")]
    Unavailable(String),
}

/// Why the ledger gives no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerRefusal {
    /// The question names a place in the list that can't be.
    #[error("{0}")]
    InvalidCursor(String),
    /// It can't be read or written, or not within the deadline.
    #[error("{0}")]
    Unavailable(String),
}

/// MongoDB can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Connected {
    /// The database.
    pub database: String,
    /// The collection.
    pub collection: String,
    /// Documents in it.
    pub existing_records: u64,
}

/// The SQLite file or its table can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct SourceUnavailable {
    /// Why, without values of rows.
    pub detail: String,
}

impl SourceUnavailable {
    /// The reason, without values of rows.
    pub fn new(detail: impl Into<String>) -> Self {
        Self { detail: detail.into() }
    }
}
