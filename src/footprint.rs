//! How the C library's allocator is set: for a small footprint, by measurement (see benches/README.md).
//!
//! What holds: what is set is what the environment says, if it says anything; else one heap for all threads, and large
//! blocks given back as soon as they are free.
//!
//! By default each thread gets a heap of its own, up to eight for each core, and each keeps what it needed once: an export
//! passes its rows from thread to thread, so that all of them keep a batch. It can be set without unsafe code by the
//! environment alone, which is read before `main`: the program starts itself once more, which takes about a
//! millisecond. The units say it themselves and are spared that.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// What is set. The thresholds are the initial ones, which hold for good once they are named: otherwise the first large
/// block that is freed raises them to its size.
const SETTINGS: [(&str, &str); 3] =
    [("MALLOC_ARENA_MAX", "1"), ("MALLOC_MMAP_THRESHOLD_", "131072"), ("MALLOC_TRIM_THRESHOLD_", "131072")];

/// Starts the program once more under these settings; comes back if they are there, or if that can't be done.
pub fn settle() {
    // Whoever has set one of them knows better. Another C library knows none of them.
    let is_set = SETTINGS.iter().any(|(name, _)| env::var_os(name).is_some());
    if is_set || !cfg!(target_env = "gnu") {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let mut arguments = env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    // Comes back only if it failed: then it works all the same, in more memory.
    let _failed = command.args(arguments).envs(SETTINGS).exec();
}
