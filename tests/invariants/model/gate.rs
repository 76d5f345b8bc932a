//! The way to MongoDB, with a trap for one write command: before it is sent on, or before its reply is.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::runtime::{spawn, wait_for};
use crate::support::wait::PATIENCE;

/// Where the name of the command stands in an `OP_MSG`: behind the header, the flags, the section's kind, the
/// document's length and the type of its first element.
const COMMAND_OFFSET: usize = 26;

/// The commands that write.
const WRITES: [&[u8]; 2] = [b"insert\0", b"update\0"];

/// Where a trap is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Request,
    Reply,
}

/// A proxy to one port of 127.0.0.1.
pub(super) struct Gate {
    port: u16,
    shared: Arc<Shared>,
    listener: JoinHandle<()>,
}

struct Shared {
    trap: Mutex<Option<(Place, u8)>>,
    state: watch::Sender<State>,
    /// Write commands that were sent on and not answered.
    outstanding: watch::Sender<usize>,
}

#[derive(Clone, Copy, Default)]
struct State {
    /// Connections of before are cut.
    epoch: u32,
    /// Whether something is in the trap.
    caught: bool,
    /// Whether what is in the trap is sent once more than it was meant to be.
    echo: bool,
}

impl Gate {
    pub(super) fn open(target: u16) -> Self {
        let bound = wait_for(PATIENCE, "listen", TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listener = bound.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared {
            trap: Mutex::default(),
            state: watch::Sender::default(),
            outstanding: watch::Sender::default(),
        });
        let accepting = Arc::clone(&shared);
        let listener = spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&accepting);
                spawn(async move { carry(client, target, &shared).await });
            }
        });
        Self { port, shared, listener }
    }

    pub(super) fn uri(&self) -> String {
        format!("mongodb://127.0.0.1:{}/?directConnection=true", self.port)
    }

    /// Sets a trap for the write command of this number from now on, counted from 0.
    pub(super) fn set_trap(&self, place: Place, number: u8) {
        *self.shared.trap.lock().unwrap_or_else(PoisonError::into_inner) = Some((place, number));
    }

    /// Takes the trap away. What is in it goes on.
    pub(super) fn release(&self) {
        *self.shared.trap.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.shared.state.send_modify(|state| state.caught = false);
    }

    /// As [`Gate::release`]; the request in the trap is sent on another connection first, as if it had been on its way
    /// for longer.
    pub(super) fn release_with_echo(&self) {
        self.shared.state.send_modify(|state| state.echo = true);
        self.release();
    }

    /// Cuts all connections; what is in the trap is lost. What was sent on before is carried out by then: whoever looks
    /// afterwards sees all of it.
    pub(super) fn cut(&self) {
        self.close();
        let mut outstanding = self.shared.outstanding.subscribe();
        wait_for(PATIENCE, "answers to what was sent", async move {
            // The gate outlives whoever waits at it.
            let _gone = outstanding.wait_for(|outstanding| *outstanding == 0).await;
        });
    }

    fn close(&self) {
        *self.shared.trap.lock().unwrap_or_else(PoisonError::into_inner) = None;
        // Both at once: what is held must not slip through.
        self.shared.state.send_modify(|state| *state = State { epoch: state.epoch + 1, ..State::default() });
    }

    /// Waits until something is in the trap.
    pub(super) fn caught(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut state = self.shared.state.subscribe();
        async move {
            // The gate outlives whoever waits at it.
            let _gone = state.wait_for(|state| state.caught).await;
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.listener.abort();
        self.close();
    }
}

async fn carry(client: TcpStream, target: u16, shared: &Shared) {
    let mut state = shared.state.subscribe();
    let born = state.borrow().epoch;
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else { return };
    let mut owes = false;
    tokio::select! {
        _ = state.wait_for(|state| state.epoch != born) => {}
        _ = pump(client, &mut server, target, shared, born, &mut owes) => {}
    }
    if owes {
        // An error is an answer, too: the server is gone.
        let _answer = server.read(&mut [0; 1024]).await;
        shared.outstanding.send_modify(|outstanding| *outstanding -= 1);
    }
}

/// One connection: requests and replies take turns.
/// `owes` tells whether the server has yet to answer a write.
async fn pump(
    mut client: TcpStream,
    server: &mut TcpStream,
    target: u16,
    shared: &Shared,
    born: u32,
    owes: &mut bool,
) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut requests, mut replies) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut trapped = None;
    loop {
        tokio::select! {
            length = client.read(&mut requests) => {
                let length = length?;
                if length == 0 {
                    return Ok(());
                }
                trapped = shared.is_for_trap(&requests[..length]);
                if trapped == Some(Place::Request) {
                    shared.hold(born).await?;
                    if shared.takes_echo() {
                        echo(target, &requests[..length]).await?;
                    }
                }
                if is_write(&requests[..length]) && !std::mem::replace(owes, true) {
                    shared.outstanding.send_modify(|outstanding| *outstanding += 1);
                    // Whoever cuts has counted it, or it isn't sent on.
                    if shared.state.borrow().epoch != born {
                        *owes = false;
                        shared.outstanding.send_modify(|outstanding| *outstanding -= 1);
                        return Ok(());
                    }
                }
                server.write_all(&requests[..length]).await?;
            }
            length = server.read(&mut replies) => {
                let length = length?;
                if std::mem::take(owes) {
                    shared.outstanding.send_modify(|outstanding| *outstanding -= 1);
                }
                if length == 0 {
                    return Ok(());
                }
                if trapped.take() == Some(Place::Reply) {
                    shared.hold(born).await?;
                }
                client.write_all(&replies[..length]).await?;
            }
        }
    }
}

fn is_write(request: &[u8]) -> bool {
    request.get(COMMAND_OFFSET..).is_some_and(|name| WRITES.iter().any(|write| name.starts_with(write)))
}

/// Sends a request on a connection of its own and waits for its reply.
async fn echo(target: u16, request: &[u8]) -> std::io::Result<()> {
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await?;
    server.write_all(request).await?;
    // Its first bytes come when the command was carried out.
    server.read(&mut [0; 1024]).await.map(drop)
}

impl Shared {
    fn takes_echo(&self) -> bool {
        let mut echo = false;
        self.state.send_modify(|state| echo = std::mem::take(&mut state.echo));
        echo
    }

    fn is_for_trap(&self, request: &[u8]) -> Option<Place> {
        if !is_write(request) {
            return None;
        }
        let mut trap = self.trap.lock().unwrap_or_else(PoisonError::into_inner);
        match trap.as_mut() {
            Some((_, number)) if *number > 0 => {
                *number -= 1;
                None
            }
            Some(_) => trap.take().map(|(place, _)| place),
            None => None,
        }
    }

    /// Holds until it is released; an error if the connection is cut instead.
    async fn hold(&self, born: u32) -> std::io::Result<()> {
        let mut state = self.state.subscribe();
        self.state.send_modify(|state| state.caught = true);
        match state.wait_for(|state| !state.caught || state.epoch != born).await {
            Ok(state) if state.epoch == born => Ok(()),
            _ => Err(std::io::ErrorKind::ConnectionReset.into()),
        }
    }
}
