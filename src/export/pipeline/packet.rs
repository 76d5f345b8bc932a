//! A batch on its way through the pipeline.

use std::time::{Duration, Instant};

use crate::export::candidate::{Candidate, Verdict};
use crate::export::deliver::{Way, deliver};
use crate::record::Position;
use crate::report::{Failure, Timestamp};

/// A batch that was read.
pub(super) struct Packet {
    pub(super) candidates: Vec<Candidate>,
    /// The bytes of their documents.
    pub(super) bytes: usize,
    /// Whether there were as many rows as were asked for.
    pub(super) full: bool,
    /// The time that the documents bear.
    pub(super) exported_at: Timestamp,
    /// Where its last row stands.
    pub(super) position: Option<Position>,
    /// When it took off.
    pub(super) began: Instant,
}

/// A batch whose delivery has ended.
pub(super) struct Landed {
    pub(super) number: u64,
    pub(super) packet: Packet,
    pub(super) verdicts: Result<Vec<Verdict>, Failure>,
}

impl Packet {
    /// Delivers it; what only the delivery needs is let go then.
    pub(super) async fn deliver(mut self, way: &Way<'_>, number: u64) -> Landed {
        self.began = Instant::now();
        let mut waited = Duration::ZERO;
        let verdicts = deliver(way, number, &self.candidates, &mut waited).await;
        if verdicts.is_ok() {
            way.road.pace().delivered(self.full, self.began.elapsed().saturating_sub(waited));
        }
        for candidate in &mut self.candidates {
            candidate.shed();
        }
        Landed { number, packet: self, verdicts }
    }
}
