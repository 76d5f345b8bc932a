//! What is told of the connectivity to MongoDB.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Reason, Timestamp};

/// Whether MongoDB can be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LinkState {
    /// Not known yet: the first probe is under way.
    #[default]
    Unknown,
    /// The last probe or operation succeeded.
    Online,
    /// The last probe or operation failed; the next probe has a time.
    Offline,
}

impl LinkState {
    /// The word used in JSON and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Online => "online",
            Self::Offline => "offline",
        }
    }
}

/// A snapshot of the connectivity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Link {
    /// Whether MongoDB can be used.
    pub state: LinkState,
    /// Since when it is so.
    pub since: Option<Timestamp>,
    /// Why it is offline.
    pub reason: Option<Reason>,
    /// What was seen, redacted.
    pub detail: Option<String>,
    /// What the operator can do about it.
    pub hint: Option<&'static str>,
    /// Failed probes in a row.
    pub attempts: u32,
    /// When the next probe is due.
    pub next_probe: Option<Timestamp>,
    /// When MongoDB last answered well.
    pub last_success: Option<Timestamp>,
    /// Which of the configured ways worked last: 0 is `mongodb.uri`, 1 the first fallback.
    pub way: Option<usize>,
    /// When the last probe or operation ended.
    pub checked_at: Option<Timestamp>,
}

impl Link {
    /// Whether it tells the same but for rounding: moments are computed afresh for each snapshot.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        let near = |a: Option<Timestamp>, b: Option<Timestamp>| match (a, b) {
            (Some(a), Some(b)) => (a.as_millis() - b.as_millis()).abs() <= 5,
            (a, b) => a == b,
        };
        (self.state, self.reason, &self.detail, self.attempts, self.way)
            == (other.state, other.reason, &other.detail, other.attempts, other.way)
            && near(self.since, other.since)
            && near(self.next_probe, other.next_probe)
            && near(self.last_success, other.last_success)
            && near(self.checked_at, other.checked_at)
    }
}
