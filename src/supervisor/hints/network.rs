//! Changes of this host's links, addresses and routes, from the kernel's netlink multicast groups. No privilege is
//! needed to hear them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

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

/// Messages thrown away in one look. More of them are met after the quiet time.
const AT_ONCE: usize = 4096;

/// The kernel's news of the network.
#[derive(Debug)]
pub(in crate::supervisor) struct Network {
    socket: Option<AsyncFd<OwnedFd>>,
    quiet_until: Option<Instant>,
}

impl Network {
    /// Begins to listen. To be called inside of the runtime.
    pub(in crate::supervisor) fn listen() -> Self {
        Self::on(open())
    }

    pub(super) fn on(socket: io::Result<AsyncFd<OwnedFd>>) -> Self {
        let socket = socket.inspect_err(unavailable).ok();
        Self { socket, quiet_until: None }
    }

    /// Waits until something changes, or has changed since the last time. For ever if the kernel doesn't tell.
    /// Nothing is lost if the future is dropped.
    pub(in crate::supervisor) async fn changed(&mut self) {
        if let Some(until) = self.quiet_until.take_if(|until| *until > Instant::now()) {
            self.quiet_until = Some(until);
            sleep_until(until).await;
        }
        let Some(socket) = &self.socket else { return std::future::pending().await };
        let failed = loop {
            let mut guard = match socket.readable().await {
                Ok(guard) => guard,
                Err(error) => break error,
            };
            match guard.try_io(|socket| throw_away(socket.get_ref())) {
                Ok(Ok(())) => {
                    self.quiet_until = Some(Instant::now() + QUIET);
                    return;
                }
                Ok(Err(error)) => break error,
                // Somebody woke us for nothing.
                Err(_would_block) => {}
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

/// Takes off what waits. "Would block" if nothing did.
fn throw_away(socket: impl AsFd) -> io::Result<()> {
    let mut came = false;
    for _ in 0..AT_ONCE {
        match recv(&socket, &mut [0; BUFFER], RecvFlags::empty()) {
            // The kernel had more to tell than the socket holds: news all the same.
            Ok(_) | Err(Errno::NOBUFS) => came = true,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if came => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn unavailable(error: &io::Error) {
    tracing::info!(
        event = "network_hints_unavailable",
        %error,
        "The kernel doesn't tell of changes of the network: MongoDB is probed by the schedule alone"
    );
}
