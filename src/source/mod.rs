//! The application's database, and every statement that is run on it.
//!
//! What holds:
//! - the file is opened read-only; nothing in it is ever changed, and no file is made beside it that the
//!   application could trip over;
//! - a read lasts one page of rows, never across a wait for the network, so that the WAL can be checkpointed;
//! - no lock is taken that could give the application `SQLITE_BUSY` (see `access`);
//! - what is read is a committed state of the database, never a stale or a half-written one.

mod access;
mod commits;
mod error;
mod eyes;
mod frozen;
mod host;
mod hush;
mod locks;
mod places;
mod reader;
mod remote;
mod stamp;
mod summary;
mod survey;
mod table;
mod vigil;
mod watch;

pub use error::SourceError;
pub use host::{NoHostId, source_id};
pub use reader::{PageEnd, Reader, RowRef, Visitor};
pub use stamp::Stamp;
pub use summary::{SUMMARY_LIMIT, summary};
pub use survey::{Journal, Survey, survey};
pub use watch::Watch;
