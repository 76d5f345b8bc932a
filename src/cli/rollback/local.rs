//! A rollback by this process, while no daemon works with the state directory.

use std::time::Duration;

use tokio::runtime::Runtime;

use super::{Rollback, Side};
use crate::audit::{self, AuditError};
use crate::cli::CommandError;
use crate::config::Config;
use crate::ledger::Store;
use crate::report::{Extent, LedgerState, Planned, Reason, RolledBack};
use crate::source::source_id;
use crate::target::{Target, Ways, Written};

/// The longest that is waited for threads that hang in a file system.
const END: Duration = Duration::from_millis(500);

/// All that it takes.
pub(super) struct Local {
    config: Config,
    runtime: Runtime,
    target: Option<Target>,
    source: String,
    export_id: String,
    extent: Extent,
}

impl Local {
    pub(super) fn new(config: Config, wanted: &Rollback) -> Result<Self, CommandError> {
        let source = source_id(&config.sqlite)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (export_id, extent) = (wanted.export_id.clone(), wanted.extent());
        Ok(Self { config, runtime, target: None, source, export_id, extent })
    }

    /// Connected anew: between the plan and the yes may lie hours.
    fn connect(&mut self) -> Result<&Target, CommandError> {
        let ways = Ways::new(self.config.mongodb.clone(), self.config.probe.online_interval);
        if let Some(old) = self.target.take() {
            self.runtime.block_on(old.close());
        }
        let target = self.runtime.block_on(ways.connect(self.config.probe.timeout))?;
        Ok(self.target.insert(target))
    }

    /// Lets go of everything.
    pub(super) fn end(self) {
        if let Some(target) = self.target {
            self.runtime.block_on(target.close());
        }
        self.runtime.shutdown_timeout(END);
    }
}

impl Side for Local {
    fn plan(&mut self) -> Result<Planned, CommandError> {
        self.connect()?;
        let Some(target) = &self.target else { return Err(CommandError::Internal) };
        let written = Written { source: &self.source, export_id: Some(&self.export_id) };
        self.runtime.block_on(audit::plan(&self.config, target, written)).map_err(told)
    }

    fn perform(&mut self) -> Result<RolledBack, CommandError> {
        self.connect()?;
        let Some(target) = &self.target else { return Err(CommandError::Internal) };
        let written = Written { source: &self.source, export_id: Some(&self.export_id) };
        let directory = &self.config.state.directory;
        let ledger = |source| CommandError::Ledger { directory: directory.clone(), source };
        let store = Store::open(directory).map_err(ledger)?;
        if store.state() == LedgerState::Temporary {
            return Err(CommandError::NoMemory(directory.clone()));
        }
        if let Some(collection) = self.runtime.block_on(target.current_id())? {
            store.bind(&self.source, &collection).map_err(ledger)?;
        }
        self.runtime
            .block_on(audit::rollback(&self.config, target, &store, written, self.extent))
            .map_err(told)
    }
}

fn told(error: AuditError) -> CommandError {
    match error {
        AuditError::Target(failure) if failure.reason == Reason::NotAuthorized => CommandError::MayNotRemove,
        error => error.into(),
    }
}
