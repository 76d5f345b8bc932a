//! The end of a run, however it ended.

use tokio::sync::watch;

use super::pass::{PassEnd, PassError, blocking};
use super::run::Run;
use crate::report::{ExportStatus, Reason, RunState, Timestamp};

/// Why an export ended that somebody stopped.
pub const STOPPED: &str = "stopped by request";

/// Shows a running export as failed that can't tell it itself any more.
pub fn abandon(status: &watch::Sender<ExportStatus>, reason: Option<Reason>, error: &str) {
    status.send_if_modified(|status| {
        if status.status != RunState::Running {
            return false;
        }
        status.status = RunState::Failed;
        status.end_time = Some(Timestamp::now());
        status.reason = reason;
        status.error_message = Some(error.to_owned());
        true
    });
}

/// Ends the run, if one had begun, as the pass has ended.
pub(super) async fn end(run: Option<Run>, result: Result<PassEnd, PassError>) -> Result<PassEnd, PassError> {
    if let Some(run) = run {
        let ended = match &result {
            Ok(PassEnd::Complete { .. }) => Ok(()),
            Ok(PassEnd::Stopped) => Err((None, STOPPED.to_owned())),
            Err(error) => Err((error.reason(), error.to_string())),
        };
        finish(run, ended).await?;
    }
    result
}

/// Ends a run, on a blocking thread.
pub(super) async fn finish(run: Run, ended: Result<(), (Option<Reason>, String)>) -> Result<(), PassError> {
    blocking(move || {
        run.end(ended);
        Ok::<_, PassError>(())
    })
    .await
}
