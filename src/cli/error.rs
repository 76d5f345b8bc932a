//! How commands end.

use std::path::PathBuf;

use super::daemon::Unanswered;
use crate::audit::AuditError;
use crate::backoff::InvalidSchedule;
use crate::config::ConfigError;
use crate::export::PassError;
use crate::ledger::{LedgerError, Taken};
use crate::report::Failure;
use crate::source::{NoHostId, SourceError};

/// What a command that could do its work has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// All is well.
    Well,
    /// Something isn't; the command has said what.
    Wrong,
}

/// Why a command couldn't do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The host can't be told from others.
    #[error(transparent)]
    Host(#[from] NoHostId),
    /// The daemon runs and can't be asked, or refuses.
    #[error(transparent)]
    Daemon(#[from] Unanswered),
    /// The daemon runs, or another command does, and this one can't go on beside it.
    #[error(transparent)]
    Taken(#[from] Taken),
    /// MongoDB can't be used.
    #[error("MongoDB can't be used: {0}. {hint}", hint = .0.reason.hint())]
    Target(#[from] Failure),
    /// The table can't be read.
    #[error("SQLite data is not available: {0}")]
    Source(#[from] SourceError),
    /// There is no ledger that could be used.
    #[error("the ledger in {directory}: {source}")]
    Ledger {
        /// The state directory.
        directory: PathBuf,
        /// What is wrong.
        source: LedgerError,
    },
    /// The export couldn't begin.
    #[error(transparent)]
    Pass(#[from] PassError),
    /// The configured delays can't be used together.
    #[error(transparent)]
    Schedule(#[from] InvalidSchedule),
    /// Comparing or taking back broke off.
    #[error("it broke off: {0}")]
    Audit(#[from] AuditError),
    /// Documents can't be deleted.
    #[error("MongoDB refuses: a rollback needs the right to remove documents from the collection")]
    MayNotRemove,
    /// What is held couldn't be written down.
    #[error("state.directory {0} can't be used, so that rows could not be held: nothing was changed")]
    NoMemory(PathBuf),
    /// Signals, threads or the terminal were refused by the operating system.
    #[error("the operating system refuses it: {0}")]
    System(#[from] std::io::Error),
    /// The question needs an answer, and nobody is there to give it.
    #[error("this needs a yes: say --yes, as there is no terminal to ask at")]
    NobodyToAsk,
    /// A part of the work panicked.
    #[error("an internal error")]
    Internal,
}
