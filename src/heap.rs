//! The program's allocator, and how what is free goes back to the system.
//!
//! What holds: the program has one heap, for Rust and for the C in it; the library has none, so that whoever links it (the
//! tests, the benchmark) keeps their own. How it is set: [`mongo_uplink::footprint`].

use tikv_jemalloc_ctl::{Access as _, AsName as _};
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static HEAP: Jemalloc = Jemalloc;

/// After how many milliseconds what is free goes back. It is looked at only while somebody allocates: what an export has left
/// would stay for as long as nobody does. Of the first heap: there are others only if the environment says so.
const DELAY: &str = "arena.0.dirty_decay_ms\0";

/// Gives back what is free now: a delay of nothing does so at once.
pub(crate) fn give_back() {
    let delay = DELAY.name();
    if let Ok(usual) = delay.update(0_isize) {
        // It took the other one a moment ago.
        let _same = delay.write(usual);
    }
}
