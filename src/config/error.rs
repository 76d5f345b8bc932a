//! What is wrong with the configuration, in words that can be shown to anybody.

use std::fmt;

/// One thing that is wrong. Holds rendered texts only: a secret value never gets this far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, as in `probe.timeout`, or what else it is about.
    pub key: String,
    /// The value as it was given, `[secret]` for secrets; `None` if there is none or it must not be shown.
    pub value: Option<String>,
    /// Where it comes from: a file, an environment variable, the command line, the defaults.
    pub origin: String,
    /// What is wrong.
    pub what: String,
    /// What is allowed instead.
    pub allowed: Option<String>,
}

impl Problem {
    /// A problem of a source as a whole, or of a key that has no value to show.
    pub(super) fn new(key: impl Into<String>, origin: impl fmt::Display, what: impl Into<String>) -> Self {
        Self { key: key.into(), value: None, origin: origin.to_string(), what: what.into(), allowed: None }
    }

    /// Adds what is allowed.
    pub(super) fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        write!(f, " ({}): {}", self.origin, self.what)?;
        match &self.allowed {
            Some(allowed) => write!(f, "; allowed: {allowed}"),
            None => Ok(()),
        }
    }
}

/// All problems of a configuration that can't be used. Displays as one line for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// The process's exit code: `EX_CONFIG` of sysexits, so that a service manager needn't try again.
    pub const EXIT_CODE: u8 = 78;

    pub(super) fn new(problems: Vec<Problem>) -> Self {
        debug_assert!(!problems.is_empty(), "an error has a problem");
        Self { problems }
    }

    /// What was found, in the order of the sources and keys; never empty.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("configuration error")?;
        match self.problems.as_slice() {
            [only] => write!(f, ": {only}"),
            several => several.iter().try_for_each(|problem| write!(f, "\n  {problem}")),
        }
    }
}

impl std::error::Error for ConfigError {}
