//! What the loop is asked to do, and what it can answer.

use schemars::JsonSchema;
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
    /// Let no export start by itself.
    Pause {
        /// Where the answer goes, as soon as it is written down.
        reply: oneshot::Sender<Pausing>,
    },
    /// Let exports start by themselves again.
    Resume {
        /// Where the answer goes, as soon as it is written down.
        reply: oneshot::Sender<Pausing>,
    },
    /// End the running export at its next batch boundary.
    Stop {
        /// Where the answer goes, as soon as the export was told.
        reply: oneshot::Sender<Result<Stopped, StopError>>,
    },
    /// A test of the connection succeeded: a hint, nothing more.
    Wake,
    /// Rows may be pending that no change of the table tells of: compare every row.
    Compare,
}

/// Whether exports start by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Pausing {
    /// Whether they don't.
    pub paused: bool,
    /// Whether it will be so after a restart: not if the state directory can't be used.
    pub survives_restart: bool,
}

/// An export that was told to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Stopped {
    /// Its id; `None` if it had broken off and waited for MongoDB.
    pub export_id: Option<String>,
}

/// Why no export was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StopError {
    /// There is none.
    #[error("no export operation is in progress")]
    NotRunning,
    /// The daemon stops, or its loop is gone.
    #[error("the daemon is stopping")]
    Stopping,
    /// The loop didn't answer within the deadline; the command is void.
    #[error("the daemon is too busy to answer")]
    NoAnswer,
}

/// Why it isn't known whether exports were paused or resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PauseError {
    /// The daemon stops, or its loop is gone.
    #[error("the daemon is stopping")]
    Stopping,
    /// The loop or the disk didn't answer within the deadline.
    #[error("the daemon is too busy to answer")]
    NoAnswer,
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
