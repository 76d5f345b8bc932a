//! TLS for the HTTP server.
//!
//! What holds: certificate and key are looked at again while connections come in, at most once a second, so that new
//! ones count within a second; ones that can't be used change nothing. Until there is a pair that can be used there are
//! no connections: nothing is ever served in the clear instead. A change for the worse is told once, and so is its end.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::{TlsFiles, read_file};

/// How long a look at the files is good for.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// A disk that doesn't answer holds no connection up for longer: the pair that is known counts.
const LOOK_LIMIT: Duration = Duration::from_millis(500);

/// Certificate and key.
#[derive(Debug)]
pub(super) struct Tls {
    files: TlsFiles,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    config: Option<Arc<ServerConfig>>,
    /// The files' contents that `config` was made of.
    made_of: Option<(String, String)>,
    problem: Option<Problem>,
    looked_at: Option<Instant>,
    /// Somebody is looking: on a disk that hangs, one thread waits and no more.
    looking: bool,
}

/// Why a pair can't be used. Never quotes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("{0} can't be read: {1}")]
    Unreadable(&'static str, io::ErrorKind),
    #[error("http.tls_certificate_file holds no certificate in PEM")]
    NoCertificate,
    #[error("http.tls_key_file holds no key in PEM")]
    NoKey,
    #[error("certificate and key don't go together, or are of a kind that isn't known")]
    NoPair,
}

impl Tls {
    /// Reads the files for the first time.
    pub(super) fn new(files: TlsFiles) -> Self {
        let known = Arc::new(Mutex::new(Known::default()));
        look(&files, &known);
        Self { files, known }
    }

    /// Shakes hands.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.look().await;
        let config = lock(&self.known).config.clone();
        let config = config.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no certificate yet"))?;
        TlsAcceptor::from(config).accept(stream).await
    }

    async fn look(&self) {
        {
            let mut known = lock(&self.known);
            let is_fresh = known.looked_at.is_some_and(|looked_at| looked_at.elapsed() < LOOK_INTERVAL);
            if known.looking || is_fresh {
                return;
            }
            known.looking = true;
        }
        let (files, known) = (self.files.clone(), Arc::clone(&self.known));
        let look = tokio::task::spawn_blocking(move || look(&files, &known));
        let _known_or_too_slow = tokio::time::timeout(LOOK_LIMIT, look).await;
    }
}

fn look(files: &TlsFiles, known: &Mutex<Known>) {
    let read = |key, path: &Path| read_file(path).map_err(|error| Problem::Unreadable(key, error.kind()));
    let contents = read("http.tls_certificate_file", &files.certificate)
        .and_then(|certificate| Ok((certificate, read("http.tls_key_file", &files.key)?)));
    let mut known = lock(known);
    (known.looked_at, known.looking) = (Some(Instant::now()), false);
    let contents = match contents {
        Ok(contents) if known.made_of.as_ref() == Some(&contents) => return known.is_well(),
        other => other,
    };
    match contents.and_then(|contents| Ok((server(&contents.0, &contents.1)?, contents))) {
        Ok((config, contents)) => {
            (known.config, known.made_of) = (Some(Arc::new(config)), Some(contents));
            tracing::info!(event = "http_certificate_loaded", "Loaded the HTTP server's certificate");
            known.problem = None;
        }
        Err(problem) => known.is_ill(problem),
    }
}

impl Known {
    fn is_well(&mut self) {
        if self.problem.take().is_some() {
            tracing::info!(
                event = "http_certificate_loaded",
                "The HTTP server's certificate can be read again"
            );
        }
    }

    fn is_ill(&mut self, problem: Problem) {
        if self.problem.as_ref() != Some(&problem) {
            let served = self.config.is_some();
            tracing::warn!(
                event = "http_certificate_unavailable",
                %problem,
                served,
                "The HTTP server's certificate can't be used; the last one is served if there was one"
            );
            self.problem = Some(problem);
        }
    }
}

fn server(certificate: &str, key: &str) -> Result<ServerConfig, Problem> {
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or(Problem::NoCertificate)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| Problem::NoKey)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|_| Problem::NoPair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
