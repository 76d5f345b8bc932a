//! Signals, as the rest of the daemon hears of them.
//!
//! | signal | first time | again |
//! |---|---|---|
//! | SIGTERM, SIGINT | [`Signal::Stop`] | exit at once, with 128 + number: 143, 130 |
//! | SIGHUP | [`Signal::Reload`] | the same |
//! | SIGUSR1 | [`Signal::Wake`] | the same |
//!
//! - A second request to stop ends the process even if everything else hangs: the thread that hears of signals does it
//!   itself, and needs nothing of the runtime.
//! - A stop is never lost, however many other signals wait: it has a place of its own.
//! - Signals that nobody fetches take no memory: of those of one kind that wait, one is kept.
//! - SIGPIPE stays ignored, as Rust programs have it.

mod waiting;

use std::io;
use std::mem;
use std::os::raw::c_int;
use std::sync::Arc;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::{Handle, Signals as Incoming};
use signal_hook::low_level;

use waiting::Waiting;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Stop at the next batch boundary.
    Stop,
    /// Read again what may have changed.
    Reload,
    /// Probe now.
    Wake,
}

/// The signals of this process. To be kept until the very end: once it is dropped, signals mean nothing any more, and a
/// second stop ends nothing.
#[derive(Debug)]
pub struct Signals {
    waiting: Arc<Waiting>,
    handle: Handle,
}

impl Signals {
    /// Takes over the signals of this process. To be called before anything that takes time, once.
    ///
    /// # Errors
    /// The operating system refuses handlers or the thread.
    pub fn register() -> io::Result<Self> {
        let mut incoming = Incoming::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1])?;
        let handle = incoming.handle();
        let waiting = Arc::new(Waiting::default());
        let sink = Arc::clone(&waiting);
        thread::Builder::new().name("signals".into()).spawn(move || {
            let mut is_stopping = false;
            for number in incoming.forever() {
                let signal = meaning(number);
                if signal == Signal::Stop && mem::replace(&mut is_stopping, true) {
                    // Not std's exit: what it would run first might be what hangs.
                    low_level::exit(128 + number);
                }
                sink.put(signal);
            }
        })?;
        Ok(Self { waiting, handle })
    }

    /// Waits for the next signal; a stop goes before all others. Nothing is lost if the future is dropped.
    pub async fn next(&self) -> Signal {
        self.waiting.next().await
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.handle.close();
    }
}

fn meaning(number: c_int) -> Signal {
    match number {
        SIGHUP => Signal::Reload,
        SIGUSR1 => Signal::Wake,
        _ => Signal::Stop,
    }
}

#[cfg(test)]
mod tests;
