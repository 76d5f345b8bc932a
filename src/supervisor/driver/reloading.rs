//! A configuration that was read again takes effect, as far as it can.

use std::sync::Arc;
use std::time::Instant;

use super::Supervisor;
use crate::config::Config;
use crate::supervisor::reload::{Reading, sorted};
use crate::supervisor::schedule;

impl Supervisor {
    /// Somebody asks for the configuration to be read again.
    pub(super) fn begin_reload(&mut self) {
        self.notifier.reloading();
        self.reload.begin();
    }

    /// It was read, or couldn't be.
    pub(super) fn end_reload(&mut self, outcome: Option<Reading>) {
        if self.reload.goes_on() {
            return;
        }
        let error = match outcome {
            Some(Ok(config)) => self.adopt(&config).err(),
            Some(Err(error)) => Some(error.to_string()),
            None => Some("the reading broke down".to_owned()),
        };
        if let Some(error) = error {
            tracing::error!(
                event = "reload_failed",
                error,
                "The configuration can't be used: what was in force stays in force"
            );
        }
        self.notifier.ready();
    }

    /// Puts into force what can be changed while we run, and names the rest.
    fn adopt(&mut self, read: &Config) -> Result<(), String> {
        let (live, rest) = sorted(self.config.differing(read));
        let config = Arc::new(self.config.with(&live, read));
        let timing = schedule(&config).map_err(|error| error.to_string())?;
        if live.iter().any(|key| key == "log.filter") {
            self.reload.telemetry.set_filter(&config.log.filter).map_err(|error| error.to_string())?;
        }
        self.config = config;
        if live.iter().any(|key| key.starts_with("probe.") || key == "export.automatic") {
            self.ways.set_return_after(self.config.probe.online_interval);
            let effects = self.machine.retime(timing, Instant::now(), fastrand::f64());
            self.perform(effects);
        }
        self.plan_disconnect();
        tracing::info!(event = "reloaded", changed = live.join(", "), "The configuration was read again");
        if !rest.is_empty() {
            tracing::warn!(
                event = "restart_needed",
                keys = rest.join(", "),
                "Keys that were changed take effect only after a restart"
            );
        }
        Ok(())
    }
}
