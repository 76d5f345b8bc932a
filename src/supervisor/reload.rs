//! Reading the configuration again, beside the loop.
//!
//! What holds: what can't be used changes nothing; one reading at a time, and a wish that comes meanwhile is kept, so
//! that what was written before the last wish is read.

use tokio::task::JoinHandle;

use crate::config::{Config, ConfigError, Sources};
use crate::telemetry::Telemetry;

/// The keys that take effect without a restart; the others belong to what is open or written down.
const LIVE: [&str; 10] = [
    "mongodb.idle_disconnect",
    "export.batch_size",
    "export.skip_duplicates",
    "export.automatic",
    "probe.initial_interval",
    "probe.max_interval",
    "probe.multiplier",
    "probe.randomization_factor",
    "probe.online_interval",
    "log.filter",
];

/// What came of a reading.
pub(super) type Reading = Result<Config, ConfigError>;

/// Where the configuration is read from, and the log whose filter is part of it.
pub struct Reload {
    sources: Sources,
    pub(super) telemetry: Telemetry,
    reading: Option<JoinHandle<Reading>>,
    is_wanted_again: bool,
}

impl Reload {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(sources: Sources, telemetry: Telemetry) -> Self {
        Self { sources, telemetry, reading: None, is_wanted_again: false }
    }

    /// Begins to read, or sees to it that it is read once more.
    pub(super) fn begin(&mut self) {
        if self.reading.is_some() {
            self.is_wanted_again = true;
            return;
        }
        let sources = self.sources.clone();
        self.reading = Some(tokio::task::spawn_blocking(move || Config::load(&sources)));
    }

    /// Whether what was just read is out of date already; then the next reading has begun.
    pub(super) fn goes_on(&mut self) -> bool {
        let again = std::mem::take(&mut self.is_wanted_again);
        if again {
            self.begin();
        }
        again
    }
}

/// Waits for the reading under way; for ever if there is none. `None` if it broke down.
pub(super) async fn read(reload: &mut Reload) -> Option<Reading> {
    match &mut reload.reading {
        Some(task) => {
            let outcome = task.await.ok();
            reload.reading = None;
            outcome
        }
        None => std::future::pending().await,
    }
}

/// Keys that take effect at once, and those that don't.
pub(super) fn sorted(keys: Vec<String>) -> (Vec<String>, Vec<String>) {
    keys.into_iter().partition(|key| LIVE.contains(&key.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_names_each_key_that_takes_effect_at_once() {
        let shipped = include_str!("../../config.toml");
        let head = shipped.split("[sqlite]").next().unwrap_or_default();
        let told = head.replace("\n#", "");
        for key in LIVE {
            assert!(told.contains(key), "config.toml doesn't tell of {key} in its head");
        }
    }
}
