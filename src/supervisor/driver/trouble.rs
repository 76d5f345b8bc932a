//! What keeps rows from being sent on this side: SQLite or the ledger.

use tokio::sync::{Mutex, watch};

use crate::export::{self, PassError};
use crate::report::ExportStatus;

/// Shows and logs what keeps rows from being sent on this side: once when it begins, changes and ends.
pub(super) async fn tell_trouble(
    result: &Result<export::PassEnd, PassError>,
    trouble: &Mutex<Option<String>>,
    status: &watch::Sender<ExportStatus>,
) {
    let now = match result {
        Err(error @ (PassError::Source(_) | PassError::Ledger(_) | PassError::Internal)) => {
            Some(error.to_string())
        }
        Err(PassError::Target(_) | PassError::Dropped) | Ok(export::PassEnd::Stopped) => return,
        Ok(export::PassEnd::Complete { .. }) => None,
    };
    let mut before = trouble.lock().await;
    if *before != now {
        match (&now, result) {
            (Some(error), Err(PassError::Source(_))) => tracing::warn!(
                event = "source_unavailable",
                error = error.as_str(),
                "SQLite can't be read; trying again by itself"
            ),
            (Some(error), Err(PassError::Internal)) => tracing::error!(
                event = "export_broken",
                error = error.as_str(),
                "A mistake of the program's own broke the export off; trying again by itself"
            ),
            (Some(error), _) => tracing::error!(
                event = "ledger_failed",
                error = error.as_str(),
                "The ledger can't be used; trying again by itself"
            ),
            (None, _) => {
                tracing::info!(event = "source_available", "SQLite and the ledger can be used again")
            }
        }
        before.clone_from(&now);
    }
    status.send_if_modified(|status| {
        let changed = status.waiting_for != now;
        status.waiting_for = now;
        changed
    });
}
