//! `mongo-uplink` carries the rows of a SQLite table to a MongoDB collection, exactly once in effect,
//! whenever the network lets it.
//!
//! The modules form floors; each uses only those below it:
//!
//! | floor | module | what it is |
//! |---|---|---|
//! | 7 | `main` | command line → exit code |
//! | 6 | [`app`] | builds everything, runs, drains with a limit |
//! | 6 | [`cli`] | the command line: what it takes, what it teaches |
//! | 5 | [`http`] | the documented endpoints; reads snapshots, sends commands |
//! | 4 | [`supervisor`] | the loop: probes, wakes, starts exports |
//! | 3 | [`export`] | one pass: read → compare → send → record |
//! | 3 | [`audit`] | what was delivered: verified, or taken back |
//! | 2 | [`source`] | everything SQLite of the application |
//! | 2 | [`target`] | everything MongoDB |
//! | 2 | [`ledger`] | local memory of what was delivered |
//! | 2 | [`systemd`], [`signals`], [`telemetry`], [`footprint`] | the host |
//! | 1 | [`config`] | defaults ← file ← environment ← command line |
//! | 1 | [`metrics`] | what is counted |
//! | 0 | [`record`], [`backoff`], [`report`] | pure |

pub mod app;
pub mod audit;
pub mod backoff;
pub mod cli;
pub mod config;
pub mod export;
pub mod footprint;
pub mod hashed;
pub mod http;
pub mod ledger;
pub mod metrics;
pub mod record;
pub mod report;
pub mod signals;
pub mod source;
pub mod supervisor;
pub mod systemd;
pub mod target;
pub mod telemetry;

#[cfg(test)]
mod noise;
