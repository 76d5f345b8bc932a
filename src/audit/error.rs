//! Why an audit broke off.

use crate::ledger::LedgerError;
use crate::report::Failure;
use crate::source::SourceError;

/// Why an audit broke off.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// MongoDB can't be used.
    #[error(transparent)]
    Target(#[from] Failure),
    /// The table can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The ledger, or the temporary memory, can't be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}
