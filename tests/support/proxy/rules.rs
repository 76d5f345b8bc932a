//! What a proxy does at the moment, and what it has done.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::plan::Plans;

/// How a connection is ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// RST: the other side's next read fails at once.
    #[default]
    Reset,
    /// FIN: the other side reads the end of the stream.
    Close,
}

/// The switches. Each connection watches them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rules {
    pub(super) stalled: bool,
    pub(super) delay: Duration,
    /// Bytes a second.
    pub(super) rate: Option<u32>,
    /// How often all connections were ended; a connection older than the last time ends.
    pub(super) endings: u64,
    pub(super) last_ending: Ending,
}

impl Rules {
    pub(super) fn heal(&mut self) {
        *self = Self { endings: self.endings, last_ending: self.last_ending, ..Self::default() };
    }

    pub(super) fn end_all(&mut self, how: Ending) {
        self.endings += 1;
        self.last_ending = how;
    }
}

/// What went through a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Connections accepted since the start.
    pub accepted: u64,
    /// Connections open now.
    pub open: u64,
    /// Bytes delivered to the target.
    pub request_bytes: u64,
    /// Bytes delivered to clients.
    pub reply_bytes: u64,
    /// Replies cut as planned by `cut_reply_after` or `cut_reply_of`.
    pub replies_cut: u64,
}

/// What the test and all connections of a proxy share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) rules: watch::Sender<Rules>,
    pub(super) plan: Plans,
    pub(super) accepted: AtomicU64,
    pub(super) closed: AtomicU64,
    pub(super) request_bytes: AtomicU64,
    pub(super) reply_bytes: AtomicU64,
}

impl Shared {
    pub(super) fn counted(&self) -> Counters {
        // `closed` first: a connection that closes in between is then counted as open, never as less than none.
        let closed = self.closed.load(Ordering::SeqCst);
        let accepted = self.accepted.load(Ordering::SeqCst);
        Counters {
            accepted,
            open: accepted - closed,
            request_bytes: self.request_bytes.load(Ordering::SeqCst),
            reply_bytes: self.reply_bytes.load(Ordering::SeqCst),
            replies_cut: self.plan.carried_out(),
        }
    }
}
