//! The ledger over the life of the daemon: found damaged, deleted or unwritable, it is replaced, and work goes on.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Ledger, LedgerError, Opened};

/// The ledger of a state directory, whatever happens to it. Its calls block: for blocking threads only.
pub struct Store {
    directory: PathBuf,
    ledger: Mutex<Ledger>,
}

/// What the last [`Store::refresh`] or damage did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The file is in use.
    Kept,
    /// It was damaged or gone, and is filled anew by comparing with MongoDB.
    Rebuilt,
    /// The directory can't be used: what is learned lasts until the daemon ends.
    Temporary,
}

impl Store {
    /// Opens the ledger of this directory, or a temporary one.
    ///
    /// # Errors
    /// Not even a temporary ledger can be made.
    pub fn open(directory: &Path) -> Result<(Self, Condition), LedgerError> {
        let (ledger, condition) = open(directory)?;
        Ok((Self { directory: directory.to_owned(), ledger: Mutex::new(ledger) }, condition))
    }

    /// Sees to it that the file is there and in use; to be called before each pass.
    ///
    /// # Errors
    /// Not even a temporary ledger can be made.
    pub fn refresh(&self) -> Result<Condition, LedgerError> {
        let mut ledger = self.lock();
        if !ledger.is_temporary() && ledger.is_in_place() {
            return Ok(Condition::Kept);
        }
        if ledger.is_temporary() {
            return Ok(match Ledger::open(&self.directory) {
                Ok((found, _)) => {
                    *ledger = found;
                    Condition::Rebuilt
                }
                Err(_) => Condition::Temporary,
            });
        }
        let (found, condition) = open(&self.directory)?;
        *ledger = found;
        Ok(if condition == Condition::Temporary { condition } else { Condition::Rebuilt })
    }

    /// Works with the ledger. If it turns out to be damaged, it is set aside and an empty one takes its place before
    /// the error is returned: the next call starts from there.
    ///
    /// # Errors
    /// What the work returned.
    pub fn with<T>(
        &self,
        work: impl FnOnce(&mut Ledger) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let mut ledger = self.lock();
        let result = work(&mut ledger);
        if matches!(result, Err(LedgerError::Damaged)) {
            // The old connection is closed only after its file was moved: the next one makes a new file.
            let replaced = Ledger::set_aside(&self.directory).and_then(|()| open(&self.directory));
            *ledger = match replaced {
                Ok((fresh, _)) => fresh,
                Err(_) => Ledger::temporary()?,
            };
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        // A panic in mid-work left at worst an open transaction, which its guard has rolled back.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(directory: &Path) -> Result<(Ledger, Condition), LedgerError> {
    match Ledger::open(directory) {
        Ok((ledger, Opened::Recovered)) => Ok((ledger, Condition::Rebuilt)),
        Ok((ledger, Opened::Existing | Opened::New)) => Ok((ledger, Condition::Kept)),
        Err(_) => Ok((Ledger::temporary()?, Condition::Temporary)),
    }
}
