//! Every key there is: its name, its default and what it may be. The rest of the module asks this table.
//!
//! Three sections have no keys of their own: theirs are the names of columns or fields.

use std::time::Duration;

use super::names;
use super::rule::Rule;
use crate::record::Type;

/// What the names of all environment variables begin with.
pub(super) const PREFIX: &str = "MONGO_UPLINK_";

/// A key of the configuration.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) section: &'static str,
    pub(super) name: &'static str,
    /// The default, written as in the environment.
    pub(super) default: &'static str,
    pub(super) rule: Rule,
}

impl Key {
    /// `section.name`.
    pub(super) fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// The environment variable that sets it.
    pub(super) fn variable(&self) -> String {
        format!("{PREFIX}{}__{}", self.section, self.name).to_ascii_uppercase()
    }
}

/// The key of that name.
pub(super) fn find(section: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.section == section && key.name == name)
}

/// The sections, in order.
pub(super) const SECTIONS: &[&str] = &[
    "sqlite",
    "columns",
    "rename",
    "types",
    "constants",
    "mongodb",
    "export",
    "probe",
    "http",
    "state",
    "log",
];

/// A section whose keys are names of the table's or the documents'.
#[derive(Debug)]
pub(super) struct Free {
    pub(super) section: &'static str,
    /// What may be such a name.
    pub(super) name: fn(&str) -> Result<(), &'static str>,
    /// What the names are.
    pub(super) named: &'static str,
    /// What each of them may be set to.
    pub(super) rule: Rule,
}

impl Free {
    /// The environment variable that sets a key, whose name keeps its capitals.
    pub(super) fn variable(&self, name: &str) -> String {
        format!("{PREFIX}{}__{name}", self.section.to_ascii_uppercase())
    }
}

/// The sections without keys of their own.
pub(super) const FREE: &[Free] = &[
    Free { section: "rename", name: names::column, named: "the name of a column", rule: Rule::Field },
    Free {
        section: "types",
        name: names::column,
        named: "the name of a column",
        rule: Rule::Choice(Type::NAMES),
    },
    Free {
        section: "constants",
        name: names::document_field,
        named: "a name without dots or a leading $, neither _id nor export_metadata",
        rule: Rule::Constant,
    },
];

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// Shorter than any network needs, and long enough not to spin.
const SHORTEST: Duration = ms(10);

const fn key(section: &'static str, name: &'static str, default: &'static str, rule: Rule) -> Key {
    Key { section, name, default, rule }
}

/// What the connection may be compressed with.
const COMPRESSORS: &[&str] = &["zstd", "snappy", "zlib"];

/// The keys, in the order of `config.toml`.
pub(super) const KEYS: &[Key] = &[
    key("sqlite", "path", "inquiries.db", Rule::Path),
    key("sqlite", "table", "chat_inquiry_information", Rule::Name),
    key("sqlite", "created_column", "created_at", Rule::Name),
    key("sqlite", "updated_column", "updated_at", Rule::Name),
    key("sqlite", "source_id", "", Rule::OptionalName),
    key("sqlite", "summary_unique", "user_id", Rule::Names),
    key("sqlite", "summary_distribution", "parentType,schoolType", Rule::Names),
    key("columns", "include", "", Rule::Names),
    key("columns", "exclude", "", Rule::Names),
    key("mongodb", "uri", "mongodb://127.0.0.1:27017", Rule::Uri),
    key("mongodb", "uri_file", "", Rule::SecretFile),
    key("mongodb", "fallback_uris", "", Rule::Uris),
    key("mongodb", "database", "inquiryassistant", Rule::Database),
    key("mongodb", "collection", "chat_inquiry_information", Rule::Collection),
    key("mongodb", "operation_timeout", "10s", Rule::Time(SHORTEST, s(10 * MINUTE))),
    key("mongodb", "compressors", "zstd,snappy,zlib", Rule::Words(COMPRESSORS)),
    key("mongodb", "idle_disconnect", "60s", Rule::Time(SHORTEST, s(24 * HOUR))),
    key("export", "batch_size", "100", Rule::Whole(1, 1000)),
    key("export", "max_batch_size", "1000", Rule::Whole(1, 1000)),
    key("export", "max_in_flight", "12", Rule::Whole(1, 16)),
    key("export", "max_in_flight_bytes", "8388608", Rule::Whole(64 * 1024, 1024 * 1024 * 1024)),
    key("export", "skip_duplicates", "true", Rule::Flag),
    key("export", "duplicate_key", "email,mobile", Rule::Fields),
    key("export", "updates", "newer", Rule::Choice(&["newer", "always", "never"])),
    key("export", "automatic", "true", Rule::Flag),
    key("probe", "initial_interval", "1s", Rule::Time(SHORTEST, s(HOUR))),
    key("probe", "max_interval", "60s", Rule::Time(SHORTEST, s(24 * HOUR))),
    key("probe", "multiplier", "2.0", Rule::Number(1.0, 10.0)),
    // Below 1, so that no delay is ever drawn as 0: the shortest is a tenth of its interval.
    key("probe", "randomization_factor", "0.5", Rule::Number(0.0, 0.9)),
    key("probe", "timeout", "5s", Rule::Time(SHORTEST, s(5 * MINUTE))),
    key("probe", "online_interval", "5m", Rule::Time(SHORTEST, s(24 * HOUR))),
    key("http", "listen", "127.0.0.1:8000", Rule::Listen),
    key("http", "token", "", Rule::Token),
    key("http", "token_file", "", Rule::SecretFile),
    key("http", "allow_unauthenticated", "false", Rule::Flag),
    key("http", "allowed_hosts", "", Rule::Hosts),
    key("http", "tls_certificate_file", "", Rule::OptionalPath),
    key("http", "tls_key_file", "", Rule::OptionalPath),
    key("http", "socket", "", Rule::OptionalPath),
    key("state", "directory", "state", Rule::Path),
    key("log", "filter", "info", Rule::Filter),
    key("log", "format", "auto", Rule::Choice(&["auto", "journald", "text", "json"])),
];
