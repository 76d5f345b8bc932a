//! What the daemon achieves and costs on this machine, against a real `mongod`: `cargo bench`, or for less
//! `cargo bench -- throughput --rows 100000`. See README.md beside this for results, and `--help` for what there is.
//!
//! - Everything that is compared runs in one go, in turns, on the same server with the same indexes.
//! - Of several rounds the median counts. A ratio is the median of the ratios of each round.
//! - What is measured is checked: rows written and skipped, documents in the collection.

mod arguments;
mod ceiling;
mod comparison;
mod figures;
mod idle;
mod latency;
mod memory;
mod mongoimport;
mod order;
mod place;
mod plain;
mod report;
mod start;
mod table;
mod throughput;
mod uplink;

#[expect(dead_code, unused_imports, reason = "the benchmark needs a part of what the tests stand on")]
#[path = "../../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::time::Instant;

use crate::arguments::{Arguments, Part, USAGE};
use crate::report::Report;

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    if let Some(program) = arguments.program.clone() {
        uplink::measure_program(program);
    }
    let began = Instant::now();
    let mongod = place::server();
    let mut report = Report::default();
    for part in &arguments.parts {
        match part {
            Part::Throughput => throughput::measure(&mongod, &arguments, &mut report),
            Part::Latency => latency::measure(&mongod, &arguments, &mut report),
            Part::Memory => memory::measure(&mongod, &arguments, &mut report),
            Part::Start => start::measure(&mongod, &arguments, &mut report),
            Part::Idle => idle::measure(&mongod, &arguments, &mut report),
            Part::Order => order::write(&mongod, &report),
        }
    }
    report.sum_up();
    println!("in {} s", began.elapsed().as_secs());
    ExitCode::SUCCESS
}
