//! What an export is called, and that there is one at a time.

use tokio::sync::watch;

use crate::report::{ExportStatus, RunRequest, RunState, Timestamp};

/// `export_YYYYMMDD_HHMMSS` of now; with a number behind it if `last` was made in the same second.
#[must_use]
pub fn next_export_id(last: Option<&str>) -> String {
    let base = format!("export_{}", Timestamp::now().compact());
    match last.and_then(|last| last.strip_prefix(&base)) {
        None => base,
        Some(suffix) => {
            let number: u64 = suffix.strip_prefix('_').and_then(|number| number.parse().ok()).unwrap_or(1);
            format!("{base}_{}", number + 1)
        }
    }
}

/// Shows the export as running, unless another one is: there is one at a time.
#[must_use]
pub fn claim(
    status: &watch::Sender<ExportStatus>,
    request: &RunRequest,
    export_id: &str,
    started: Timestamp,
) -> bool {
    status.send_if_modified(|status| {
        if status.status == RunState::Running {
            return status.export_id.as_deref() == Some(export_id);
        }
        *status = ExportStatus {
            status: RunState::Running,
            start_time: Some(started),
            export_id: Some(export_id.to_owned()),
            trigger: Some(request.trigger),
            // What was waited for is over, else no export could begin.
            waiting_for: None,
            ..status.without_export()
        };
        true
    })
}
