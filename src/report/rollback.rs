//! What is asked and told of taking an export back.

use schemars::JsonSchema;
use serde::Serialize;

/// What is to be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollbackRequest {
    /// Which export.
    pub export_id: String,
    /// Which of its documents.
    pub extent: Extent,
    /// Whether it is done.
    pub mode: RollbackMode,
}

/// Which documents of an export are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Those that nobody has changed since.
    Unchanged,
    /// All.
    ChangedToo,
}

/// Whether a rollback is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollbackMode {
    /// It is only told what would be done.
    DryRun,
    /// It is done.
    Perform,
}

/// What there is to take back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Planned {
    /// Documents that the export inserted and that are there.
    pub documents: u64,
    /// Of these: changed since, by a later export or by somebody else.
    pub changed: u64,
}

/// What was taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RolledBack {
    /// Documents that were deleted.
    pub deleted: u64,
    /// Documents of the export that stay, as they were changed.
    pub kept: u64,
    /// Rows of the deleted documents, which are held now.
    pub held: u64,
}

/// What a rollback came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Rollback {
    /// What would be done.
    Planned(Planned),
    /// What was done.
    Done(RolledBack),
}
