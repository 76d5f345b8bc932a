//! What is answered beside the loop, without waiting for it.

use std::fmt::Debug;
use std::pin::Pin;

use serde::Serialize;

use crate::report::{Failure, Summary};

/// A future behind a trait object.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The checks that need MongoDB or SQLite themselves. Each is dropped when its deadline is over.
pub trait Services: Debug + Send + Sync + 'static {
    /// Tries the configured ways to MongoDB, in order.
    fn test_connection(&self) -> Answer<'_, Result<Connected, Failure>>;

    /// Looks at the rows in SQLite.
    fn summary(&self) -> Answer<'_, Result<Summary, SourceUnavailable>>;
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
