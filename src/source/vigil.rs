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
