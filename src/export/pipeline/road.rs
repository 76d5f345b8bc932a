//! What is known of the way to MongoDB, shared by the batches in flight.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::expectation::Expectation;
use super::pace::Pace;
use crate::report::{Failure, Reason};

/// What is known of the way to MongoDB.
pub(in crate::export) struct Road {
    pace: Mutex<Pace>,
    expectation: Mutex<Expectation>,
}

impl Road {
    pub(in crate::export) fn new(pace: Pace) -> Self {
        Self { pace: Mutex::new(pace), expectation: Mutex::default() }
    }

    /// How much is sent at a time.
    pub(in crate::export) fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of the next command.
    pub(in crate::export) fn command(&self) -> usize {
        self.pace().command()
    }

    /// Runs one command of so many bytes, as far as is known before; the pace follows how long it takes for what it
    /// `carried`, there and back.
    pub(in crate::export) async fn timed<T>(
        &self,
        bytes: usize,
        command: impl Future<Output = Result<T, Failure>>,
        carried: impl Fn(&T) -> usize,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        let result = command.await;
        match &result {
            Ok(answer) => self.pace().answered(carried(answer), began.elapsed()),
            Err(failure) if failure.reason == Reason::Timeout => self.pace().missed(bytes),
            Err(_) => {}
        }
        result
    }

    /// Another pass begins: nobody knows which copies there are.
    pub(in crate::export) fn begin(&self) {
        *self.expectation() = Expectation::default();
    }

    /// Whether copies of all rows are to be looked up.
    pub(in crate::export) fn looks(&self) -> bool {
        self.expectation().looks()
    }

    /// Copies were looked up for a batch.
    pub(in crate::export) fn looked(&self, found: bool) {
        self.expectation().looked(found);
    }

    /// A copy was met that wasn't looked for.
    pub(in crate::export) fn surprised(&self) {
        self.expectation().surprised();
    }

    fn expectation(&self) -> MutexGuard<'_, Expectation> {
        self.expectation.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
