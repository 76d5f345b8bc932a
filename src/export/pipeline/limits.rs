//! What may be sent at a time, by the configuration and by what was asked for.

use std::time::Duration;

use crate::config::Config;
use crate::report::{RunRequest, Trigger};

/// Batches of a manual export that are looked up and recorded together at most: on a long way, each is sent after the other.
const TOGETHER: usize = 10;

/// What may be sent at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::export) struct Limits {
    /// Rows of a batch: at least, to begin with, and at most.
    pub(in crate::export) least: usize,
    pub(in crate::export) first: usize,
    pub(in crate::export) most: usize,
    /// Rows of a command: a batch may be sent in several.
    pub(in crate::export) rows: usize,
    /// Batches in flight.
    pub(in crate::export) in_flight: usize,
    /// The deadline of each operation.
    pub(in crate::export) deadline: Duration,
}

impl Limits {
    /// A manual export keeps the batch size that it was asked for: that many rows are sent at a time. While the link and the
    /// server are quick, several such batches are looked up and recorded together.
    pub(in crate::export) fn of(config: &Config, request: &RunRequest) -> Self {
        let asked = usize::from(request.batch_size);
        let largest = usize::from(config.export.max_batch_size).max(asked);
        let (least, most, rows) = match request.trigger {
            Trigger::Automatic => (1, largest, largest),
            Trigger::Manual => (asked, asked * (largest / asked).min(TOGETHER), asked),
        };
        Self {
            least,
            first: asked,
            most,
            rows,
            in_flight: usize::from(config.export.max_in_flight),
            deadline: config.mongodb.operation_timeout,
        }
    }
}
