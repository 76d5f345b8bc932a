//! What the daemon tells about itself: plain snapshots that floors above read and floors below fill in.
//!
//! Nothing here holds a connection string or a secret; nothing but [`Summary`] holds a value of a row.
//! Everything here may be shown to whoever asks.

mod backlog;
mod export;
mod failure;
mod ledger;
mod link;
mod past;
mod rollback;
mod summary;
mod time;

pub use backlog::Backlog;
pub use export::{ExportStatus, Outcome, Progress, RunRequest, RunState, Trigger, is_export_id};
pub use failure::{Failure, Reason};
pub use ledger::{LedgerState, PastExport, Remark, RemarkQuery, Remarks};
pub use link::{Link, LinkState};
pub use past::{LinkPast, Transition};
pub use rollback::{Extent, Planned, Rollback, RollbackMode, RollbackRequest, RolledBack};
pub use summary::Summary;
pub use time::Timestamp;
