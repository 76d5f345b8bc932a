//! One daemon for a state directory: two would not know of each other's exports.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The file that is locked; it stays empty.
const LOCK: &str = "lock";

/// Another daemon works with this state directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("state.directory {0}: another mongo-uplink works with it; each needs a directory of its own")]
pub struct Taken(PathBuf);

/// Takes the directory until what is returned is dropped, or the process ends however it ends. `None` if the directory
/// can't be used: then there is nothing in it to share.
///
/// # Errors
/// [`Taken`].
pub fn take(directory: &Path) -> Result<Option<File>, Taken> {
    // Whatever is wrong with the directory is told where the ledger is opened.
    let _exists = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    let path = directory.join(LOCK);
    let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = match opened {
        Ok(file) => file,
        // It is somebody else's, who may be at work.
        Err(error) if error.kind() == ErrorKind::PermissionDenied && path.exists() => {
            return Err(Taken(directory.to_owned()));
        }
        Err(_) => return Ok(None),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(Taken(directory.to_owned())),
        // A file system without locks.
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// Whether somebody works with this directory. Makes nothing.
#[must_use]
pub fn is_taken(directory: &Path) -> bool {
    // For reading: whoever may only look at the directory can ask, too.
    let Ok(file) = File::open(directory.join(LOCK)) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_taken_once_and_free_again_afterwards() {
        let temp = tempfile::tempdir().unwrap();
        let directory = temp.path().join("state");
        assert!(!is_taken(&directory));
        let held = take(&directory).unwrap();
        assert!(held.is_some());
        assert_eq!(take(&directory).unwrap_err(), Taken(directory.clone()));
        assert!(is_taken(&directory));
        drop(held);
        assert!(!is_taken(&directory));
        assert!(take(&directory).unwrap().is_some());
    }

    #[test]
    fn a_directory_that_can_t_be_used_is_nobody_s() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::write(temp.path().join("file"), "").unwrap();
        assert!(take(&temp.path().join("file/state")).unwrap().is_none());
    }
}
