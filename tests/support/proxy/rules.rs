//! What a proxy does at the moment, and what it has done.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

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
    /// Bytes a second, of each connection.
    pub(super) rate: Option<u32>,
    /// Bytes a second, of all connections together.
    pub(super) narrow: Option<u32>,
    /// One in so many portions is lost, and sent again a while later.
    pub(super) loses: Option<u32>,
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
    /// Until when the line is taken: to the target, and back.
    pub(super) taken_until: [Mutex<Option<Instant>>; 2],
    /// Portions that were delivered.
    pub(super) portions: AtomicU64,
}

impl Shared {
    /// Takes the line in this direction for so many bytes; answers when they are through.
    pub(super) fn take_line(&self, direction: usize, bytes: usize, rate: u32) -> Instant {
        let mut until = self.taken_until[direction].lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let begins = until.map_or(now, |until| until.max(now));
        let ends = begins + Duration::from_secs_f64(bytes as f64 / f64::from(rate));
        *until = Some(ends);
        ends
    }

    /// Whether the next portion is lost.
    pub(super) fn loses(&self, one_in: u32) -> bool {
        (self.portions.fetch_add(1, Ordering::SeqCst) + 1).is_multiple_of(u64::from(one_in))
    }

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
