//! Asks the daemon that runs on this host, over HTTP: by `http.socket` if there is one, else at `http.listen`.
//!
//! What holds: each question has a deadline; an answer that isn't the daemon's is an error, never taken for one; the token
//! is shown to nobody but whoever listens there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::config::{self, Secret};

/// For an answer. The daemon's own limits are shorter, but for what takes its time.
const DEADLINE: Duration = Duration::from_secs(15);

/// More than the longest answer: a page of records.
const LONGEST: usize = 16 * 1024 * 1024;

/// The daemon gave no answer that could be used.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// Nothing was heard from it.
    #[error("a daemon works with this state directory, but doesn't answer at {place}: {why}")]
    Silent {
        /// Where it was asked.
        place: String,
        /// What was seen.
        why: String,
    },
    /// The port speaks TLS, and there is no socket.
    #[error(
        "a daemon works with this state directory and speaks TLS at http.listen: set http.socket, where commands can ask it"
    )]
    Tls,
    /// What answers there speaks another language.
    #[error("what answers at {0} isn't the daemon")]
    Foreign(String),
    /// It refused.
    #[error("the daemon: {message}: {error}")]
    Refused {
        /// The status of HTTP.
        status: u16,
        /// What was refused.
        message: String,
        /// Why.
        error: String,
    },
}

/// The daemon, as the commands see it.
pub(super) struct Daemon {
    runtime: Runtime,
    way: Way,
    token: Option<Secret>,
}

enum Way {
    Socket(PathBuf),
    Port(SocketAddr),
    Tls,
}

#[derive(Deserialize)]
struct Envelope {
    success: bool,
    message: String,
    data: Value,
    error: Option<String>,
}

impl Daemon {
    /// The daemon of this configuration.
    pub(super) fn of(http: &config::Http) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let way = match (&http.socket, &http.tls) {
            (Some(socket), _) => Way::Socket(socket.clone()),
            (None, Some(_)) => Way::Tls,
            (None, None) => Way::Port(reachable(http.listen)),
        };
        Ok(Self { runtime, way, token: http.token.clone() })
    }

    /// The data that a GET answers.
    pub(super) fn get(&self, path: &str) -> Result<Value, Unanswered> {
        self.ask(Method::GET, path, DEADLINE)
    }

    /// The data that a POST answers.
    pub(super) fn post(&self, path: &str, deadline: Duration) -> Result<Value, Unanswered> {
        self.ask(Method::POST, path, deadline)
    }

    /// The same, for what the daemon answers at once.
    pub(super) fn tell(&self, path: &str) -> Result<Value, Unanswered> {
        self.post(path, DEADLINE)
    }

    fn ask(&self, method: Method, path: &str, deadline: Duration) -> Result<Value, Unanswered> {
        let silent = |why: String| Unanswered::Silent { place: self.place(), why };
        let exchange = async {
            match &self.way {
                Way::Socket(socket) => self.exchange(UnixStream::connect(socket).await, method, path).await,
                Way::Port(address) => self.exchange(TcpStream::connect(address).await, method, path).await,
                Way::Tls => Err(Unanswered::Tls),
            }
        };
        let answered = self.runtime.block_on(async { timeout(deadline, exchange).await });
        let (status, bytes) = answered.map_err(|_| silent(format!("no answer within {deadline:?}")))??;
        let envelope: Envelope =
            serde_json::from_slice(&bytes).map_err(|_| Unanswered::Foreign(self.place()))?;
        if envelope.success {
            return Ok(envelope.data);
        }
        Err(Unanswered::Refused {
            status: status.as_u16(),
            message: envelope.message,
            error: envelope.error.unwrap_or_default(),
        })
    }

    async fn exchange<S>(
        &self,
        stream: std::io::Result<S>,
        method: Method,
        path: &str,
    ) -> Result<(StatusCode, Vec<u8>), Unanswered>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let silent = |why: String| Unanswered::Silent { place: self.place(), why };
        let broken = |error: hyper::Error| silent(error.to_string());
        let stream = stream.map_err(|error| silent(error.to_string()))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // Ends with the answer, or is dropped with the runtime.
        drop(tokio::spawn(connection));
        // A loopback name: the daemon lets nobody in who comes by another one.
        let mut request = Request::builder().method(method).uri(path).header(HOST, "localhost");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        let request =
            request.body(Body::empty()).map_err(|_| silent("the request can't be made".to_owned()))?;
        let answer = sender.send_request(request).await.map_err(broken)?;
        let status = answer.status();
        let bytes = to_bytes(Body::new(answer.into_body()), LONGEST).await;
        Ok((status, bytes.map_err(|_| silent("the answer broke off".to_owned()))?.to_vec()))
    }

    fn place(&self) -> String {
        match &self.way {
            Way::Socket(socket) => format!("http.socket = {}", socket.display()),
            Way::Port(address) => format!("http.listen = {address}"),
            Way::Tls => "http.listen".to_owned(),
        }
    }
}

/// An address at which something listens that listens everywhere.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_on_this_host() {
        for (listen, asked) in [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("192.0.2.7:80", "192.0.2.7:80"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()), asked.parse().unwrap(), "{listen}");
        }
    }
}
