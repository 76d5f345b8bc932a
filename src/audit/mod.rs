//! What was delivered, looked at as a whole: compared with the table row by row, or taken back.
//!
//! What holds:
//! - memory is bounded by pages of rows and slices of the collection; what has to be remembered of each row lies in a
//!   temporary database that spills to disk;
//! - no read of SQLite is open while the network is waited for;
//! - nothing here tells a value of a row: columns are named, rows by their keys.
//!
//! Its futures do blocking work: they are for a thread of their own.

mod error;
mod rollback;
mod scratch;
mod verify;
mod walk;

pub use error::AuditError;
pub use rollback::{plan, rollback};
pub use verify::{Difference, Kind, Surroundings, Verified, verify};
