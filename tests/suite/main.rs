//! The promises of the daemon, held against a real `mongod` and a real SQLite file.

#[expect(dead_code, reason = "the suite doesn't need everything that the support offers yet")]
#[path = "../support/mod.rs"]
mod support;

mod ledger;
mod support_works;
