//! Host names → addresses, by the system's resolver.
//!
//! What holds: of each name at most one look-up is under way, whatever the number of probes. The system's call can't be
//! broken off, and with a DNS server that doesn't answer it takes many times longer than a probe: on the runtime's pool
//! of threads these calls would leave none for SQLite.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::watch;

use crate::report::{Failure, Reason};

/// More names than the connection strings of any real configuration hold.
const MAX_UNDER_WAY: usize = 32;

type Answer = Option<Result<Vec<IpAddr>, io::ErrorKind>>;

static UNDER_WAY: Mutex<BTreeMap<String, watch::Receiver<Answer>>> = Mutex::new(BTreeMap::new());

/// The addresses of a host.
///
/// # Errors
/// [`Reason::Dns`]. Doesn't end by itself in a time that suits a probe: bound it.
pub(super) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if let Ok(address) = literal {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let mut answer = look_up(host).map_err(|_| dns("this host has too little left to look the name up"))?;
    let answer = answer.wait_for(Option::is_some).await.map_err(|_| dns("the look-up broke off"))?;
    match answer.as_ref() {
        Some(Ok(addresses)) if !addresses.is_empty() => {
            Ok(addresses.iter().map(|&address| SocketAddr::new(address, port)).collect())
        }
        _ => Err(dns("the host name doesn't resolve")),
    }
}

/// A failure to resolve.
pub(super) fn dns(detail: &str) -> Failure {
    Failure::new(Reason::Dns, detail)
}

/// Joins the look-up that is under way, or begins one.
fn look_up(host: &str) -> io::Result<watch::Receiver<Answer>> {
    let mut under_way = under_way();
    if let Some(answer) = under_way.get(host) {
        return Ok(answer.clone());
    }
    if under_way.len() >= MAX_UNDER_WAY {
        return Err(io::ErrorKind::QuotaExceeded.into());
    }
    let (sender, receiver) = watch::channel(None);
    let name = host.to_owned();
    // A thread of its own, that nobody waits for: the process may end while the resolver is still trying.
    thread::Builder::new().name("resolve".to_owned()).spawn(move || {
        let found = (name.as_str(), 0).to_socket_addrs();
        let found =
            found.map(|found| found.map(|address| address.ip()).collect()).map_err(|error| error.kind());
        // Removed before it is told: whoever asks from now on gets an answer of his own time.
        self::under_way().remove(&name);
        sender.send_replace(Some(found));
    })?;
    under_way.insert(host.to_owned(), receiver.clone());
    Ok(receiver)
}

fn under_way() -> MutexGuard<'static, BTreeMap<String, watch::Receiver<Answer>>> {
    // Each change is one call of the map's own: a panic can't leave it half done.
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_needs_no_resolver() {
        for (host, expected) in [("127.0.0.1", "127.0.0.1:1"), ("::1", "[::1]:1"), ("[::1]", "[::1]:1")] {
            assert_eq!(resolve(host, 1).await.unwrap(), [expected.parse().unwrap()], "{host}");
        }
    }

    #[tokio::test]
    async fn what_is_looked_up_is_forgotten_afterwards() {
        assert!(!resolve("localhost", 1).await.unwrap().is_empty());
        assert!(!under_way().contains_key("localhost"));
    }
}
