//! The access log.
//!
//! What holds: a line has no query, and no path that isn't ours, for either could hold anything. What changes something
//! is told at `info`; what only asks, however often, at `debug`. Those who aren't let in are told at `warn`: the first
//! at once, then once a minute with how many there were.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};

use super::arrival::Peer;

/// The least time between two lines about refusals: whoever tries tokens in turn must not fill the log.
const REFUSALS_INTERVAL: Duration = Duration::from_secs(60);

/// What became of a request.
pub(super) struct Entry<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) status: StatusCode,
    pub(super) took: Duration,
    pub(super) peer: Peer,
}

/// What the log remembers of earlier lines.
#[derive(Debug, Default)]
pub(super) struct AccessLog {
    refusals: Mutex<Refusals>,
}

#[derive(Debug, Default)]
struct Refusals {
    told_at: Option<Instant>,
    untold: u64,
}

impl Refusals {
    /// How many to tell of now, this one included; `None` if it is too early.
    fn add(&mut self, now: Instant) -> Option<u64> {
        self.untold += 1;
        if self.told_at.is_some_and(|told_at| now.duration_since(told_at) < REFUSALS_INTERVAL) {
            return None;
        }
        self.told_at = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

impl AccessLog {
    pub(super) fn note(&self, entry: &Entry<'_>) {
        let Entry { method, path, status, took, peer } = *entry;
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (status, is_refused) =
            (status.as_u16(), matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN));
        // The two differ by their level alone, which is a constant to the macros.
        if status < 400 && !matches!(*method, Method::GET | Method::HEAD) {
            tracing::info!(event = "http_request", %method, path, status, millis, %peer, "Answered a request");
        } else {
            tracing::debug!(event = "http_request", %method, path, status, millis, %peer, "Answered a request");
        }
        if is_refused {
            let refused = self.refusals.lock().unwrap_or_else(PoisonError::into_inner).add(Instant::now());
            if let Some(refused) = refused {
                tracing::warn!(event = "http_refused", %method, path, status, %peer, refused, "Refused a request");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_at_once_and_then_once_a_minute_with_their_number() {
        let mut refusals = Refusals::default();
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(refusals.add(at(0)), Some(1));
        assert_eq!(refusals.add(at(1)), None);
        assert_eq!(refusals.add(at(59)), None);
        assert_eq!(refusals.add(at(60)), Some(3));
        assert_eq!(refusals.add(at(61)), None);
        assert_eq!(refusals.add(at(600)), Some(2));
    }
}
