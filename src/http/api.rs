//! The endpoints: each turns a question into one of [`Control`]'s, and the answer into an [`Envelope`].

use axum::extract::State;
use axum::http::{StatusCode, Uri};

use super::answers::{Connection, ExportStarted, Health, HealthStatus, LinkHistory, SqliteData};
use super::envelope::Envelope;
use super::query::StartParameters;
use crate::supervisor::control::{Control, ResetError, StartError};

const ALREADY_RUNNING: &str = "Export is already running";

pub(super) async fn sqlite_data(State(control): State<Control>) -> Envelope {
    match control.summary().await {
        Ok(summary) if summary.total_records == 0 => {
            Envelope::success("No data found in SQLite", SqliteData::from(summary))
        }
        Ok(summary) => {
            let message = format!("Found {} records in SQLite", summary.total_records);
            Envelope::success(message, SqliteData::from(summary))
        }
        Err(error) => {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Envelope::failure(status, "SQLite data is not available", error.to_string())
        }
    }
}

pub(super) async fn test_mongodb_connection(State(control): State<Control>) -> Envelope {
    match control.test_connection().await {
        Ok(connected) => Envelope::success("MongoDB connection successful", Connection::from(connected)),
        Err(failure) => {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Envelope::failure(status, "MongoDB connection test failed", failure.to_string())
        }
    }
}

pub(super) async fn status(State(control): State<Control>) -> Envelope {
    Envelope::success("Export status retrieved successfully", control.status())
}

pub(super) async fn start(State(control): State<Control>, uri: Uri) -> Envelope {
    let parameters = match StartParameters::read(&uri) {
        Ok(parameters) => parameters,
        Err(invalid) => return invalid.into(),
    };
    match control.start(parameters.batch_size, parameters.skip_duplicates).await {
        Ok(started) => Envelope::success("Export started successfully", ExportStarted::from(started)),
        Err(StartError::AlreadyRunning) => {
            let error = "Another export operation is in progress";
            Envelope::failure(StatusCode::CONFLICT, ALREADY_RUNNING, error)
        }
        Err(error @ (StartError::Stopping | StartError::NoAnswer)) => {
            Envelope::unavailable(error.to_string())
        }
    }
}

pub(super) async fn reset(State(control): State<Control>) -> Envelope {
    match control.reset().await {
        Ok(status) => Envelope::success("Export status reset successfully", status),
        Err(ResetError::AlreadyRunning) => {
            let error = "An export operation is in progress: stop it first, or wait for its end";
            Envelope::failure(StatusCode::CONFLICT, ALREADY_RUNNING, error)
        }
        Err(error @ (ResetError::Stopping | ResetError::NoAnswer)) => {
            Envelope::unavailable(error.to_string())
        }
    }
}

pub(super) async fn connectivity(State(control): State<Control>) -> Envelope {
    Envelope::success("Connectivity status retrieved successfully", control.link())
}

pub(super) async fn link_history(State(control): State<Control>) -> Envelope {
    let transitions = control.link_past();
    Envelope::success("Connectivity history retrieved successfully", LinkHistory { transitions })
}

pub(super) async fn live() -> Envelope {
    Envelope::success("Alive", Health { status: HealthStatus::Alive })
}

pub(super) async fn ready(State(control): State<Control>) -> Envelope {
    if control.is_running() {
        Envelope::success("Ready", Health { status: HealthStatus::Ready })
    } else {
        Envelope::failure(StatusCode::SERVICE_UNAVAILABLE, "Not ready", "the daemon is stopping")
    }
}

pub(super) async fn not_found() -> Envelope {
    Envelope::failure(StatusCode::NOT_FOUND, "Not found", "there is no such path")
}

pub(super) async fn method_not_allowed() -> Envelope {
    let error = "this path takes another method: see the Allow header";
    Envelope::failure(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", error)
}
