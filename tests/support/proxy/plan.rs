//! A reply that is to be cut: which one, and after how many bytes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where the name of the command stands in an `OP_MSG`: behind the header (16 bytes), the flags (4), the section's
/// kind (1), the document's length (4) and the type of its first element (1).
const COMMAND_OFFSET: usize = 26;

/// One intended cut.
pub(super) struct Plan {
    whose: Whose,
    /// Bytes of reply that still pass.
    left: u64,
}

enum Whose {
    Anyone,
    /// Whoever sends this next: the command's name with the NUL that ends it.
    SenderOf(Vec<u8>),
    Connection(u64),
}

impl Plan {
    pub(super) fn any(bytes: u64) -> Self {
        Self { whose: Whose::Anyone, left: bytes }
    }

    pub(super) fn command(name: &str, bytes: u64) -> Self {
        Self { whose: Whose::SenderOf(format!("{name}\0").into_bytes()), left: bytes }
    }
}

/// The current plan, if any, and how many were carried out.
#[derive(Default)]
pub(super) struct Plans {
    current: Mutex<Option<Plan>>,
    carried_out: AtomicU64,
}

impl Plans {
    pub(super) fn set(&self, plan: Plan) {
        *self.current() = Some(plan);
    }

    pub(super) fn clear(&self) {
        *self.current() = None;
    }

    pub(super) fn carried_out(&self) -> u64 {
        self.carried_out.load(Ordering::SeqCst)
    }

    /// To be told of each request *before* it is delivered, so that its reply can't overtake the plan.
    pub(super) fn request(&self, connection: u64, bytes: &[u8]) {
        let mut current = self.current();
        if let Some(plan) = current.as_mut()
            && let Whose::SenderOf(name) = &plan.whose
            && bytes.get(COMMAND_OFFSET..).is_some_and(|rest| rest.starts_with(name))
        {
            plan.whose = Whose::Connection(connection);
        }
    }

    /// How many of the next `length` bytes of reply may pass; after fewer than all, the connection is to be cut.
    pub(super) fn reply(&self, connection: u64, length: usize) -> usize {
        let mut current = self.current();
        let Some(plan) = current.as_mut() else { return length };
        match plan.whose {
            Whose::Anyone => {}
            Whose::Connection(id) if id == connection => {}
            Whose::SenderOf(_) | Whose::Connection(_) => return length,
        }
        match usize::try_from(plan.left) {
            Ok(left) if left < length => {
                *current = None;
                self.carried_out.fetch_add(1, Ordering::SeqCst);
                left
            }
            _ => {
                plan.left -= u64::try_from(length).expect("a usize fits");
                length
            }
        }
    }

    fn current(&self) -> MutexGuard<'_, Option<Plan>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
