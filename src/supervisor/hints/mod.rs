//! What the kernel tells that suggests that a probe could succeed now.
//!
//! What holds: a hint proves nothing, and whoever gets one probes; nothing is polled, so that a quiet host costs no
//! wake-up; a burst of news costs one look per [`QUIET`]; what the kernel doesn't offer or permit is said once, and the
//! schedule of the probes works without it.

mod clock;
mod network;

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

pub(super) use clock::Clock;
pub(super) use network::Network;

/// After news, the next is looked at no sooner.
const QUIET: Duration = Duration::from_millis(250);

/// A descriptor that is waited for until something can be read.
fn awaited(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    #[expect(
        deprecated,
        reason = "its successor is unsafe to call; an OwnedFd stays open for as long as it is owned"
    )]
    AsyncFd::with_interest(descriptor, Interest::READABLE)
}

#[cfg(test)]
mod tests;
