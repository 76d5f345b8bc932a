//! Certificates for tests, made by the `openssl` program; and a TLS server that is nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use super::privilege::needs;
use super::wait::{PATIENCE, eventually};
use super::{guardian, ports};

const CONFIGURATION: &str = "
[ca]
default_ca = authority
[authority]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = policy
unique_subject = no
copy_extensions = copy
[policy]
commonName = supplied
";

/// How each new key is made.
const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// From yesterday until tomorrow.
    Now,
    /// Until yesterday.
    Past,
    /// From tomorrow on.
    Future,
}

/// An authority that nobody knows, in a directory of its own.
pub struct Authority {
    directory: TempDir,
}

impl Authority {
    /// A new authority.
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        let directory =
            tempfile::Builder::new().prefix("mongo-uplink-certs-").tempdir().expect("a temporary directory");
        guardian::watch(directory.path());
        let authority = Self { directory };
        fs::write(authority.path("ca.cnf"), CONFIGURATION).expect("our own directory");
        fs::write(authority.path("index.txt"), "").expect("our own directory");
        authority
            .openssl(&format!("req -x509 {NEW_KEY} -days 2 -subj /CN=authority -keyout ca.key -out ca.pem"));
        authority
    }

    /// The authority's own certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// A certificate with its key in one file, for a name such as `IP:127.0.0.1`.
    #[track_caller]
    pub fn issue(&self, file: &str, name: &str, validity: Validity) -> PathBuf {
        let (from, until) = match validity {
            Validity::Now => (-24, 24),
            Validity::Past => (-48, -24),
            Validity::Future => (24, 48),
        };
        let at = |hours| (Timestamp::now() + SignedDuration::from_hours(hours)).strftime("%Y%m%d%H%M%SZ");
        let request =
            format!("-subj /CN={file} -addext subjectAltName={name} -keyout {file}.key -out {file}.csr");
        self.openssl(&format!("req -new {NEW_KEY} {request}"));
        let signed =
            format!("-in {file}.csr -out {file}.crt -notext -startdate {} -enddate {}", at(from), at(until));
        self.openssl(&format!("ca -batch -config ca.cnf -cert ca.pem -keyfile ca.key {signed}"));
        let read =
            |end: &str| fs::read_to_string(self.path(&format!("{file}.{end}"))).expect("openssl made it");
        let both = self.path(&format!("{file}.pem"));
        fs::write(&both, read("crt") + &read("key")).expect("our own directory");
        both
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    #[track_caller]
    fn openssl(&self, arguments: &str) {
        needs("openssl", "openssl");
        let mut command = Command::new("openssl");
        command.args(arguments.split(' ')).current_dir(self.directory.path()).stdin(Stdio::null());
        let output = command.output().expect("the program openssl is installed");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {said}");
    }
}

/// A server that shakes hands, and knows nothing else.
pub struct TlsServer {
    port: u16,
    process: Child,
}

impl TlsServer {
    /// Listens on a port of its own with this certificate.
    #[must_use]
    #[track_caller]
    pub fn start(certificate: &Path) -> Self {
        Self::on(ports::free(), certificate)
    }

    /// Listens on this port with this certificate.
    #[must_use]
    #[track_caller]
    pub fn on(port: u16, certificate: &Path) -> Self {
        let mut command = Command::new("openssl");
        command
            .args(["s_server", "-quiet", "-accept", &format!("127.0.0.1:{port}"), "-cert"])
            .arg(certificate);
        command.arg("-key").arg(certificate);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("the program openssl is installed");
        eventually(PATIENCE, "a TLS server", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        Self { port, process }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
