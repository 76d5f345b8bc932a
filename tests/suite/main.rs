//! The promises of the daemon, held against a real `mongod` and a real SQLite file.

#[expect(dead_code, reason = "the suite doesn't need everything that the support offers yet")]
#[path = "../support/mod.rs"]
mod support;

mod brakes;
mod flapping;
mod fleet;
mod idle;
mod network;
mod resume;
mod stall;
mod support_works;
