//! Waiting for a condition, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for something that should happen at once: long enough for a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The pause between two looks at a condition: short against anything a test measures.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until `probe` gives a value, and panics after `deadline`, saying `what` was waited for.
#[track_caller]
pub fn eventually<T>(deadline: Duration, what: &str, probe: impl FnMut() -> Option<T>) -> T {
    // No closure, which would be named as the panic's place instead of the test's own line.
    match poll(deadline, probe) {
        Some(value) => value,
        None => panic!("waited {deadline:?} in vain for {what}"),
    }
}

/// Looks until `probe` gives a value; `None` after `deadline`. Always looks at least twice.
pub fn poll<T>(deadline: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + deadline;
    loop {
        let last_look = Instant::now() >= end;
        if let Some(value) = probe() {
            return Some(value);
        }
        if last_look {
            return None;
        }
        // The only sleep of all tests: the pause of a loop that leaves as soon as its condition holds.
        thread::sleep(PAUSE);
    }
}
