//! Jumps of the wall clock: somebody set it, the time came over the network at last, or the host woke from sleep.
//! Certificates may be valid now, and timers of the monotonic clock have slept along.
//!
//! The kernel tells by a timer that is set to a day far away and is cancelled by any jump, so that nothing compares
//! clocks.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use super::awaited;

/// When the timer would ring, in the year 2255: almost the last time that the kernel can tell in nanoseconds.
const NEVER: Timespec = Timespec { tv_sec: 9_000_000_000, tv_nsec: 0 };

/// How often in a row the clock may jump while the timer is set.
const TRIES: usize = 3;

/// The kernel's news of the wall clock.
#[derive(Debug)]
pub(in crate::supervisor) struct Clock {
    timer: Option<AsyncFd<OwnedFd>>,
}

impl Clock {
    /// Begins to listen. To be called inside of the runtime.
    pub(in crate::supervisor) fn listen() -> Self {
        let timer = open();
        if let Err(error) = &timer {
            tracing::info!(event = "clock_hints_unavailable", %error, "The kernel doesn't tell of jumps of the clock");
        }
        Self { timer: timer.ok() }
    }

    /// Waits until the clock jumps, or has jumped since the last time. For ever if the kernel doesn't tell.
    /// Nothing is lost if the future is dropped.
    pub(in crate::supervisor) async fn jumped(&mut self) {
        while let Some(timer) = &self.timer {
            let Ok(mut guard) = timer.readable().await else { break };
            match guard.try_io(|timer| ask(timer.get_ref())) {
                Ok(Ok(())) => return,
                // A clock beyond its own range rings for ever: listening to it would be a hot loop.
                Ok(Err(_)) => self.timer = None,
                Err(_would_block) => {}
            }
        }
        std::future::pending().await
    }
}

fn open() -> io::Result<AsyncFd<OwnedFd>> {
    let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
    set(&timer)?;
    awaited(timer)
}

/// Whether the timer was cancelled; if so, it is set again.
fn ask(timer: impl AsFd) -> io::Result<()> {
    match rustix::io::read(&timer, &mut [0; 8]) {
        Err(Errno::CANCELED) => set(&timer),
        Err(error) => Err(error.into()),
        Ok(_) => Err(io::Error::other("the timer rang")),
    }
}

fn set(timer: impl AsFd) -> io::Result<()> {
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
    let never = Itimerspec { it_interval: zero, it_value: NEVER };
    let mut result = Err(Errno::CANCELED);
    for _ in 0..TRIES {
        result = timerfd_settime(&timer, flags, &never);
        if result.as_ref().err() != Some(&Errno::CANCELED) {
            break;
        }
    }
    // Cancelled all the same: then it is set, and the next read tells of the jump.
    match result {
        Ok(_) | Err(Errno::CANCELED) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
