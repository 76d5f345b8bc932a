//! A rollback by the daemon that runs.

use std::time::Duration;

use serde_json::Value;

use super::{Rollback, Side};
use crate::cli::CommandError;
use crate::cli::daemon::Daemon;
use crate::report::{Planned, RolledBack};

/// A little more than the daemon takes at most.
const DEADLINE: Duration = Duration::from_secs(300);

/// The daemon, asked to take an export back.
pub(super) struct Remote {
    daemon: Daemon,
    path: String,
}

impl Remote {
    pub(super) fn new(daemon: Daemon, wanted: &Rollback) -> Self {
        let Rollback { export_id, changed_too, .. } = wanted;
        Self { daemon, path: format!("/api/export/rollback?export_id={export_id}&changed_too={changed_too}") }
    }

    fn ask(&self, dry_run: bool) -> Result<Value, CommandError> {
        Ok(self.daemon.post(&format!("{}&dry_run={dry_run}", self.path), DEADLINE)?)
    }
}

fn count(data: &Value, name: &str) -> u64 {
    data[name].as_u64().unwrap_or(0)
}

impl Side for Remote {
    fn plan(&mut self) -> Result<Planned, CommandError> {
        let data = self.ask(true)?;
        Ok(Planned { documents: count(&data, "documents"), changed: count(&data, "changed") })
    }

    fn perform(&mut self) -> Result<RolledBack, CommandError> {
        let data = self.ask(false)?;
        let [deleted, kept, held] = ["deleted", "kept", "held"].map(|name| count(&data, name));
        Ok(RolledBack { deleted, kept, held })
    }
}
