//! What the loop is asked to do, and what it can answer.

use serde::Serialize;
use tokio::sync::oneshot;

use crate::report::ExportStatus;

/// A command for the loop. Whoever asked may have given up since: a command whose `reply` is closed is to be left
/// undone, because its caller was told that it failed.
#[derive(Debug)]
pub enum Command {
    /// Start a manual export.
    Start {
        /// Rows a batch, 1..=1000; `None`: as configured.
        batch_size: Option<u16>,
        /// Whether duplicates are left out; `None`: as configured.
        skip_duplicates: Option<bool>,
        /// Where the answer goes, as soon as the export is taken on.
        reply: oneshot::Sender<Result<Started, StartError>>,
    },
    /// Set the status back to idle.
    Reset {
        /// Where the answer goes: the status after the reset.
        reply: oneshot::Sender<Result<ExportStatus, ResetError>>,
    },
    /// A test of the connection succeeded: a hint, nothing more.
    Wake,
    /// Rows may be pending that no change of the table tells of: compare every row.
    Compare,
}

/// An export that was taken on, with the settings it runs with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Started {
    /// `export_YYYYMMDD_HHMMSS`, UTC, made unique.
    pub export_id: String,
    /// Rows a batch.
    pub batch_size: u16,
    /// Whether duplicates are left out.
    pub skip_duplicates: bool,
}

/// Why no export was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// One at a time.
    #[error("another export operation is in progress")]
    AlreadyRunning,
    /// The daemon stops, or its loop is gone.
    #[error("the daemon is stopping")]
    Stopping,
    /// The loop didn't answer within the deadline; the command is void.
    #[error("the daemon is too busy to answer")]
    NoAnswer,
}

/// Why the status wasn't reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResetError {
    /// The status of a running export is its own.
    #[error("an export operation is in progress")]
    AlreadyRunning,
    /// The daemon stops, or its loop is gone.
    #[error("the daemon is stopping")]
    Stopping,
    /// The loop didn't answer within the deadline; the command is void.
    #[error("the daemon is too busy to answer")]
    NoAnswer,
}
