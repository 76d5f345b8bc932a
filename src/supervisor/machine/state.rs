//! The states, each by what is true in it.

use std::time::Instant;

use super::PassRequest;

/// Where the loop stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// A probe is under way: the first one, one that ends an outage, or the re-check of a link that is online.
    Probing {
        /// When it began.
        since: Instant,
        /// When it is taken for lost, should it not end by its own timeout.
        lost_at: Instant,
        /// A hint came after it had begun: what it tests may be out of date.
        hinted: bool,
    },
    /// The last probe or pass failed, or told nothing of a link that was down; nothing is under way.
    Offline {
        /// When the next probe begins.
        next_probe: Instant,
    },
    /// The last probe or pass had a good answer; nothing is under way.
    Online,
    /// A pass is under way.
    Exporting {
        /// What it was asked to do.
        request: PassRequest,
        /// When it is taken for stalled, should it not get on.
        stalls_at: Instant,
        /// When the next probe is due, should the pass end without having told anything of a link that is down.
        next_probe: Instant,
    },
    /// The end: nothing starts any more.
    Stopping,
}
