//! Servers on 127.0.0.1 that aren't MongoDB.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use super::ports;
use super::runtime::{spawn, wait_for};
use super::wait::PATIENCE;

/// How a server treats whoever connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Accepts and says nothing.
    Silent,
    /// Leaves attempts to connect without any answer: its queue is full.
    Deaf,
    /// Reads a little and closes.
    Closes,
    /// Resets each connection.
    Resets,
    /// Answers `400 Bad Request` and closes.
    Http,
    /// Greets with a banner at once, and waits.
    Ssh,
}

/// Such a server, until it is dropped.
pub struct Talker {
    port: u16,
    task: JoinHandle<()>,
}

impl Talker {
    /// Listens on a port of its own.
    #[must_use]
    #[track_caller]
    pub fn start(manner: Manner) -> Self {
        Self::on(ports::free(), manner)
    }

    /// Listens on this port.
    #[must_use]
    #[track_caller]
    pub fn on(port: u16, manner: Manner) -> Self {
        let backlog = if manner == Manner::Deaf { 0 } else { 128 };
        let listener = wait_for(PATIENCE, "listen", async move {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
            socket.listen(backlog)
        });
        let listener = listener.expect("the port is free");
        let task = spawn(async move {
            if manner == Manner::Deaf {
                // One connection fills the queue; one more may be let in half.
                let fill = || TcpStream::connect((Ipv4Addr::LOCALHOST, port));
                let _filled = tokio::join!(fill(), fill(), fill());
                return std::future::pending().await;
            }
            serve(listener, manner).await;
        });
        Self { port, task }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, manner: Manner) {
    let mut kept = Vec::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        if manner == Manner::Silent {
            kept.push(stream);
            continue;
        }
        spawn(async move {
            let mut request = [0; 4096];
            match manner {
                Manner::Silent | Manner::Deaf => {}
                Manner::Resets => drop(stream.set_zero_linger()),
                Manner::Closes => drop(stream.read(&mut request).await),
                Manner::Http => {
                    drop(stream.read(&mut request).await);
                    let answer =
                        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                    drop(stream.write_all(answer).await);
                }
                Manner::Ssh => {
                    drop(stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await);
                    while stream.read(&mut request).await.is_ok_and(|length| length > 0) {}
                }
            }
        });
    }
}
