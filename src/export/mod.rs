//! One pass: read → compare → send → record.
//!
//! What holds:
//! - a row is recorded only after its outcome is known; anything else leaves it pending;
//! - a run begins when there is something to send: a pass that finds nothing leaves no trace;
//! - `processed = successful + failed + skipped <= total` in each snapshot of the status;
//! - no read of SQLite is open while the network is waited for.

mod candidate;
mod claim;
mod comparison;
mod deliver;
mod ending;
mod exporter;
mod locally;
mod look;
mod opened;
mod pass;
mod pipeline;
mod prepare;
mod run;
mod scan;

pub use claim::{claim, next_export_id};
pub use ending::{STOPPED, abandon};
pub use exporter::Exporter;
pub use pass::{Depth, PassEnd, PassError, Pulse};

#[cfg(test)]
mod tests;
