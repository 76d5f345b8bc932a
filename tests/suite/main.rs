//! The promises of the daemon, held against a real `mongod` and a real SQLite file.

#[expect(dead_code, reason = "the suite doesn't need everything that the support offers yet")]
#[path = "../support/mod.rs"]
mod support;

mod api;
mod booted;
mod brakes;
mod commands;
mod configuration;
mod delivery;
mod documents;
mod duplicates;
mod durability;
mod entrance;
mod flapping;
mod fleet;
mod footprint;
mod freezes;
mod host;
mod idle;
mod ledger;
mod leftovers;
mod links;
mod logs;
mod mapping;
mod measuring;
mod moved;
mod names;
mod network;
mod observe;
mod order;
mod pace;
mod page;
mod process;
mod readme;
mod reasons;
mod rejected;
mod reload;
mod resume;
mod rights;
mod scene;
mod secrets;
mod source;
mod stall;
mod support_works;
mod tables;
mod unknown;
mod unnoticed;
mod updates;
mod watching;
mod ways;
