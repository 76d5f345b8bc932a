//! A TCP proxy on 127.0.0.1 that misbehaves on command, for connections that are open and for those to come.
//!
//! - No byte is changed, reordered or made up; what arrives is a prefix of what was sent.
//! - A stalled proxy holds what it has read and delivers it afterwards, as a network that lost packets does.
//! - A switch has taken effect when its method returns: [`Proxy::refuse`] leaves a closed port behind.

mod connection;
mod plan;
mod rules;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::plan::Plan;
use self::rules::Rules;
pub use self::rules::{Counters, Ending};
use super::ports;
use super::runtime::{spawn, wait_for};
use super::wait::PATIENCE;

/// A proxy from a port of its own to a port on 127.0.0.1. Starts open and healthy.
pub struct Proxy {
    port: u16,
    target: u16,
    shared: Arc<rules::Shared>,
    listener: Mutex<Option<JoinHandle<()>>>,
}

impl Proxy {
    /// A proxy to `target`, which needn't listen yet: until it does, connections are accepted and reset.
    #[track_caller]
    pub fn start(target: u16) -> Self {
        let proxy = Self { port: ports::free(), target, shared: Arc::default(), listener: Mutex::default() };
        proxy.open();
        proxy
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A MongoDB connection string through this proxy.
    pub fn uri(&self) -> String {
        format!("mongodb://127.0.0.1:{}/?directConnection=true", self.port)
    }

    /// Everything is well: listens, delivers what was stalled, without delay or limit, cuts nothing.
    #[track_caller]
    pub fn open(&self) {
        self.shared.plan.clear();
        self.shared.rules.send_modify(Rules::heal);
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if listener.is_none() {
            let address = (Ipv4Addr::LOCALHOST, self.port);
            let socket = wait_for(PATIENCE, "listen", TcpListener::bind(address));
            let socket = socket.expect("the proxy's own port is free");
            *listener = Some(spawn(connection::accept(socket, self.target, Arc::clone(&self.shared))));
        }
    }

    /// Closes the port: new connections are refused. Open ones stay.
    #[track_caller]
    pub fn refuse(&self) {
        let task = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
            // An aborted task ends with an error that says so; what matters is that it has ended.
            let _ = wait_for(PATIENCE, "close the port", task);
        }
    }

    /// Resets all open connections (RST, both ways). New ones are welcome unless refused.
    pub fn cut_all(&self) {
        self.shared.rules.send_modify(|rules| rules.end_all(Ending::Reset));
    }

    /// Closes all open connections in good order (FIN, both ways).
    pub fn close_all(&self) {
        self.shared.rules.send_modify(|rules| rules.end_all(Ending::Close));
    }

    /// Delivers nothing more in either direction, while connections stay open and new ones are accepted.
    pub fn stall(&self) {
        self.shared.rules.send_modify(|rules| rules.stalled = true);
    }

    /// Delivers everything this much later, each way.
    pub fn delay(&self, delay: Duration) {
        self.shared.rules.send_modify(|rules| rules.delay = delay);
    }

    /// Delivers at most so many bytes a second, per connection and direction.
    #[track_caller]
    pub fn rate(&self, bytes_per_second: u32) {
        assert_ne!(bytes_per_second, 0, "a rate of nothing is a stall");
        self.shared.rules.send_modify(|rules| rules.rate = Some(bytes_per_second));
    }

    /// Delivers at most so many bytes a second each way, over all connections together: a line that they share.
    #[track_caller]
    pub fn narrow(&self, bytes_per_second: u32) {
        assert_ne!(bytes_per_second, 0, "a line that carries nothing is a stall");
        self.shared.rules.send_modify(|rules| rules.narrow = Some(bytes_per_second));
    }

    /// Loses one in so many portions, of which there are twenty a second on a narrow line: it comes later, and all that
    /// is behind it.
    #[track_caller]
    pub fn lose_one_in(&self, portions: u32) {
        assert_ne!(portions, 0, "not even one portion");
        self.shared.rules.send_modify(|rules| rules.loses = Some(portions));
    }

    /// Once: passes the next `bytes` bytes of reply, whoever they are for, and resets the connection that gets
    /// the one after them.
    pub fn cut_reply_after(&self, bytes: u64) {
        self.shared.plan.set(Plan::any(bytes));
    }

    /// Once: lets the next request with this MongoDB command (`insert`, `find`, ...) through whole, passes the
    /// first `bytes` bytes of its reply, and resets the connection.
    pub fn cut_reply_of(&self, command: &str, bytes: u64) {
        self.shared.plan.set(Plan::command(command, bytes));
    }

    /// What went through so far.
    pub fn counters(&self) -> Counters {
        self.shared.counted()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.refuse();
        self.cut_all();
    }
}
