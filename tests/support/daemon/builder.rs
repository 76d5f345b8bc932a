//! How a daemon is configured.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Daemon;

/// The configuration of a daemon that isn't running yet: quick probes, a free port, state of its own.
#[derive(Clone, Debug)]
pub struct Builder {
    sections: BTreeMap<String, BTreeMap<String, Value>>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) program: Option<PathBuf>,
}

impl Builder {
    pub(super) fn new(database: &Path, mongo_uri: &str) -> Self {
        let path = database.to_str().expect("temporary files have readable names");
        Self { sections: BTreeMap::new(), environment: Vec::new(), program: None }
            .set("sqlite.path", path)
            .set("mongodb.uri", mongo_uri)
            .set("probe.initial_interval", "50ms")
            .set("probe.max_interval", "500ms")
            .set("http.listen", "127.0.0.1:0")
            .set("log.format", "json")
    }

    /// Sets `section.key`, as in `config.toml`.
    #[must_use]
    #[track_caller]
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        let (section, key) = key.split_once('.').expect("a key is written section.key");
        self.sections.entry(section.to_owned()).or_default().insert(key.to_owned(), value.into());
        self
    }

    /// Leaves `section.key` to its default.
    #[must_use]
    #[track_caller]
    pub fn unset(mut self, key: &str) -> Self {
        let (section, key) = key.split_once('.').expect("a key is written section.key");
        if let Some(section) = self.sections.get_mut(section) {
            section.remove(key);
        }
        self
    }

    /// Sets a variable of the daemon's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs another program than the one built beside the test.
    #[must_use]
    pub fn program(mut self, path: impl Into<PathBuf>) -> Self {
        self.program = Some(path.into());
        self
    }

    /// Starts it and waits until it answers on HTTP.
    #[must_use]
    #[track_caller]
    pub fn start(self) -> Daemon {
        let daemon = self.prepare();
        daemon.start();
        daemon
    }

    /// Writes the configuration and doesn't start it.
    #[must_use]
    #[track_caller]
    pub fn prepare(self) -> Daemon {
        Daemon::new(self)
    }

    /// The configuration file. A JSON value of a string, number, boolean or list is a TOML value, too.
    pub(super) fn to_toml(&self) -> String {
        let mut text = String::new();
        for (section, keys) in &self.sections {
            writeln!(text, "[{section}]").expect("a String takes all");
            for (key, value) in keys {
                writeln!(text, "{key} = {value}").expect("a String takes all");
            }
        }
        text
    }

    pub(super) fn has(&self, section: &str, key: &str) -> bool {
        self.sections.get(section).is_some_and(|keys| keys.contains_key(key))
    }
}
