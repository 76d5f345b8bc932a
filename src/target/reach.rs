//! Whether anything listens where the connection string points: names are resolved and ports tried, all at once.

use std::net::SocketAddr;

use mongodb::options::ServerAddress;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::failure::of_io;
use super::resolve::{dns, resolve};
use crate::report::{Failure, Reason};

/// MongoDB's port if the connection string names none.
const DEFAULT_PORT: u16 = 27_017;

/// The first address that accepts a connection; `None` for a socket in the file system, which needs no network.
///
/// # Errors
/// Why the first of the hosts can't be reached, if none can.
pub(super) async fn any(hosts: &[ServerAddress], end: Instant) -> Result<Option<SocketAddr>, Failure> {
    let mut tries = JoinSet::new();
    for (place, host) in hosts.iter().enumerate() {
        let ServerAddress::Tcp { host, port } = host else { return Ok(None) };
        let (host, port) = (host.clone(), port.unwrap_or(DEFAULT_PORT));
        tries.spawn(async move { (place, one(&host, port, end).await) });
    }
    match first_success(tries).await {
        Ok(address) => Ok(Some(address)),
        Err(failure) => {
            Err(failure
                .unwrap_or_else(|| Failure::new(Reason::Options, "the connection string names no host")))
        }
    }
}

async fn one(host: &str, port: u16, end: Instant) -> Result<SocketAddr, Failure> {
    let resolved = timeout_at(end, resolve(host, port)).await;
    let addresses = resolved.map_err(|_| dns("the DNS servers don't answer"))??;
    let mut tries = JoinSet::new();
    // All at once: an address that drops packets must not keep the next one from being tried.
    for (place, address) in addresses.into_iter().enumerate() {
        tries.spawn(async move { (place, port_of(address, end).await) });
    }
    first_success(tries).await.map_err(|failure| failure.unwrap_or_else(|| dns("the host has no address")))
}

async fn port_of(address: SocketAddr, end: Instant) -> Result<SocketAddr, Failure> {
    match timeout_at(end, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(address),
        Ok(Err(error)) => Err(of_io(&error)),
        Err(_) => Err(Failure::new(Reason::Timeout, "no answer to the attempt to connect: packets get lost")),
    }
}

/// The first success; else the failure of what comes first in order, if there is any.
async fn first_success<T: 'static>(
    mut tries: JoinSet<(usize, Result<T, Failure>)>,
) -> Result<T, Option<Failure>> {
    let mut first: Option<(usize, Failure)> = None;
    while let Some(tried) = tries.join_next().await {
        match tried {
            Ok((_, Ok(success))) => return Ok(success),
            Ok((place, Err(failure))) if first.as_ref().is_none_or(|(before, _)| place < *before) => {
                first = Some((place, failure));
            }
            Ok(_) | Err(_) => {}
        }
    }
    Err(first.map(|(_, failure)| failure))
}
