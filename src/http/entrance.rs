//! Where connections come in: a port, with or without TLS, and a socket in the file system.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::socket::Socket;
use super::tls::Tls;
use crate::config::Http;

/// Where connections come in.
#[derive(Debug)]
pub struct Entrance {
    port: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<Tls>>,
    socket: Option<Socket>,
}

/// Why nothing can come in.
#[derive(Debug, thiserror::Error)]
pub enum EntranceError {
    /// The address can't be used.
    #[error("http.listen: can't listen on {address}: {source}")]
    Port {
        /// The configured address.
        address: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
    /// The socket can't be made.
    #[error("http.socket: can't listen on {}: {source}", path.display())]
    Socket {
        /// The configured path.
        path: PathBuf,
        /// What stands in the way.
        source: io::Error,
    },
}

/// A connection as it comes in.
#[derive(Debug)]
pub(super) enum Connection {
    Plain(TcpStream),
    Encrypted(TcpStream, Arc<Tls>),
    Local(UnixStream),
}

impl Entrance {
    /// Opens what is configured.
    ///
    /// # Errors
    /// The port or the socket can't be had. A certificate that can't be read is none: it is waited for.
    pub async fn open(config: &Http) -> Result<Self, EntranceError> {
        let port = |source| EntranceError::Port { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(port)?;
        let socket = |path: &PathBuf| {
            Socket::open(path).map_err(|source| EntranceError::Socket { path: path.clone(), source })
        };
        Ok(Self {
            address: listener.local_addr().map_err(port)?,
            port: listener,
            tls: config.tls.clone().map(|files| Arc::new(Tls::new(files))),
            socket: config.socket.as_ref().map(socket).transpose()?,
        })
    }

    /// A port without anything else.
    #[cfg(test)]
    pub(super) fn over(port: TcpListener) -> Self {
        let address = port.local_addr().expect("it is bound");
        Self { port, address, tls: None, socket: None }
    }

    /// Address and port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection.
    pub(super) async fn accept(&self) -> io::Result<Connection> {
        let local = async {
            match &self.socket {
                Some(socket) => socket.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = self.port.accept() => {
                let (stream, _) = accepted?;
                // Answers are small and written at once: nothing to gain from waiting for more.
                let _ = stream.set_nodelay(true);
                Ok(match &self.tls {
                    Some(tls) => Connection::Encrypted(stream, Arc::clone(tls)),
                    None => Connection::Plain(stream),
                })
            }
            accepted = local => accepted.map(Connection::Local),
        }
    }
}
