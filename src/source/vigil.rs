//! Seeing that nobody wrote: a watch on one file, asked afterwards.
//!
//! What holds: every write that ended while the watch stood is seen, however short the time between two of them. File
//! times can't promise that.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use super::remote::is_remote;

/// A watch on one file.
pub(super) struct Vigil(OwnedFd);

impl Vigil {
    /// A watch that begins now; `None` if the system has none to give, or others may write to the file from elsewhere.
    pub(super) fn over(file: &Path) -> Option<Self> {
        if is_remote(file) {
            return None;
        }
        let vigil = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
        inotify::add_watch(&vigil, file, WatchFlags::MODIFY).ok()?;
        Some(Self(vigil))
    }

    /// Whether nobody has written so far. Once `false`, the watch is spent.
    pub(super) fn is_quiet(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 512];
        matches!(inotify::Reader::new(&self.0, &mut buffer).next(), Err(Errno::WOULDBLOCK))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_write_is_seen_however_short_and_a_read_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "before").unwrap();
        let mut file = File::options().write(true).open(&path).unwrap();
        let vigil = Vigil::over(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        assert!(vigil.is_quiet());
        file.write_all(b"b").unwrap();
        assert!(!vigil.is_quiet(), "the same bytes at the same time are a write, too");
    }
}
