//! The daemon itself, as its users have it: the program, a configuration file, HTTP, a log, signals.
//!
//! - A [`Daemon`] that was started answers on HTTP.
//! - It keeps its configuration, its state and its log over a restart; they go when it is dropped.
//! - A wait that fails shows the end of the log.

mod builder;
mod log;
mod process;
mod program;
mod web;

pub use builder::Builder;
pub use log::{Line, Log, Mark};
pub use process::Daemon;
pub use program::daemon_binary;
