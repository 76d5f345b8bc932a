//! The connection that probes and passes share, and its end when it has been of no use for long enough.

use std::time::Instant;

use super::Supervisor;
use crate::target::Target;

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
        }
        self.plan_disconnect();
    }
}
