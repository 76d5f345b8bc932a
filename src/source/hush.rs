//! Whether anybody wants to hear again of what was written before.
//!
//! What holds: from [`Hush::begin`] on nothing is reported that was noticed and had taken effect by then; a commit that takes
//! effect later is, though it was written before. Where nobody can tell, it is reported: a look in vain does no harm.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::spawn_blocking;

use super::commits::LastCommit;

/// Whether reports of the watch's own accord are unwanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Hush(Arc<Mutex<Quiet>>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Quiet {
    #[default]
    No,
    /// Until something happens.
    Yes,
    /// Until something happens, or another commit than this one is the last.
    Since(Option<LastCommit>),
}

impl Hush {
    /// They are from now on. To be called in an asynchronous context.
    pub(super) fn begin(&self, path: &Path) {
        *self.lock() = Quiet::Yes;
        let (path, hush) = (path.to_owned(), self.clone());
        // Not waited for: a file system that hangs must not hold up anybody else.
        drop(spawn_blocking(move || {
            let last = LastCommit::of(&path);
            let mut quiet = hush.lock();
            if *quiet == Quiet::Yes {
                *quiet = last.map_or(Quiet::No, Quiet::Since);
            }
        }));
    }

    /// Something happened.
    pub(super) fn end(&self) {
        *self.lock() = Quiet::No;
    }

    /// Whether they are unwanted still.
    pub(super) async fn holds(&self, path: &Path) -> bool {
        let quiet = *self.lock();
        let before = match quiet {
            Quiet::No => return false,
            Quiet::Yes | Quiet::Since(None) => return true,
            Quiet::Since(Some(before)) => before,
        };
        let path = path.to_owned();
        let now = spawn_blocking(move || LastCommit::of(&path)).await;
        // A log that is gone has gone with an event.
        let is_same = matches!(now, Ok(Ok(now)) if now.is_none_or(|now| now == before));
        if !is_same {
            self.end();
        }
        is_same
    }

    /// Whether it is known since which commit.
    #[cfg(test)]
    pub(super) fn is_settled(&self) -> bool {
        matches!(*self.lock(), Quiet::Since(Some(_)))
    }

    fn lock(&self) -> MutexGuard<'_, Quiet> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
