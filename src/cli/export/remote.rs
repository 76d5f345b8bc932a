//! An export by the daemon that runs.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Export, Running};
use crate::cli::CommandError;
use crate::cli::daemon::{Daemon, Unanswered};

/// An export of the daemon's.
pub(super) struct Remote {
    daemon: Daemon,
    export_id: Value,
}

impl Remote {
    pub(super) fn start(daemon: Daemon, wanted: &Export) -> Result<Self, CommandError> {
        let mut path = "/api/export/sqlite-to-mongodb?".to_owned();
        // Writing to a String can't fail.
        if let Some(size) = wanted.batch_size {
            let _ = write!(path, "batch_size={size}&");
        }
        if let Some(skip) = wanted.skip_duplicates {
            let _ = write!(path, "skip_duplicates={skip}");
        }
        let export_id = daemon.tell(&path)?["export_id"].take();
        Ok(Self { daemon, export_id })
    }
}

impl Running for Remote {
    /// The daemon may have begun another export by now: then the past tells of this one.
    fn status(&mut self) -> Result<Value, CommandError> {
        let status = self.daemon.get("/api/export/status")?;
        if status["export_id"] == self.export_id {
            return Ok(status);
        }
        let mut past = self.daemon.get("/api/export/history")?;
        let found = past["exports"]
            .as_array_mut()
            .and_then(|exports| exports.iter_mut().find(|export| export["export_id"] == self.export_id));
        Ok(found.map_or(Value::Null, Value::take))
    }

    fn stop(&mut self) -> Result<(), CommandError> {
        match self.daemon.tell("/api/export/stop") {
            // It ended by itself in this moment.
            Ok(_) | Err(Unanswered::Refused { status: 409, .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
