//! A pass: one look at the table, and a run if there is something to send. How deep it looks, how it ends, how far it is.

use std::time::Duration;

use super::scan::ScanError;
use crate::ledger::LedgerError;
use crate::report::{Failure, Reason};
use crate::source::SourceError;

/// How deep an automatic pass looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Every row is compared with the ledger.
    Full,
    /// Rows behind the last known one; every row, if that can't be enough or a comparison is due.
    Tail,
}

/// How a pass ended that didn't fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassEnd {
    /// Everything that it was to look at was dealt with. A full comparison is wanted after this time, if only the
    /// table's tail was looked at.
    Complete {
        /// When to look again, even if nothing changes.
        again_in: Option<Duration>,
    },
    /// It was asked to stop.
    Stopped,
}

/// Why a pass broke off. Whatever wasn't recorded is still pending.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// MongoDB can't be used.
    #[error(transparent)]
    Target(#[from] Failure),
    /// The table can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The ledger can't be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The collection was dropped, or exchanged, while a manual export went on.
    #[error("the collection was dropped while the export went on")]
    Dropped,
    /// A part of the work panicked.
    #[error("an internal error")]
    Internal,
}

impl From<ScanError> for PassError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Source(error) => Self::Source(error),
            ScanError::Ledger(error) => Self::Ledger(error),
        }
    }
}

impl PassError {
    pub(super) fn reason(&self) -> Option<Reason> {
        if let Self::Target(failure) = self { Some(failure.reason) } else { None }
    }
}

/// How far passes have got, for whoever watches that they get on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Steps of any kind.
    pub steps: u64,
    /// Times that MongoDB did what was asked of it.
    pub answers: u64,
    /// Batches whose outcome was written down: rows that aren't pending any more.
    pub recorded: u64,
    /// Bytes of the documents in commands that MongoDB answered, before compression.
    pub bytes: u64,
}

/// Runs blocking work on its own thread.
pub(super) async fn blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, PassError>
where
    T: Send + 'static,
    E: Send + 'static,
    PassError: From<E>,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(PassError::from),
        Err(_) => Err(PassError::Internal),
    }
}
