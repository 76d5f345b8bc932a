//! Where the configuration is read from. A value of its own, so that tests need no process environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::Secret;

/// The sources of a configuration, apart from the built-in defaults. The default value has none at all.
///
/// Doesn't show its content: the environment and the command line may hold secrets.
#[derive(Clone, Default)]
pub struct Sources {
    pub(super) file: Option<PathBuf>,
    pub(super) search: Vec<PathBuf>,
    pub(super) environment: BTreeMap<OsString, OsString>,
    pub(super) overrides: Vec<Secret>,
}

impl Sources {
    /// The environment of this process, and the first that exists of `./config.toml` and
    /// `/etc/mongo-uplink/config.toml`.
    #[must_use]
    pub fn of_process() -> Self {
        Self::default()
            .with_search(["config.toml", "/etc/mongo-uplink/config.toml"])
            .with_environment(std::env::vars_os())
    }

    /// Reads this file, which must exist, and searches no other.
    #[must_use]
    pub fn with_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Reads the first of these files that exists, if no file is named by [`Sources::with_file`].
    #[must_use]
    pub fn with_search(mut self, paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        self.search = paths.into_iter().map(Into::into).collect();
        self
    }

    /// Adds environment variables. Those that neither begin with `MONGO_UPLINK_` nor are `CREDENTIALS_DIRECTORY`
    /// are of no concern.
    #[must_use]
    pub fn with_environment(
        mut self,
        variables: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    ) -> Self {
        self.environment.extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Adds a `section.key=value` from the command line; of two for the same key the later counts.
    #[must_use]
    pub fn with_override(mut self, assignment: impl Into<String>) -> Self {
        self.overrides.push(Secret::new(assignment));
        self
    }

    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment.get(OsStr::new(name)).map(OsString::as_os_str)
    }
}
