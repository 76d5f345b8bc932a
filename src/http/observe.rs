//! `GET /metrics`.

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::envelope::Envelope;
use super::events::Listeners;
use crate::supervisor::control::Control;

pub(super) async fn metrics(control: Control, listeners: Listeners) -> Response {
    match control.metrics(listeners.count()) {
        Ok((text, media)) => ([(CONTENT_TYPE, HeaderValue::from_static(media))], text).into_response(),
        Err(_) => Envelope::internal_error().into_response(),
    }
}
