//! Reading a file without any lock, and knowing afterwards whether it stood still.
//!
//! What holds: what was read counts only if, from before the first page was read until after the last one,
//! - nobody wrote to the file: its time is old enough for every change to give another one, and it is the same
//!   afterwards; or, if it is younger, a [`Vigil`] saw nobody;
//! - nobody was in the middle of writing: at both ends there is no hot journal, and nobody holds the lock under which
//!   a transaction without a journal on disk would write;
//! - no WAL had content, and it was the same file.

use std::path::Path;
use std::time::SystemTime;

use rusqlite::Connection;

use super::access::open_uri;
use super::locks::is_exclusive;
use super::stamp::has_hot_journal;
use super::vigil::Vigil;
use super::{SourceError, Stamp};

/// A connection to a file that stands still.
pub(super) struct Frozen {
    pub(super) connection: Connection,
    vigil: Option<Vigil>,
    stamp: Stamp,
}

impl Frozen {
    /// Opens the file that `found` speaks of; `None` if it doesn't stand still.
    pub(super) fn open(path: &Path, found: &Stamp) -> Result<Option<Self>, SourceError> {
        let before = SystemTime::now();
        let stamp = Stamp::take(path)?;
        if stamp != *found {
            return Ok(None);
        }
        let vigil = if stamp.is_settled(before) {
            None
        } else if let Some(vigil) = Vigil::over(stamp.file()) {
            Some(vigil)
        } else {
            return Ok(None);
        };
        in_progress(&stamp)?;
        match open_uri(stamp.file(), "?immutable=1") {
            Ok(connection) => Ok(Some(Self { connection, vigil, stamp })),
            // Opening reads the schema: what is wrong with it counts under the same conditions as what is right.
            Err(error) => {
                in_progress(&stamp)?;
                let still = stamp == Stamp::take(path)? && vigil.as_ref().is_none_or(Vigil::is_quiet);
                if still { Err(error) } else { Ok(None) }
            }
        }
    }

    /// Whether what was read with it until now is what stands in the file according to `now`.
    pub(super) fn is_still(&self, now: &Stamp) -> bool {
        self.stamp == *now && self.vigil.as_ref().is_none_or(Vigil::is_quiet)
    }

    /// Whether what was read with it until now was a committed state.
    ///
    /// # Errors
    /// A transaction is in progress.
    pub(super) fn held(&self, path: &Path) -> Result<bool, SourceError> {
        // A write under way isn't seen by the vigil before it ends, but its lock is: the lock is asked first.
        in_progress(&self.stamp)?;
        Ok(self.is_still(&Stamp::take(path)?))
    }
}

/// Refuses while a transaction may have written a part of what it will write.
fn in_progress(stamp: &Stamp) -> Result<(), SourceError> {
    if has_hot_journal(stamp.file())? {
        return Err(SourceError::Busy(
            "a transaction of the application is in progress, or was left behind by a crash: \
             waiting for the application to finish or to reopen its database",
        ));
    }
    // An application that keeps the lock between its transactions (`locking_mode=EXCLUSIVE`) keeps its journal, too, and
    // resets it after each of them: then the journal tells. Without one, or with one that was left behind before the last
    // write, its transactions can't be told from their absence.
    if !stamp.has_fresh_journal() && is_exclusive(stamp.file())? {
        return Err(SourceError::Busy("the application has locked its database"));
    }
    Ok(())
}
