//! `GET /metrics`.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::envelope::Envelope;
use crate::supervisor::control::Control;

pub(super) async fn metrics(State(control): State<Control>) -> Response {
    match control.metrics(0) {
        Ok((text, media)) => ([(CONTENT_TYPE, HeaderValue::from_static(media))], text).into_response(),
        Err(_) => Envelope::internal_error().into_response(),
    }
}
