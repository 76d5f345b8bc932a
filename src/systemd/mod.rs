//! What the service manager is told.
//!
//! - Telling never waits and never fails the daemon: what can't be sent is counted, and the daemon works as well
//!   without a service manager.
//! - The environment is read once, by [`Notifier::from_env`], and never changed.
//! - The watchdog is fed by whoever does the work, by [`Notifier::watchdog`]: there is no timer here that would go on
//!   feeding it for a daemon that hangs.
//!
//! The messages and the watchdog's rules are those of `sd-notify`; the socket is our own, because that crate's send
//! waits for as long as the service manager doesn't read, and knows no abstract addresses.

mod address;

use std::ffi::OsStr;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;

/// More than `systemctl status` can show in a line.
const MAX_STATUS_BYTES: usize = 1024;

/// The way to the service manager, if there is one.
#[derive(Debug, Default)]
pub struct Notifier {
    manager: Option<Manager>,
    watchdog_interval: Option<Duration>,
    failed: AtomicU64,
}

#[derive(Debug)]
struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Notifier {
    /// Finds the service manager by `NOTIFY_SOCKET`, and whether it wants to be fed by `WATCHDOG_USEC`.
    #[must_use]
    pub fn from_env() -> Self {
        Self {
            watchdog_interval: sd_notify::watchdog_enabled().map(interval),
            ..Self::at(std::env::var_os("NOTIFY_SOCKET").as_deref())
        }
    }

    /// Notifies the socket of that name, if there is one: a path, or `@` and an abstract name.
    fn at(name: Option<&OsStr>) -> Self {
        let Some(name) = name.filter(|name| !name.is_empty()) else { return Self::default() };
        let notifier = Self::default();
        match Manager::at(name) {
            Ok(manager) => Self { manager: Some(manager), ..notifier },
            Err(_) => {
                notifier.failed.fetch_add(1, Ordering::Relaxed);
                notifier
            }
        }
    }

    /// The start is over: units that wait for this one may go on.
    pub fn ready(&self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// The configuration is being read again; [`Notifier::ready`] tells that this is over.
    pub fn reloading(&self) {
        // With the time, by which a manager that asked for it knows that this isn't an older message.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(_) => self.tell(&[NotifyState::Reloading]),
        }
    }

    /// What the daemon is doing, in one line, for `systemctl status`. Must hold no secret and no personal data.
    pub fn status(&self, text: &str) {
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let end = (0..=MAX_STATUS_BYTES.min(line.len())).rev().find(|end| line.is_char_boundary(*end));
        self.tell(&[NotifyState::Status(&line[..end.unwrap_or(0)])]);
    }

    /// The daemon has begun to stop.
    pub fn stopping(&self) {
        self.tell(&[NotifyState::Stopping]);
    }

    /// The loop that does the work is alive.
    pub fn watchdog(&self) {
        if self.watchdog_interval.is_some() {
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    /// How often [`Notifier::watchdog`] is to be called: a quarter of the time after which the service manager would
    /// kill us, so that three may get lost. `None` if nobody watches.
    #[must_use]
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog_interval
    }

    /// How many messages could not be sent.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        let Some(manager) = &self.manager else { return };
        let message: String = states.iter().map(|state| format!("{state}\n")).collect();
        if manager.socket.send_to_addr(message.as_bytes(), &manager.address).is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Manager {
    fn at(name: &OsStr) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, address: address::parse(name)? })
    }
}

/// A quarter, but never so short that feeding becomes work of its own.
fn interval(watchdog: Duration) -> Duration {
    (watchdog / 4).max(Duration::from_millis(1))
}

#[cfg(test)]
mod tests;
