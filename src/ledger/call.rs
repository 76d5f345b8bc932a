//! How another process (the command line) asks the running daemon to compare every row once more: by a file in the
//! state directory. A daemon that doesn't run finds it when it starts.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The file; it is empty.
const CALL: &str = "compare";

/// The file by which a comparison is asked for.
#[must_use]
pub fn call_path(directory: &Path) -> PathBuf {
    directory.join(CALL)
}

/// Asks for a comparison.
///
/// # Errors
/// The file can't be made.
pub fn call(directory: &Path) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(call_path(directory))
        .map(drop)
}

/// Whether somebody asked since the last time. Costs one call of the system.
#[must_use]
pub fn was_called(directory: &Path) -> bool {
    // If it can't be removed, it isn't answered: it would be answered again and again.
    std::fs::remove_file(call_path(directory)).is_ok()
}
