//! Who writes to the database at this moment, asked without taking a lock.
//!
//! What holds: this process never opens a file by itself while a connection is open on it that takes locks. POSIX locks
//! belong to the process, and closing *any* descriptor of a file drops all of them: a read in progress would lose its
//! own. The application, closing its database, would then take itself for the last one, write its WAL back into the file
//! under that read, and delete it. More to the letter, they belong to the table of descriptors: what a thread closes that has
//! one of its own drops nobody else's.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use rustix::process::{Flock, FlockType, fcntl_getlk};
use rustix::thread::UnshareFlags;

use super::SourceError;

/// Shared by connections that take locks; held alone where a descriptor is opened and closed beside SQLite.
static LOCKING: RwLock<()> = RwLock::new(());

/// SQLite's lock bytes of the database file (os.h: `SHARED_FIRST`, `SHARED_SIZE`). Who holds all of them for writing may
/// write to the file; in a rollback mode nobody else does.
const SHARED_FIRST: u64 = 0x4000_0002;
const SHARED_SIZE: u64 = 510;

/// To be held for as long as a connection is open that takes locks.
pub(super) fn taken_by_us() -> RwLockReadGuard<'static, ()> {
    LOCKING.read().unwrap_or_else(PoisonError::into_inner)
}

/// Whether somebody holds the lock under which a rollback mode writes to the file.
///
/// # Errors
/// [`SourceError::Busy`] while a connection of our own takes locks.
pub(super) fn is_exclusive(file: &Path) -> Result<bool, SourceError> {
    let _alone = LOCKING
        .try_write()
        .map_err(|_| SourceError::Busy("another read of the same database is under way"))?;
    let wanted = Flock { start: SHARED_FIRST, length: SHARED_SIZE, ..Flock::from(FlockType::ReadLock) };
    File::open(file)
        .and_then(|file| Ok(fcntl_getlk(&file, &wanted)?))
        .map(|holder| holder.is_some())
        .map_err(|source| SourceError::File { path: file.to_owned(), source })
}

/// Reads files on which a connection may be open that takes locks, and closes them before it answers. While the read hangs,
/// what this process closes otherwise stays open.
///
/// # Errors
/// The read's own, or that the system doesn't let us.
#[expect(
    deprecated,
    reason = "what the unsafe form asks for holds: the thread uses only what it opens, and hands nothing of it on"
)]
pub(super) fn leaving_locks<T: Send>(read: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let with_its_own = || {
            rustix::thread::unshare(UnshareFlags::FILES)?;
            read()
        };
        let thread = std::thread::Builder::new().spawn_scoped(scope, with_its_own)?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that read a file panicked")))
    })
}
