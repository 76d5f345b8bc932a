//! Another application's table, with another key and other types, by a configuration file alone.
//!
//! `cargo run --example orders`: a shop's orders, a throwaway MongoDB, the real daemon, and what arrives. Nothing needs to be
//! installed or to run beforehand; whatever it starts and writes is gone when it ends. It fails, with an exit code, if
//! anything isn't as it is to be.

#[path = "../demo/program.rs"]
mod program;
mod shop;

#[expect(dead_code, unused_imports, reason = "the shop needs a part of what the tests stand on")]
#[path = "../../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;

use crate::support::mongod::Mongod;

fn main() -> ExitCode {
    if std::env::args().len() > 1 {
        eprintln!("usage: orders");
        return ExitCode::from(64);
    }
    if let Err(reason) = program::build("orders") {
        println!("{reason}");
        return ExitCode::FAILURE;
    }
    let seen = shop::run(&Mongod::start());
    println!("{seen}");
    match seen.trouble() {
        None => ExitCode::SUCCESS,
        Some(trouble) => {
            println!("\nNot as promised: {trouble}");
            ExitCode::FAILURE
        }
    }
}
