//! `mongo-uplink check`: is the configuration right, and where does each value come from?

use crate::config::{Config, ConfigError, Sources};

/// The text for standard output: one line a key, `section.key = value (origin)`, secrets hidden.
///
/// # Errors
/// Everything that is wrong with the configuration.
pub fn check(sources: &Sources) -> Result<String, ConfigError> {
    let (_, shown) = Config::explain(sources)?;
    let lines: String = shown.iter().map(|shown| format!("{shown}\n")).collect();
    Ok(format!("{lines}The configuration is valid.\n"))
}
