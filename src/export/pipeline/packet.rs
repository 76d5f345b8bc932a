//! A batch on its way through the pipeline.

use std::time::{Duration, Instant};

use crate::export::candidate::Candidate;
use crate::export::deliver::{Delivered, Way, deliver};
use crate::record::{Position, Provenance};
use crate::report::Failure;

/// A batch that was read.
pub(super) struct Packet {
    pub(super) candidates: Vec<Candidate>,
    /// The memory that they take, roughly.
    pub(super) bytes: usize,
    /// The commands that its rows take at least.
    pub(super) commands: usize,
    /// Whether it has as many rows as a batch may have.
    pub(super) full: bool,
    /// What the documents say of where they came from.
    pub(super) provenance: Provenance,
    /// Where its last row stands.
    pub(super) position: Option<Position>,
    /// When it took off.
    pub(super) began: Instant,
}

/// A batch whose delivery has ended.
pub(super) struct Landed {
    pub(super) number: u64,
    pub(super) packet: Packet,
    pub(super) delivered: Result<Delivered, Failure>,
}

impl Packet {
    /// Delivers it; what only the delivery needs is let go then.
    pub(super) async fn deliver(mut self, way: &Way<'_>, number: u64) -> Landed {
        self.began = Instant::now();
        let mut waited = Duration::ZERO;
        let delivered = deliver(way, number, &self.candidates, &self.provenance, &mut waited).await;
        if delivered.is_ok() {
            way.road.delivered(self.full, self.began.elapsed().saturating_sub(waited));
        }
        for candidate in &mut self.candidates {
            candidate.shed();
        }
        Landed { number, packet: self, delivered }
    }
}
