//! Whether the work gets on: what the service manager's watchdog is fed by.
//!
//! What holds: one pass that stalls is broken off, and its connection is thrown away; if the next one stalls as well,
//! without a single row having been written down since, nothing that this process can do has helped, and the watchdog is
//! left hungry, so that the process is started anew. MongoDB being away is no stall: that fails in time.

/// So many stalled passes in a row, and the process is given up.
const GIVEN_UP: u32 = 2;

/// Passes that stalled since work last got on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Health {
    stalls: u32,
    /// Batches that were recorded when last looked at.
    recorded: u64,
}

impl Health {
    /// A pass made no progress. Tells how many in a row that were.
    pub(super) fn stalled(&mut self) -> u32 {
        self.stalls = self.stalls.saturating_add(1);
        self.stalls
    }

    /// A pass ended by itself, however it ended.
    pub(super) fn ended(&mut self) {
        self.stalls = 0;
    }

    /// So many batches were recorded since the start. Tells whether these are more than before.
    pub(super) fn recorded(&mut self, batches: u64) -> bool {
        let more = std::mem::replace(&mut self.recorded, batches) < batches;
        if more {
            self.stalls = 0;
        }
        more
    }

    /// Whether there is hope without a restart.
    pub(super) fn is_good(&self) -> bool {
        self.stalls < GIVEN_UP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given_up() -> Health {
        let mut health = Health::default();
        assert_eq!((health.stalled(), health.is_good()), (1, true), "one stall is no reason");
        assert_eq!((health.stalled(), health.is_good()), (2, false));
        health
    }

    #[test]
    fn two_stalls_in_a_row_and_it_is_given_up_until_a_pass_ends() {
        let mut health = given_up();
        health.ended();
        assert!(health.is_good());
        assert_eq!(health.stalled(), 1);
    }

    #[test]
    fn a_batch_written_down_is_progress_and_the_same_one_is_not() {
        let mut health = Health::default();
        health.recorded(7);
        for _ in 0..2 {
            health.stalled();
            health.recorded(7);
        }
        assert!(!health.is_good());
        health.recorded(8);
        assert!(health.is_good());
    }
}
