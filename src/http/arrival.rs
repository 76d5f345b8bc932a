//! How a request came here, as its connection knows it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::places::Place;

/// A connection.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) peer: Peer,
    /// The address at which it arrived, which is one of this host.
    pub(super) local: Option<IpAddr>,
    pub(super) place: Arc<Place>,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Somebody at this address.
    Address(SocketAddr),
    /// Somebody on this host who may open the socket.
    Socket,
    /// Nobody knows: the connection is gone already.
    Unknown,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Socket => f.write_str("socket"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}
