//! How a server is to be started.

use std::path::Path;

use super::Mongod;

/// The name of every set.
pub(super) const SET: &str = "rs";

/// Settings of a server that isn't there yet.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    pub(super) arguments: Vec<String>,
    pub(super) uri_options: String,
    pub(super) login: bool,
}

impl Builder {
    /// Adds an argument to `mongod`'s command line, for example `--tlsMode` and then `requireTLS`.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds an option to the connection string, for example `tls=true`. With TLS it is needed here already, since
    /// the set is initiated over such a connection.
    #[must_use]
    pub fn uri_option(mut self, option: &str) -> Self {
        self.uri_options.push('&');
        self.uri_options.push_str(option);
        self
    }

    /// Speaks nothing but TLS, with this certificate and its key, and trusts this authority, as the connection string does.
    #[must_use]
    pub fn with_tls(self, certificate: &Path, authority: &Path) -> Self {
        self.arg("--tlsMode")
            .arg("requireTLS")
            .arg("--tlsCertificateKeyFile")
            .arg(certificate.display().to_string())
            .arg("--tlsCAFile")
            .arg(authority.display().to_string())
            .uri_option("tls=true")
            .uri_option(&format!("tlsCAFile={}", authority.display()))
    }

    /// Lets nobody in without a name and a password. The test's own connection strings have those of a user that may do
    /// everything; [`Mongod::uri_as`] has another's.
    #[must_use]
    pub fn with_login(mut self) -> Self {
        self.login = true;
        self
    }

    /// Starts it; it is a writable primary.
    #[must_use]
    #[track_caller]
    pub fn start(self) -> Mongod {
        let mongod = self.reserve();
        mongod.launch();
        mongod
    }

    /// Gives it a port and a directory, and doesn't start it.
    #[must_use]
    #[track_caller]
    pub fn reserve(self) -> Mongod {
        Mongod::new(self)
    }
}
