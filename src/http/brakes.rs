//! Pausing, resuming and stopping exports.

use axum::extract::State;
use axum::http::StatusCode;

use super::answers::{ExportStopping, StoppingStatus};
use super::envelope::Envelope;
use crate::supervisor::control::{Control, PauseError, Pausing, StopError};

pub(super) async fn pause(State(control): State<Control>) -> Envelope {
    answer(control.pause().await, "Export paused successfully", "Export paused until the daemon ends")
}

pub(super) async fn resume(State(control): State<Control>) -> Envelope {
    answer(control.resume().await, "Export resumed successfully", "Export resumed until the daemon ends")
}

pub(super) async fn stop(State(control): State<Control>) -> Envelope {
    match control.stop().await {
        Ok(stopped) => {
            let data = ExportStopping { export_id: stopped.export_id, status: StoppingStatus::Stopping };
            Envelope::success("Export is stopping", data)
        }
        Err(StopError::NotRunning) => {
            let error = "No export operation is in progress";
            Envelope::failure(StatusCode::CONFLICT, "Export is not running", error)
        }
        Err(error @ (StopError::Stopping | StopError::NoAnswer)) => Envelope::unavailable(error.to_string()),
    }
}

fn answer(result: Result<Pausing, PauseError>, lasting: &'static str, for_now: &'static str) -> Envelope {
    match result {
        Ok(pausing) => {
            let message = if pausing.survives_restart { lasting } else { for_now };
            Envelope::success(message, pausing)
        }
        Err(error) => Envelope::unavailable(error.to_string()),
    }
}
