//! The configuration's sections, as the rest of the program reads them.
//!
//! Nothing here is checked again: a value that exists went through [`super::load`].

use std::path::PathBuf;
use std::time::Duration;

use super::{Secret, SecretFile, Values};
use crate::record::Mapping;

/// All of the configuration. The names of sections and keys are those of `config.toml`.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the rows come from.
    pub sqlite: Sqlite,
    /// Where they go.
    pub mongodb: Mongodb,
    /// How they are carried.
    pub export: Export,
    /// When MongoDB is probed.
    pub probe: Probe,
    /// The HTTP server.
    pub http: Http,
    /// The daemon's own memory.
    pub state: State,
    /// The log.
    pub log: Log,
    /// All of it once more, by key.
    pub(super) values: Values,
}

impl Config {
    /// The names that the duplicate key's columns have in documents.
    #[must_use]
    pub fn duplicate_fields(&self) -> Vec<String> {
        let mapping = &self.sqlite.mapping;
        self.export.duplicate_key.iter().map(|column| mapping.name_of(column).to_owned()).collect()
    }
}

/// Where the rows come from.
#[derive(Clone, Debug)]
pub struct Sqlite {
    /// The application's database file.
    pub path: PathBuf,
    /// The table in it.
    pub table: String,
    /// The column that says when a row was made; part of a row's identity if the table has it.
    pub created_column: String,
    /// The column that says when a row was last changed.
    pub updated_column: String,
    /// The id of this host and database; empty: derived from the machine id.
    pub source_id: String,
    /// Columns whose number of distinct values the summary tells, as `unique_<column>s`.
    pub summary_unique: Vec<String>,
    /// Columns whose distribution the summary tells.
    pub summary_distribution: Vec<String>,
    /// What of a row arrives, under which names and as which types: `[columns]`, `[rename]`, `[types]`, `[constants]`.
    pub mapping: Mapping,
}

/// Where the rows go.
#[derive(Clone, Debug)]
pub struct Mongodb {
    /// The first way to connect, as it was at the start.
    pub uri: Secret,
    /// The file that it was read from, to read it again.
    pub uri_file: Option<SecretFile>,
    /// Other ways, tried in order after the first.
    pub fallback_uris: Vec<Secret>,
    /// The database.
    pub database: String,
    /// The collection.
    pub collection: String,
    /// The deadline of each operation.
    pub operation_timeout: Duration,
    /// What the connection may be compressed with, the best one first; of these the server chooses.
    pub compressors: Vec<String>,
    /// After how long without work the connections are closed.
    pub idle_disconnect: Duration,
}

/// How rows are carried.
#[derive(Clone, Debug)]
pub struct Export {
    /// Rows a batch, 1..=1000.
    pub batch_size: u16,
    /// Rows to which a batch may grow, of an automatic export or by putting those of a manual one together, 1..=1000.
    pub max_batch_size: u16,
    /// Commands that write at a time at most.
    pub max_in_flight: u16,
    /// Bytes of the documents in flight, and of those read ahead, at most; but for one document.
    pub max_in_flight_bytes: usize,
    /// Whether rows with the duplicate key of another document are left out.
    pub skip_duplicates: bool,
    /// The columns that make two rows duplicates of each other.
    pub duplicate_key: Vec<String>,
    /// What happens to rows that changed after they were exported.
    pub updates: Updates,
    /// Whether exports start by themselves.
    pub automatic: bool,
}

/// What happens to rows that changed after they were exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updates {
    /// Written over their copy, unless the copy is newer.
    Newer,
    /// Written over their copy.
    Always,
    /// Left as they were exported first.
    Never,
}

/// When MongoDB is probed.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The first delay after a failure.
    pub initial_interval: Duration,
    /// The longest delay.
    pub max_interval: Duration,
    /// By how much the delay grows with each failure.
    pub multiplier: f64,
    /// The jitter: each delay is drawn uniformly from `interval * (1 ± factor)`.
    pub randomization_factor: f64,
    /// The deadline of one probe over all ways to connect.
    pub timeout: Duration,
    /// How often an online connection is checked again.
    pub online_interval: Duration,
}

/// The HTTP server.
#[derive(Clone, Debug)]
pub struct Http {
    /// Address and port.
    pub listen: std::net::SocketAddr,
    /// What clients must show, as it was at the start.
    pub token: Option<Secret>,
    /// The file that it was read from, to read it again.
    pub token_file: Option<SecretFile>,
    /// Whether other hosts may be let in without a token.
    pub allow_unauthenticated: bool,
    /// Names by which this host may be addressed, beside those of the loopback and its own address.
    pub allowed_hosts: Vec<String>,
    /// What TLS is spoken with, if it is.
    pub tls: Option<TlsFiles>,
    /// A socket in the file system, beside the port.
    pub socket: Option<PathBuf>,
}

/// The files of a certificate and its key, in PEM. They are read again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those that lead to its authority.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// The daemon's own memory.
#[derive(Clone, Debug)]
pub struct State {
    /// The directory that holds the ledger.
    pub directory: PathBuf,
}

impl State {
    /// The ledger's file in the directory.
    pub const LEDGER: &str = "state.db";
}

/// The log.
#[derive(Clone, Debug)]
pub struct Log {
    /// Directives as of `tracing_subscriber`'s `EnvFilter`.
    pub filter: String,
    /// The form.
    pub format: LogFormat,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// journald if systemd connected us to it, else text.
    Auto,
    /// The journal's native protocol.
    Journald,
    /// Lines for people, on standard error.
    Text,
    /// One JSON object a line, on standard error.
    Json,
}
