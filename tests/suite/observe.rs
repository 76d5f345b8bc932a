//! What others read of the daemon: its description and its metrics.

mod description;
mod metrics;
