//! The checked values by key: what a configuration is made of, and compared by with one that was read later.

use std::collections::BTreeSet;
use std::fmt;

use super::key::{KEYS, Key};
use super::load::{Found, Settings};
use super::rule::Setting;
use super::secret_file::{TOKEN, URI};
use super::{Config, assemble};

/// The checked values by `section.key`. Doesn't show them: there are secrets among them.
#[derive(Clone)]
pub struct Values(Settings);

impl Values {
    pub(super) fn of(settings: &Settings) -> Self {
        Self(settings.clone())
    }

    /// The value of a key, if it is set or has a default.
    fn get(&self, key: &str) -> Option<&Setting> {
        self.0.get(key).map(|found: &Found| &found.setting)
    }

    /// Whether a secret comes out of the same file in both: what it holds is looked at again without being told.
    fn reads_by_itself(&self, other: &Self, key: &str) -> bool {
        let file = |values: &Self, file| match values.get(file) {
            Some(Setting::Text(path)) if !path.is_empty() => Some(path.clone()),
            _ => None,
        };
        [URI, TOKEN].iter().any(|kind| {
            kind.key == key
                && file(self, kind.file).is_some()
                && file(self, kind.file) == file(other, kind.file)
        })
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[values]")
    }
}

impl Config {
    /// The keys whose values are others there, in the order of `config.toml`; behind them those of sections without keys
    /// of their own. A secret in a file that is read again by itself isn't among them.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Vec<String> {
        let (ours, theirs) = (&self.values, &other.values);
        let known: Vec<String> = KEYS.iter().map(Key::path).collect();
        let set: BTreeSet<&String> = ours.0.keys().chain(theirs.0.keys()).collect();
        let free: Vec<String> = set.into_iter().filter(|key| !known.contains(key)).cloned().collect();
        let differs = |key: &String| ours.get(key) != theirs.get(key) && !ours.reads_by_itself(theirs, key);
        known.into_iter().chain(free).filter(differs).collect()
    }

    /// The same with the values of `keys` from another one.
    #[must_use]
    pub fn with(&self, keys: &[String], other: &Self) -> Self {
        let mut settings = self.values.0.clone();
        for key in keys {
            match other.values.0.get(key) {
                Some(found) => settings.insert(key.clone(), found.clone()),
                None => settings.remove(key),
            };
        }
        assemble::config(&settings)
    }
}
