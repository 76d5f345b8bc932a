//! How a request came here, as its connection knows it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// A connection's two ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) peer: Peer,
    /// The address at which it arrived, which is one of this host.
    pub(super) local: Option<IpAddr>,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Somebody at this address.
    Address(SocketAddr),
    /// Nobody knows: the connection is gone already.
    Unknown,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}
