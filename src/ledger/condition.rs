//! How the ledger is doing, for those that can't wait for the disk.
//!
//! What holds: it is told at once, also while the ledger itself is held for as long as a disk hangs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::report::LedgerState;

/// How the ledger is doing; whoever has a copy sees the same.
#[derive(Clone)]
pub(super) struct Condition(Arc<Mutex<Inner>>);

struct Inner {
    state: LedgerState,
    /// Entries were lost that nobody has been told of.
    lost: bool,
}

impl Condition {
    pub(super) fn new(state: LedgerState) -> Self {
        Self(Arc::new(Mutex::new(Inner { state, lost: false })))
    }

    pub(super) fn state(&self) -> LedgerState {
        self.lock().state
    }

    pub(super) fn set(&self, state: LedgerState) {
        self.lock().state = state;
    }

    /// Entries are lost.
    pub(super) fn lose(&self) {
        self.lock().lost = true;
    }

    /// Whether entries were lost since the last time that this was asked.
    pub(super) fn take_lost(&self) -> bool {
        std::mem::take(&mut self.lock().lost)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
