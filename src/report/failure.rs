//! Why MongoDB can't be used right now: a stable word for programs, a sentence for people.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// The stable word for a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A host name or SRV record doesn't resolve.
    Dns,
    /// The host answers, nothing listens on the port.
    Refused,
    /// The host has no route to MongoDB.
    Unreachable,
    /// No answer within the deadline.
    Timeout,
    /// The TLS handshake or a certificate failed.
    Tls,
    /// User name, password, certificate or mechanism were refused.
    Auth,
    /// The user may not do what is needed.
    NotAuthorized,
    /// No server of the set takes writes at the moment.
    NotPrimary,
    /// Something answers that isn't MongoDB.
    NotMongodb,
    /// The server is out of space or over its quota.
    Quota,
    /// The connection broke while in use.
    Disconnected,
    /// The connection string or its options can't be used.
    Options,
    /// The server answered with another error.
    Server,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 13] = [
        Self::Dns,
        Self::Refused,
        Self::Unreachable,
        Self::Timeout,
        Self::Tls,
        Self::Auth,
        Self::NotAuthorized,
        Self::NotPrimary,
        Self::NotMongodb,
        Self::Quota,
        Self::Disconnected,
        Self::Options,
        Self::Server,
    ];

    /// The reason of this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// The word used in JSON, logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::NotAuthorized => "not_authorized",
            Self::NotPrimary => "not_primary",
            Self::NotMongodb => "not_mongodb",
            Self::Quota => "quota",
            Self::Disconnected => "disconnected",
            Self::Options => "options",
            Self::Server => "server",
        }
    }

    /// One sentence that tells the operator what to do.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::Dns => "Check the host name in mongodb.uri and this host's DNS servers.",
            Self::Refused => "Start MongoDB, or correct the port in mongodb.uri.",
            Self::Unreachable => "Bring this host's network up, or correct its routes.",
            Self::Timeout => "Check firewalls, the network's quality and the load on MongoDB.",
            Self::Tls => "Check tlsCAFile, the certificate's names and dates, and this host's clock.",
            Self::Auth => "Correct the user name, password and authSource in mongodb.uri.",
            Self::NotAuthorized => "Grant the user find, insert and update on the collection.",
            Self::NotPrimary => {
                "Wait for the set to elect a primary, or name all of its members in mongodb.uri."
            }
            Self::NotMongodb => "Correct host, port and tls in mongodb.uri: something else answers there.",
            Self::Quota => "Free space on the MongoDB server, or raise its quota.",
            Self::Disconnected => "Nothing to do unless it happens often: then check the network's quality.",
            Self::Options => "Correct the connection string.",
            Self::Server => "Look into MongoDB's own log.",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure of an operation on MongoDB. `detail` is written by this project, never taken over from a server
/// or driver message that could quote a document or a connection string.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Failure {
    /// The cause.
    pub reason: Reason,
    /// What was seen, redacted.
    pub detail: String,
}

impl Failure {
    /// A failure with its cause and what was seen.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}
