//! `GET /api/export/events`: the status and the connectivity as they change, as server-sent events.
//!
//! What holds: a listener gets both at once, then each when it has changed, at most once in [`PACE`]; what changes
//! faster is told by its latest snapshot, so that a slow listener costs no memory; at least each [`HEARTBEAT`] something
//! is sent; there are at most [`LISTENERS`]; each stream ends by itself after [`LIFETIME`], and at once when the loop is
//! gone.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, sleep_until};

use super::envelope::Envelope;
use crate::supervisor::control::{Change, Changes, Control};

/// More would take the connections that others need: a page holds one of them all the time.
const LISTENERS: usize = 16;

/// The shortest time between two looks.
const PACE: Duration = Duration::from_millis(250);

/// For whoever has to tell a quiet daemon from a dead connection.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Shorter than that of a connection, which would break off in the midst.
const LIFETIME: Duration = Duration::from_secs(4 * 60);

/// The places of listeners.
#[derive(Clone, Debug)]
pub(super) struct Listeners(Arc<Semaphore>);

impl Listeners {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(LISTENERS)))
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        LISTENERS.saturating_sub(self.0.available_permits())
    }
}

pub(super) async fn listen(control: Control, listeners: Listeners) -> Response {
    let Ok(place) = listeners.0.try_acquire_owned() else {
        return Envelope::unavailable("as many listen already as may").into_response();
    };
    let changes = control.changes();
    let listener =
        Listener { control, changes, is_first: true, end: Instant::now() + LIFETIME, _place: place };
    let stream = unfold(listener, |mut listener| async {
        let text = listener.next().await?;
        Some((Ok::<_, Infallible>(text), listener))
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream)).into_response()
}

struct Listener {
    control: Control,
    changes: Changes,
    is_first: bool,
    end: Instant,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    /// The next piece of the stream; `None` at its end.
    async fn next(&mut self) -> Option<String> {
        if std::mem::take(&mut self.is_first) {
            let _told_now = self.changes.take();
            return Some(self.tell(Change { status: true, link: true }));
        }
        let Self { control, changes, end, .. } = self;
        let news = async {
            changes.any().await;
            // What else changes in this moment comes along.
            sleep(PACE).await;
        };
        tokio::select! {
            () = news => {
                let change = self.changes.take();
                Some(self.tell(change))
            }
            () = sleep(HEARTBEAT) => Some(":\n\n".to_owned()),
            () = sleep_until(*end) => None,
            () = control.gone() => None,
        }
    }

    fn tell(&self, change: Change) -> String {
        let mut text = String::new();
        if change.status {
            text.push_str(&event("status", &self.control.status()));
        }
        if change.link {
            text.push_str(&event("connectivity", &self.control.link()));
        }
        text
    }
}

/// An event; nothing of it holds a line break, as JSON has none.
fn event(name: &str, data: &impl Serialize) -> String {
    serde_json::to_string(data)
        .map_or_else(|_| String::new(), |data| format!("event: {name}\ndata: {data}\n\n"))
}
