//! The configuration: defaults ← file ← environment ← command line, checked once.
//!
//! - A [`Config`] that exists is valid: every number is in its range, every choice is one of those allowed.
//! - Every problem is told, not only the first; each names the key, the value, where it comes from and what is
//!   allowed. Exit code: [`ConfigError::EXIT_CODE`].
//! - No connection string, password or token is in any message, not even when the file that holds it is malformed.
//! - A text stays a text: `0123` in the environment loses no zero, because each key knows its own type.
//!
//! The connection string comes from `mongodb.uri` or, out of a file, from `mongodb.uri_file`. The one set in the
//! higher source wins; both in one source are an error. If neither is set anywhere, the systemd credential
//! `mongodb-uri` is taken if there is one, else the default. Only its scheme is checked here: the rest is parsed at
//! each probe, since what it refers to (DNS records, certificates) changes. A file is read again at each probe, too.
//! In the same way the token of the HTTP server comes from `http.token`, `http.token_file` or the credential
//! `http-token`.

mod assemble;
mod columns;
mod error;
mod file;
mod filter;
mod key;
mod layer;
mod load;
mod names;
mod near;
mod place;
mod rule;
mod secret;
mod secret_file;
mod sections;
mod show;
mod sources;
mod values;

#[cfg(test)]
mod tests;

pub use error::{ConfigError, Problem};
pub(crate) use file::read as read_file;
pub use load::Origin;
pub(crate) use near::nearest;
pub use secret::Secret;
pub use secret_file::SecretFile;
pub use sections::{Config, Export, Http, Log, LogFormat, Mongodb, Probe, Sqlite, State, TlsFiles, Updates};
pub use show::Shown;
pub use sources::Sources;
pub use values::Values;

impl Config {
    /// Reads, merges and checks the configuration.
    ///
    /// # Errors
    /// All problems that were found: an unreadable or malformed file, unknown keys, values that aren't allowed.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        Ok(load::load(sources)?.0)
    }

    /// Like [`Config::load`], with the list of all keys: their values, secrets hidden, and where each comes from.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn explain(sources: &Sources) -> Result<(Self, Vec<Shown>), ConfigError> {
        load::load(sources)
    }
}
