//! How long to wait before the next try.
//!
//! What holds: a [`Schedule`] can't be invalid; a delay is never under [`SHORTEST`] and never over
//! `max * (1 + randomization_factor)`; it grows until it is capped and never gives up; no arithmetic overflows.
//! Randomness is an argument, so that a test can repeat every delay.
//!
//! The growth is that of the crate `backoff`. It is no longer maintained, so nothing outside of this module knows it.

use std::time::Duration;

use ::backoff::ExponentialBackoff;
use ::backoff::backoff::Backoff as _;

/// The floor of every delay: keeps a full jitter from turning a retry into a hot loop.
pub const SHORTEST: Duration = Duration::from_millis(1);

/// The ceiling of a schedule's `max`: a longer silence is a mistake in the configuration.
pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What is wrong with the parameters of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    /// The first interval is too short.
    #[error("the initial interval must be at least {SHORTEST:?}")]
    Initial,
    /// The longest interval is out of its range.
    #[error("the longest interval must lie between the initial interval and {LONGEST:?}")]
    Max,
    /// The intervals would shrink, or the growth isn't a number.
    #[error("the multiplier must be a number of at least 1")]
    Multiplier,
    /// The jitter would reach below zero, or isn't a number.
    #[error("the randomization factor must lie between 0 and 1")]
    RandomizationFactor,
}

/// Valid parameters of a capped, jittered, exponential backoff.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    initial: Duration,
    max: Duration,
    multiplier: f64,
    randomization_factor: f64,
}

impl Schedule {
    /// Checks the parameters: `SHORTEST <= initial <= max <= LONGEST`, `multiplier >= 1`,
    /// `0 <= randomization_factor <= 1`.
    ///
    /// # Errors
    /// The first of them that is out of its range.
    pub fn new(
        initial: Duration,
        max: Duration,
        multiplier: f64,
        randomization_factor: f64,
    ) -> Result<Self, InvalidSchedule> {
        if initial < SHORTEST {
            return Err(InvalidSchedule::Initial);
        }
        if !(initial..=LONGEST).contains(&max) {
            return Err(InvalidSchedule::Max);
        }
        if !(1.0..=f64::MAX).contains(&multiplier) {
            return Err(InvalidSchedule::Multiplier);
        }
        if !(0.0..=1.0).contains(&randomization_factor) {
            return Err(InvalidSchedule::RandomizationFactor);
        }
        Ok(Self { initial, max, multiplier, randomization_factor })
    }

    /// The first interval, before jitter.
    #[must_use]
    pub fn initial(&self) -> Duration {
        self.initial
    }

    /// The longest interval, before jitter.
    #[must_use]
    pub fn max(&self) -> Duration {
        self.max
    }

    /// Any interval with this schedule's jitter: uniform in `interval * (1 ± randomization_factor)` for `random`
    /// uniform in `0.0..1.0`, at least [`SHORTEST`]. A `random` outside of that range counts as its nearest end.
    #[must_use]
    pub fn jittered(&self, interval: Duration, random: f64) -> Duration {
        let random = if random.is_nan() { 0.5 } else { random.clamp(0.0, 1.0) };
        let factor = 1.0 + self.randomization_factor * (2.0 * random - 1.0);
        // Up to twice a day's length: far from where a product could overflow.
        interval.min(LONGEST).mul_f64(factor).max(SHORTEST)
    }
}

/// A schedule under way: how often it failed in a row, and so how long to wait.
#[derive(Clone, Debug)]
pub struct Backoff {
    schedule: Schedule,
    growth: ExponentialBackoff,
    failures: u32,
}

impl Backoff {
    /// A backoff that has seen no failure yet.
    #[must_use]
    pub fn new(schedule: Schedule) -> Self {
        let growth = ExponentialBackoff {
            current_interval: schedule.initial,
            initial_interval: schedule.initial,
            max_interval: schedule.max,
            multiplier: schedule.multiplier,
            // The jitter is ours, drawn from an argument.
            randomization_factor: 0.0,
            // Never gives up.
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        Self { schedule, growth, failures: 0 }
    }

    /// Counts a failure, and tells how long to wait after it. `random` is uniform in `0.0..1.0`.
    pub fn next(&mut self, random: f64) -> Duration {
        // Read before the step: the crate adds up to a nanosecond to what it returns.
        let interval = self.growth.current_interval.min(self.schedule.max);
        // Only moves `current_interval` on; without a limit of time it always returns a value.
        let _ = self.growth.next_backoff();
        self.failures = self.failures.saturating_add(1);
        self.schedule.jittered(interval, random)
    }

    /// After a real success: the next failure waits for the initial interval again.
    pub fn reset(&mut self) {
        self.growth.reset();
        self.failures = 0;
    }

    /// Failures since the last reset.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The parameters.
    #[must_use]
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }
}

#[cfg(test)]
mod tests;
