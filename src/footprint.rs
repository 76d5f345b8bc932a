//! How the allocator is set: for a small footprint, by measurement (see benches/README.md).
//!
//! What holds: what is set is what the environment says, if it says anything; else one heap for all threads, from which
//! nothing is kept back.
//!
//! By default each thread gets a heap of its own, up to four for each core, and each keeps what it needed once: an export
//! passes its rows from thread to thread, so that all of them keep a batch. It can be set without unsafe code, and for
//! whoever builds the program in whichever way, by the environment alone, which is read before `main`: the program starts
//! itself once more, which takes about a millisecond. The units say it themselves and are spared that.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Where jemalloc looks.
const NAME: &str = "MALLOC_CONF";

/// One heap; no thread keeps free memory for itself; the system has it back within a tenth of a second, as giving it back at
/// once and being given it anew would cost more time than anything else in an export; and no pages of 2 MiB, of which a host that
/// hands them out to everybody would spend one on each corner of the heap.
const SETTINGS: &str = "narenas:1,tcache:false,dirty_decay_ms:100,muzzy_decay_ms:0,thp:never";

/// Starts the program once more under these settings; comes back if they are there, or if that can't be done.
pub fn settle() {
    // Whoever has set something knows better.
    if env::var_os(NAME).is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let mut arguments = env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    // Comes back only if it failed: then it works all the same, in more memory.
    let _failed = command.args(arguments).env(NAME, SETTINGS).exec();
}
