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
    // Never through a link: the directory is the daemon's, and the caller may be somebody with more rights.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(call_path(directory)) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result.map(drop),
    }
}

/// Whether somebody asked since the last time. Costs one call of the system.
#[must_use]
pub fn was_called(directory: &Path) -> bool {
    // If it can't be removed, it isn't answered: it would be answered again and again.
    std::fs::remove_file(call_path(directory)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_heard_once_and_writes_through_no_link() {
        let directory = tempfile::tempdir().unwrap();
        assert!(!was_called(directory.path()));
        call(directory.path()).unwrap();
        call(directory.path()).unwrap();
        assert!(was_called(directory.path()) && !was_called(directory.path()));

        let other = directory.path().join("other");
        std::fs::write(&other, "content").unwrap();
        std::os::unix::fs::symlink(&other, call_path(directory.path())).unwrap();
        call(directory.path()).unwrap();
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "content");
    }
}
