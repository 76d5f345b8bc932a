//! inotify on the places of a database.

use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::time::sleep;

use super::places::Place;

/// Names that come, go or are replaced. Reading and closing are left out: the daemon does both itself.
const COMING_AND_GOING: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// Content that is written, rights that are granted.
const CONTENT: WatchFlags = WatchFlags::MODIFY.union(WatchFlags::ATTRIB);

/// Events that say that a place isn't what it was, or that others were lost.
const UPHEAVAL: ReadFlags = ReadFlags::IGNORED
    .union(ReadFlags::UNMOUNT)
    .union(ReadFlags::DELETE_SELF)
    .union(ReadFlags::MOVE_SELF)
    .union(ReadFlags::QUEUE_OVERFLOW);

/// Other files in the same directory may be written to all the time.
const INDIFFERENCE: Duration = Duration::from_millis(50);

/// Watches on all places of a database.
pub(super) struct Eyes {
    inotify: AsyncFd<OwnedFd>,
    watches: Vec<(i32, Place)>,
}

/// What was seen since the last time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Something that matters.
    pub(super) change: bool,
    /// The watches have to be made again.
    pub(super) upheaval: bool,
}

impl Eyes {
    /// Watches that begin now. To be called in an asynchronous context.
    pub(super) fn open(places: Vec<Place>) -> std::io::Result<Self> {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let mut watches = Vec::with_capacity(places.len());
        for place in places {
            let flags = if place.holds_files { COMING_AND_GOING | CONTENT } else { COMING_AND_GOING };
            watches.push((inotify::add_watch(&inotify, &place.directory, flags)?, place));
        }
        Ok(Self { inotify: registered(inotify)?, watches })
    }

    /// Whether these are the places that are watched.
    pub(super) fn are_on(&self, places: &[Place]) -> bool {
        self.watches.iter().map(|(_, place)| place).eq(places)
    }

    /// Waits until something was seen that matters. May be dropped at any time: nothing is lost.
    pub(super) async fn next(&self) -> Seen {
        loop {
            let Ok(mut ready) = self.inotify.readable().await else {
                // The runtime is ending.
                return std::future::pending().await;
            };
            let seen = self.take();
            // Keeps what became ready after the queue's end was seen.
            ready.clear_ready();
            if seen.change {
                return seen;
            }
            sleep(INDIFFERENCE).await;
        }
    }

    /// Takes all that was seen until now.
    pub(super) fn take(&self) -> Seen {
        let mut seen = Seen::default();
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(self.inotify.get_ref(), &mut buffer);
        loop {
            match events.next() {
                Ok(event) if event.events().intersects(UPHEAVAL) => {
                    seen = Seen { change: true, upheaval: true };
                }
                Ok(event) => {
                    // Who opens a WAL as root makes it its owner's each time: we do that, too.
                    let about_rights = event.events().contains(ReadFlags::ATTRIB);
                    let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
                    seen.change |= name.is_some_and(|name| {
                        let mut places = self.watches.iter().filter(|(watch, _)| *watch == event.wd());
                        places
                            .any(|(_, place)| place.has_database(name) || (place.has(name) && !about_rights))
                    });
                }
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => return seen,
                Err(_) => return Seen { change: true, upheaval: true },
            }
        }
    }
}

#[expect(
    deprecated,
    reason = "what the unsafe form asks for holds: an OwnedFd keeps its descriptor open until the AsyncFd ends"
)]
fn registered(inotify: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(inotify)
}
