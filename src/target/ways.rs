//! The configured ways to connect: `uri`, then each of `fallback_uris`.
//!
//! The way that worked last is tried first. All of one attempt shares one budget, so that a probe over several ways
//! takes no longer than a probe over one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::Target;
use crate::config::{Mongodb, Secret};
use crate::report::{Failure, Reason};

/// The ways to MongoDB, and which one worked last. Clones share that memory.
#[derive(Clone, Debug)]
pub struct Ways {
    config: Arc<Mongodb>,
    last: Arc<AtomicUsize>,
}

impl Ways {
    /// The configured ways.
    #[must_use]
    pub fn new(config: Mongodb) -> Self {
        Self { config: Arc::new(config), last: Arc::default() }
    }

    /// Which way worked last: 0 is `mongodb.uri`, 1 the first fallback.
    #[must_use]
    pub fn last(&self) -> usize {
        self.last.load(Ordering::Relaxed)
    }

    /// Connects in the first way that works, within `budget`. Connection strings are parsed afresh, since what they
    /// name (SRV records, files) changes.
    ///
    /// # Errors
    /// Why the first configured way failed.
    pub async fn connect(&self, budget: Duration) -> Result<Target, Failure> {
        let end = Instant::now() + budget;
        let order = self.order();
        let mut failure: Option<(usize, Failure)> = None;
        for (tried, &way) in order.iter().enumerate() {
            let left = u32::try_from(order.len() - tried).unwrap_or(u32::MAX);
            let share = end.saturating_duration_since(Instant::now()) / left;
            match Target::connect(&self.config, self.uri(way), share).await {
                Ok(target) => {
                    self.last.store(way, Ordering::Relaxed);
                    return Ok(target);
                }
                Err(error) => {
                    if failure.as_ref().is_none_or(|(first, _)| way < *first) {
                        failure = Some((way, error));
                    }
                }
            }
        }
        Err(failure
            .map_or_else(|| Failure::new(Reason::Options, "no way to connect is configured"), |(_, why)| why))
    }

    fn order(&self) -> Vec<usize> {
        let last = self.last();
        let ways = 1 + self.config.fallback_uris.len();
        std::iter::once(last).chain((0..ways).filter(|way| *way != last)).collect()
    }

    fn uri(&self, way: usize) -> &Secret {
        match way {
            0 => &self.config.uri,
            fallback => self.config.fallback_uris.get(fallback - 1).unwrap_or(&self.config.uri),
        }
    }
}
