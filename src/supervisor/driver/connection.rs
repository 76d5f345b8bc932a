//! The connection that probes and passes share, its end when it has been of no use for long enough, and what becomes of the
//! memory then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Supervisor;
use crate::target::Target;

/// After this time the tasks of a connection that was closed have ended, too, and what they held is free.
const ENDED: Duration = Duration::from_secs(3);

/// The connection that probes and passes share, and when it was last of use.
#[derive(Default)]
pub(super) struct Connection {
    pub(super) target: Option<Target>,
    pub(super) used: Option<Instant>,
}

impl Supervisor {
    /// Something used the connection, and is done.
    pub(super) fn plan_disconnect(&mut self) {
        let limit = self.config.mongodb.idle_disconnect;
        // Held by a task: then its end plans anew.
        self.idle_at = self.link_to.try_lock().ok().and_then(|held| {
            held.target.as_ref()?;
            Some(held.used? + limit)
        });
    }

    pub(super) fn disconnect_if_idle(&mut self) {
        let limit = self.config.mongodb.idle_disconnect;
        if let Ok(mut held) = self.link_to.try_lock()
            && held.used.is_some_and(|used| used.elapsed() >= limit)
            && let Some(target) = held.target.take()
        {
            drop(tokio::spawn(target.close()));
            self.free_at = Some(Instant::now() + ENDED);
        }
        self.plan_disconnect();
    }

    /// Something that needed memory is done. Once for each pass and connection, not for each probe: a host that is offline
    /// would wake once more for each.
    pub(super) fn plan_giving_back(&mut self) {
        self.free_at = Some(Instant::now() + ENDED);
    }

    /// Blocks nobody but a thread that may: the ledger may be at work for somebody else.
    pub(super) fn give_back(&mut self) {
        self.free_at = None;
        let (store, give_back) = (Arc::clone(&self.store), self.give_back);
        drop(tokio::task::spawn_blocking(move || {
            // A ledger that can't even do that is met by whoever needs it next.
            let _failed = store.with(|ledger| ledger.shrink());
            give_back();
        }));
    }
}
