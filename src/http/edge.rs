//! What every request passes on its way in, and every answer on its way out.
//!
//! What holds: whatever goes wrong inside, the answer is an envelope; a body is read up to a limit and for a limited
//! time, and never kept; no browser is let guess what an answer is, frame it or keep it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::arrival::{Arrival, Peer};
use super::envelope::Envelope;
use super::log::{AccessLog, Entry};
use super::places::Place;
use super::policy::Policy;

/// No endpoint needs a body; this is room for what clients send by habit.
const BODY_LIMIT: u64 = 64 * 1024;

/// Of a body over the limit, what is still read and thrown away: a client that is cut off while it sends may never
/// see why.
const DRAIN_LIMIT: u64 = 1024 * 1024;

/// For the whole body: a slow client holds its connection no longer.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// What each answer says to browsers, unless its handler has said otherwise.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
];

/// What is answered at once, from what is known anyway: it is answered however much else is asked.
const QUICK: [&str; 4] = ["/live", "/ready", "/api/export/status", "/api/export/connectivity"];

/// What stands at the edge.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) policy: Policy,
    pub(super) log: AccessLog,
    /// For what may take long.
    pub(super) at_work: Semaphore,
}

/// The way in and out.
pub(super) async fn pass(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let path = path.as_ref().map_or("(unknown)", MatchedPath::as_str);
    let peer = request.extensions().get::<Arrival>().map_or(Peer::Unknown, |arrival| arrival.peer);
    let Some(mut response) = caught(admit(&edge, path, request, next)).await else {
        tracing::error!(event = "request_panicked", %method, path, "A request handler panicked: answered with 500");
        return finish(Envelope::internal_error().into_response());
    };
    let status = response.status();
    edge.log.note(&Entry { method: &method, path, status, took: begin.elapsed(), peer });
    if matches!(status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT) {
        // The rest of the body may still be on its way: it must not be taken for the next request.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    finish(response)
}

async fn admit(edge: &Edge, path: &str, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(refusal) = edge.policy.admit(&parts).await {
        return refusal;
    }
    let announced = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if let Err(envelope) = swallow(body, announced.unwrap_or(0)).await {
        return envelope.into_response();
    }
    let place = parts.extensions.get::<Arrival>().map(|arrival| Arc::clone(&arrival.place));
    let busy = || Envelope::unavailable("too many requests at a time: try again").into_response();
    let work = place.as_ref().map(Place::work);
    if matches!(work, Some(None)) {
        return busy();
    }
    if QUICK.contains(&path) {
        return next.run(Request::from_parts(parts, Body::empty())).await;
    }
    let Ok(_permit) = edge.at_work.try_acquire() else { return busy() };
    next.run(Request::from_parts(parts, Body::empty())).await
}

fn finish(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

/// The result of `work`, or `None` if it panicked. The panic's message may quote anything, so it isn't looked at.
async fn caught<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    std::future::poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        polled.map_or(Poll::Ready(None), |poll| poll.map(Some))
    })
    .await
}

/// Reads a body and forgets it.
async fn swallow(body: Body, announced: u64) -> Result<(), Envelope> {
    let too_large = || {
        let error = format!("the body is over {BODY_LIMIT} bytes: none is needed");
        Envelope::failure(StatusCode::PAYLOAD_TOO_LARGE, "Payload too large", error)
    };
    if announced > DRAIN_LIMIT {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIMEOUT, count(body)).await {
        Ok(Ok(size)) if size <= BODY_LIMIT => Ok(()),
        Ok(Ok(_)) => Err(too_large()),
        Ok(Err(Unreadable)) => {
            Err(Envelope::failure(StatusCode::BAD_REQUEST, "Bad request", "the body can't be read"))
        }
        Err(_) => {
            let error = format!("the body did not arrive within {} s", BODY_TIMEOUT.as_secs());
            Err(Envelope::failure(StatusCode::REQUEST_TIMEOUT, "Request timeout", error))
        }
    }
}

/// A body that broke off, or whose chunks make no sense.
struct Unreadable;

/// The size of a body, as far as it is read.
async fn count(mut body: Body) -> Result<u64, Unreadable> {
    let mut size = 0;
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|_| Unreadable)?;
        size += frame.data_ref().map_or(0, Bytes::len) as u64;
        if size > DRAIN_LIMIT {
            break;
        }
    }
    Ok(size)
}
