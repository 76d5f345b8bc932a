//! Signals that were heard and not fetched yet: at most one of each kind.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use super::Signal;

/// In the order in which they are fetched.
const KINDS: [Signal; 3] = [Signal::Stop, Signal::Reload, Signal::Wake];

#[derive(Debug, Default)]
pub(super) struct Waiting {
    heard: [AtomicBool; KINDS.len()],
    changed: Notify,
}

impl Waiting {
    pub(super) fn put(&self, signal: Signal) {
        for (heard, kind) in self.heard.iter().zip(KINDS) {
            if kind == signal {
                heard.store(true, Ordering::Release);
            }
        }
        // Keeps a permit if nobody waits at this moment.
        self.changed.notify_one();
    }

    pub(super) async fn next(&self) -> Signal {
        loop {
            if let Some(signal) = self.take() {
                return signal;
            }
            self.changed.notified().await;
        }
    }

    fn take(&self) -> Option<Signal> {
        let waiting = self.heard.iter().zip(KINDS);
        waiting.into_iter().find(|(heard, _)| heard.swap(false, Ordering::Acquire)).map(|(_, kind)| kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_goes_first_and_one_of_each_kind_is_kept() {
        let waiting = Waiting::default();
        for signal in [Signal::Wake, Signal::Reload, Signal::Wake, Signal::Stop] {
            waiting.put(signal);
        }
        assert_eq!(waiting.next().await, Signal::Stop);
        assert_eq!(waiting.next().await, Signal::Reload);
        assert_eq!(waiting.next().await, Signal::Wake);
        assert_eq!(waiting.take(), None);
    }

    #[tokio::test]
    async fn a_signal_wakes_whoever_waits_for_it() {
        let waiting = Waiting::default();
        let (signal, ()) = tokio::join!(waiting.next(), async { waiting.put(Signal::Wake) });
        assert_eq!(signal, Signal::Wake);
    }
}
