//! Getting a file out of the way that can't be used as a ledger, and saying so.

use std::io::ErrorKind;
use std::path::Path;

use super::LedgerError;
use crate::config::State;
use crate::report::LedgerState;

/// The ledger's file in the state directory.
pub(super) const FILE: &str = State::LEDGER;

/// What SQLite keeps beside it.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Where a damaged ledger goes, for whoever wants to look. Only the last one is kept; the second name is for when
/// somebody made a directory of the first.
const SET_ASIDE: [&str; 2] = ["state.db.damaged", "state.db.damaged-2"];

/// Moves the ledger of this directory out of the way, so that a new one can be made. Nobody may have it open: SQLite
/// finds the files beside it by their names.
pub(super) fn set_aside(directory: &Path) -> Result<(), LedgerError> {
    let from = directory.join(FILE);
    let mut result = Ok(());
    for name in SET_ASIDE {
        let to = directory.join(name);
        result = std::fs::rename(&from, &to).or_else(|_| {
            // A file doesn't take the place of a directory, nor the other way round. One that isn't empty stays.
            let _unmoved = std::fs::remove_file(&to).or_else(|_| std::fs::remove_dir(&to));
            std::fs::rename(&from, &to)
        });
        if result.is_ok() {
            for suffix in BESIDE {
                let beside = directory.join(format!("{FILE}{suffix}"));
                // What can't be moved is removed below.
                let _absent = std::fs::rename(beside, directory.join(format!("{name}{suffix}")));
            }
            break;
        }
    }
    match result {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            // It only saves work; a directory is somebody else's.
            std::fs::remove_file(&from)
                .map_err(|_| LedgerError::File { path: from.clone(), source: error })?;
        }
        _ => {}
    }
    remove_beside(directory)
}

/// Removes what a ledger that is gone left beside it.
pub(super) fn remove_beside(directory: &Path) -> Result<(), LedgerError> {
    for suffix in BESIDE {
        let path = directory.join(format!("{FILE}{suffix}"));
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(LedgerError::File { path, source }),
        }
    }
    Ok(())
}

/// Says that it was replaced by an empty one.
pub(super) fn rebuilt() -> LedgerState {
    tracing::warn!(
        event = "ledger_rebuilt",
        "The ledger was damaged or gone: every row is compared with MongoDB"
    );
    LedgerState::Rebuilt
}

/// Says that another one is used for now.
pub(super) fn temporary(error: &LedgerError) -> LedgerState {
    tracing::warn!(
        event = "ledger_temporary",
        %error,
        "The state directory can't be used: what is learned lasts until the daemon ends"
    );
    LedgerState::Temporary
}
