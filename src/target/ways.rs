//! The configured ways to connect: `uri`, then each of `fallback_uris`.
//!
//! What holds:
//! - The way that worked last is tried first, and the first way again now and then: a fallback is no home.
//! - All of one attempt shares one budget, so that a probe over several ways takes no longer than a probe over one.
//! - Nothing is kept of a connection string but the string: what it names (SRV records, files, the file it is read
//!   from) may change while we run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Target;
use crate::config::{Mongodb, Secret};
use crate::report::{Failure, Reason};

/// The ways to MongoDB, and which one worked last. Clones share that memory.
#[derive(Clone, Debug)]
pub struct Ways {
    config: Arc<Mongodb>,
    memory: Arc<Mutex<Memory>>,
}

#[derive(Debug)]
struct Memory {
    /// The way that worked last.
    last: usize,
    /// When the first way was last tried.
    first_tried: Option<Instant>,
    /// After how long on a fallback the first way is tried again.
    return_after: Duration,
}

impl Ways {
    /// The configured ways. On a fallback, the first way is tried again after `return_after`.
    #[must_use]
    pub fn new(config: Mongodb, return_after: Duration) -> Self {
        let memory = Memory { last: 0, first_tried: None, return_after };
        Self { config: Arc::new(config), memory: Arc::new(Mutex::new(memory)) }
    }

    /// Which way worked last: 0 is `mongodb.uri`, 1 the first fallback.
    #[must_use]
    pub fn last(&self) -> usize {
        self.memory().last
    }

    /// From now on, the first way is tried again after another time.
    pub fn set_return_after(&self, return_after: Duration) {
        self.memory().return_after = return_after;
    }

    /// Connects in the first way that works, within `budget`.
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
            match self.connect_by(way, share).await {
                Ok(target) => return Ok(target),
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

    /// A connection by the first way, if a fallback is in use, it is time to try the first way again, and it works.
    pub async fn return_to_first(&self, budget: Duration) -> Option<Target> {
        if self.last() == 0 || !self.is_time_for_first() {
            return None;
        }
        self.connect_by(0, budget).await.ok()
    }

    async fn connect_by(&self, way: usize, budget: Duration) -> Result<Target, Failure> {
        if way == 0 {
            self.memory().first_tried = Some(Instant::now());
        }
        let target = Target::connect(&self.config, &self.uri(way).await, budget).await?;
        self.memory().last = way;
        Ok(target)
    }

    fn order(&self) -> Vec<usize> {
        let start = if self.is_time_for_first() { 0 } else { self.last() };
        let ways = 1 + self.config.fallback_uris.len();
        std::iter::once(start).chain((0..ways).filter(|way| *way != start)).collect()
    }

    fn is_time_for_first(&self) -> bool {
        let memory = self.memory();
        memory.first_tried.is_none_or(|tried| tried.elapsed() >= memory.return_after)
    }

    async fn uri(&self, way: usize) -> Secret {
        if let Some(fallback) = way.checked_sub(1).and_then(|place| self.config.fallback_uris.get(place)) {
            return fallback.clone();
        }
        let Some(file) = self.config.uri_file.clone() else { return self.config.uri.clone() };
        tokio::task::spawn_blocking(move || file.read()).await.unwrap_or_else(|_| self.config.uri.clone())
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Each change is one assignment: a panic can't leave it half done.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
