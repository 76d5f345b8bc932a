//! Knowing that the application has written, without reading its database.
//!
//! What holds:
//! - no change is lost: the watches stand before the first look, and whatever comes after a report leads to another one;
//! - a report follows a change within a few hundredths of a second, and there are at most ten of them a second;
//! - a commit that takes effect only after the last write to the files is told of, too: by reports of its own accord, a few
//!   and further and further apart. Who wants to hear no more of what was written before hears of such a commit all the
//!   same, if it takes effect afterwards;
//! - while nothing happens, nothing is read: every other minute the files are looked at, by name, size and time;
//! - where inotify can't work (its limits are used up, the files are on another host), they are looked at each second.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Stamp;
use super::eyes::{Eyes, Seen};
use super::hush::Hush;
use super::places::{Place, places};
use super::remote::is_remote;

/// From the first write of a transaction to the look: most commits are through by then.
const SETTLE: Duration = Duration::from_millis(20);

/// From one report to the next.
const SPACING: Duration = Duration::from_millis(100);

/// A commit in a write-ahead log takes effect when it stands in the log's index. That is shared memory, of which no event
/// tells; and before it the log is synchronised, which takes a slow disk its time. So much time after the last event, and
/// after each of these reports, there is another one.
const AFTERMATH: [Duration; 3] = [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(5)];

/// How often the files are looked at though inotify works: a directory further up may have been exchanged.
const SLOW: Duration = Duration::from_secs(120);

/// The same for a file that isn't the application's database: an idle host is hardly ever to wake.
const SLOWER: Duration = Duration::from_secs(10 * 60);

/// How often they are looked at if it doesn't.
const FAST: Duration = Duration::from_secs(1);

/// Watches a database from its start until it is dropped.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    changed: Arc<Notify>,
    hush: Hush,
    task: AbortHandle,
}

impl Watch {
    /// Begins to watch the database of this path, which needn't exist. To be called in an asynchronous context.
    #[must_use]
    pub fn start(path: &Path) -> Self {
        Self::begin(path, true)
    }

    /// The same for any file, without a word in the log.
    #[must_use]
    pub fn quietly(path: &Path) -> Self {
        Self::begin(path, false)
    }

    fn begin(path: &Path, tells: bool) -> Self {
        let (changed, hush) = (Arc::new(Notify::new()), Hush::default());
        let watcher = Watcher {
            path: path.to_owned(),
            changed: Arc::clone(&changed),
            hush: hush.clone(),
            eyes: None,
            last: Look::default(),
            degraded: false,
            tells,
            aftermath: AFTERMATH.iter(),
        };
        Self { path: path.to_owned(), changed, hush, task: tokio::spawn(watcher.run()).abort_handle() }
    }

    /// What took effect so far isn't reported any more: nobody wants to hear of it. To be called in an asynchronous context.
    pub fn let_be(&self) {
        // What was reported and not taken note of.
        let _reported = self.changed.notified().now_or_never();
        self.hush.begin(&self.path);
    }

    /// Waits for the next change, or takes note of one since the last call. May be dropped at any time.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the file system told.
#[derive(Default)]
struct Look {
    stamp: Option<Stamp>,
    /// Whether a change since then can be told by another stamp.
    settled: bool,
    places: Vec<Place>,
    remote: bool,
}

impl Look {
    /// Blocks.
    fn take(path: &Path) -> Self {
        let before = SystemTime::now();
        let stamp = Stamp::take(path).ok();
        let settled = stamp.as_ref().is_none_or(|stamp| stamp.is_settled(before));
        let places = places(path);
        let remote = places.iter().any(|place| is_remote(&place.directory));
        Self { stamp, settled, places, remote }
    }
}

struct Watcher {
    path: PathBuf,
    changed: Arc<Notify>,
    hush: Hush,
    eyes: Option<Eyes>,
    last: Look,
    degraded: bool,
    /// Whether it is logged that changes aren't reported by the system.
    tells: bool,
    /// What is left of the reports after the last event.
    aftermath: std::slice::Iter<'static, Duration>,
}

impl Watcher {
    async fn run(mut self) {
        self.look(Seen { change: true, upheaval: true }).await;
        loop {
            let seen = match &self.eyes {
                Some(eyes) => {
                    let next = if self.tells { self.aftermath.next() } else { None };
                    let interval = match (next, self.degraded, self.tells) {
                        (Some(after), ..) => *after,
                        (None, true, _) => FAST,
                        (None, false, true) => SLOW,
                        (None, false, false) => SLOWER,
                    };
                    match timeout(interval, eyes.next()).await {
                        Ok(first) => {
                            sleep(SETTLE).await;
                            let more = eyes.take();
                            self.begin_aftermath();
                            Seen { change: true, upheaval: first.upheaval || more.upheaval }
                        }
                        Err(_) => Seen {
                            change: next.is_some() && !self.hush.holds(&self.path).await,
                            upheaval: false,
                        },
                    }
                }
                None => {
                    sleep(FAST).await;
                    let next = self.aftermath.next();
                    Seen { change: next.is_some() && !self.hush.holds(&self.path).await, upheaval: false }
                }
            };
            let rest = Instant::now() + SPACING;
            self.look(seen).await;
            // After a look of its own accord, that would only be one more wake-up.
            if seen.change {
                sleep_until(rest).await;
            }
        }
    }

    /// Looks, reports what changed, and makes the watches again if they aren't where they should be.
    async fn look(&mut self, seen: Seen) {
        let look = self.ask().await;
        if look.stamp != self.last.stamp {
            self.begin_aftermath();
        }
        let misplaced = self.eyes.as_ref().is_none_or(|eyes| !eyes.are_on(&look.places));
        if seen.upheaval || misplaced {
            self.settle_down(look).await;
        } else {
            // inotify doesn't miss what a stamp of the same moment can't tell.
            if seen.change || look.stamp != self.last.stamp || (self.degraded && !self.last.settled) {
                self.changed.notify_one();
            }
            self.last = look;
        }
        let remote = self.last.remote;
        self.tell(match (&self.eyes, remote) {
            (Some(_), false) => None,
            (Some(_), true) => Some("the files may be written to by another host"),
            (None, _) => Some("inotify can't be used: its limits may be used up"),
        });
    }

    fn begin_aftermath(&mut self) {
        self.hush.end();
        self.aftermath = AFTERMATH.iter();
    }

    /// Makes the watches, then looks again at what may have happened before they stood.
    async fn settle_down(&mut self, look: Look) {
        let had_eyes = self.eyes.is_some();
        self.eyes = Eyes::open(look.places).ok();
        let look = self.ask().await;
        let changed = look.stamp != self.last.stamp || !self.last.settled;
        if changed || had_eyes || self.eyes.is_some() {
            self.changed.notify_one();
        }
        self.last = look;
    }

    async fn ask(&self) -> Look {
        let path = self.path.clone();
        // A file system that hangs must not hold up anybody else.
        spawn_blocking(move || Look::take(&path)).await.unwrap_or_default()
    }

    fn tell(&mut self, trouble: Option<&str>) {
        if self.degraded == trouble.is_some() {
            return;
        }
        self.degraded = trouble.is_some();
        if !self.tells {
            return;
        }
        match trouble {
            Some(why) => tracing::warn!(
                event = "watch_degraded",
                why,
                "Changes of the database aren't reported by the system: its files are looked at each second"
            ),
            None => tracing::info!(
                event = "watch_restored",
                "Changes of the database are reported by the system again"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
