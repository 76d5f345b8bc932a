//! Changes of this host's links, addresses and routes, from the kernel's netlink multicast groups. No privilege is
//! needed to hear them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep_until};

use super::{QUIET, awaited};

/// `RTMGRP_LINK`, `_IPV4_IFADDR`, `_IPV4_ROUTE`, `_IPV6_IFADDR`, `_IPV6_ROUTE` of the kernel's `linux/rtnetlink.h`.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

/// A message is cut to this. What it says doesn't matter, only that it came.
const BUFFER: usize = 64;

/// Addresses and routes follow the link that comes up: a probe before them would fail, and put the next one off.
const SETTLED: Duration = Duration::from_millis(100);

/// Messages thrown away in one look. More of them are met after the quiet time.
const AT_ONCE: usize = 4096;

/// The kernel's news of the network.
#[derive(Debug)]
pub(in crate::supervisor) struct Network {
    socket: Option<AsyncFd<OwnedFd>>,
    phase: Phase,
}

/// What is waited for. It outlives the future that waits.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Listening,
    /// News has come, and more of it may be on its way.
    Settling(Instant),
    /// News was told just now.
    Quiet(Instant),
}

impl Network {
    /// Begins to listen. To be called inside of the runtime.
    pub(in crate::supervisor) fn listen() -> Self {
        Self::on(open())
    }

    pub(super) fn on(socket: io::Result<AsyncFd<OwnedFd>>) -> Self {
        let socket = socket.inspect_err(unavailable).ok();
        Self { socket, phase: Phase::Listening }
    }

    /// Waits until something has changed since the last time. For ever if the kernel doesn't tell. Nothing is lost if
    /// the future is dropped.
    pub(in crate::supervisor) async fn changed(&mut self) {
        let failed = loop {
            let Some(socket) = &self.socket else { return std::future::pending().await };
            match self.phase {
                Phase::Listening => match socket.readable().await {
                    Ok(_left_as_it_is) => self.phase = Phase::Settling(Instant::now() + SETTLED),
                    Err(error) => break error,
                },
                Phase::Settling(until) => {
                    sleep_until(until).await;
                    let mut guard = match socket.readable().await {
                        Ok(guard) => guard,
                        Err(error) => break error,
                    };
                    match throw_away(socket.get_ref()) {
                        Ok(Waiting::Emptied) => guard.clear_ready(),
                        Ok(Waiting::More) => {}
                        Err(error) => break error,
                    }
                    self.phase = Phase::Quiet(Instant::now() + QUIET);
                    return;
                }
                Phase::Quiet(until) => {
                    sleep_until(until).await;
                    self.phase = Phase::Listening;
                }
            }
        };
        unavailable(&failed);
        self.socket = None;
        std::future::pending().await
    }
}

fn open() -> io::Result<AsyncFd<OwnedFd>> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    // No protocol: NETLINK_ROUTE is number 0.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
    awaited(socket)
}

/// What is left in the socket.
enum Waiting {
    Emptied,
    More,
}

/// Takes off what waits. That the kernel had more to tell than the socket holds is news like any other.
fn throw_away(socket: impl AsFd) -> io::Result<Waiting> {
    for _ in 0..AT_ONCE {
        match recv(&socket, &mut [0; BUFFER], RecvFlags::empty()) {
            Ok(_) | Err(Errno::NOBUFS | Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(Waiting::Emptied),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Waiting::More)
}

fn unavailable(error: &io::Error) {
    tracing::info!(
        event = "network_hints_unavailable",
        %error,
        "The kernel doesn't tell of changes of the network: MongoDB is probed by the schedule alone"
    );
}
