//! The form of every answer: an object with exactly the keys `success`, `message`, `data`, `error`, in this order.

use std::borrow::Cow;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

/// An answer before it is written.
#[derive(Debug)]
pub(super) struct Envelope {
    status: StatusCode,
    body: Body,
}

#[derive(Debug, Serialize)]
struct Body {
    success: bool,
    message: Cow<'static, str>,
    data: Option<Value>,
    error: Option<Cow<'static, str>>,
}

impl Envelope {
    /// What was asked for.
    pub(super) fn success(message: impl Into<Cow<'static, str>>, data: impl Serialize) -> Self {
        match serde_json::to_value(data) {
            Ok(data) => {
                let body = Body { success: true, message: message.into(), data: Some(data), error: None };
                Self { status: StatusCode::OK, body }
            }
            // Only a map with keys that aren't texts could do this.
            Err(_) => Self::internal_error(),
        }
    }

    /// Why there is nothing to give.
    pub(super) fn failure(
        status: StatusCode,
        message: &'static str,
        error: impl Into<Cow<'static, str>>,
    ) -> Self {
        let body = Body { success: false, message: message.into(), data: None, error: Some(error.into()) };
        Self { status, body }
    }

    /// A mistake of our own.
    pub(super) fn internal_error() -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::failure(status, "Internal server error", "an unexpected error: see the daemon's log")
    }

    /// The daemon is on its way out, or too busy.
    pub(super) fn unavailable(error: impl Into<Cow<'static, str>>) -> Self {
        Self::failure(StatusCode::SERVICE_UNAVAILABLE, "Service unavailable", error)
    }
}

impl IntoResponse for Envelope {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}
