//! The machine's times by the configuration.

use std::time::Duration;

use super::machine::Timing;
use crate::backoff::{InvalidSchedule, Schedule};
use crate::config::{Config, Probe};

/// How often the whole table is compared with the ledger though nothing seems to have changed.
const FULL_INTERVAL: Duration = Duration::from_secs(15 * 60);

/// The longest delay between looks at an SQLite file that can't be read. It is on this host, so that looking is cheap.
const SOURCE_RETRY_MAX: Duration = Duration::from_secs(10);

/// When what is done by this configuration.
///
/// # Errors
/// The configured delays can't be used together.
pub fn schedule(config: &Config) -> Result<Timing, InvalidSchedule> {
    let Probe { initial_interval, max_interval, multiplier, randomization_factor, timeout, online_interval } =
        config.probe;
    Ok(Timing {
        retry: Schedule::new(initial_interval, max_interval, multiplier, randomization_factor)?,
        probe_timeout: timeout,
        online_interval,
        full_interval: FULL_INTERVAL,
        source_retry: Schedule::new(
            initial_interval.min(SOURCE_RETRY_MAX),
            SOURCE_RETRY_MAX,
            multiplier,
            randomization_factor,
        )?,
        min_pass_interval: Duration::from_millis(100),
        // Preparing and a batch are several operations, each with its own deadline.
        stall: config.mongodb.operation_timeout * 6,
        automatic: config.export.automatic,
    })
}
