//! What a fleet does to its cluster: 10,000 hosts lose it for an hour, in simulated time and with the daemon's own loop;
//! then real daemons on this machine see their MongoDB restart.
//!
//! `cargo build --bin mongo-uplink && cargo run --example fleet`; `-- --quick` starts 10 daemons instead of 100.

mod daemons;
mod simulation;

#[expect(dead_code, unused_imports, reason = "the fleet needs a part of what the tests stand on")]
#[path = "../../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;

const HOSTS: usize = 10_000;

/// The default of `probe.randomization_factor`.
const JITTER: f64 = 0.5;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let count = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => 100,
        ["--quick"] => 10,
        _ => {
            eprintln!("usage: fleet [--quick]");
            return ExitCode::from(64);
        }
    };
    let (with, without) = (simulation::run(HOSTS, JITTER), simulation::run(HOSTS, 0.0));
    println!("{HOSTS} hosts lose the cluster for an hour                 jitter {JITTER}   no jitter");
    row("probes a second while it is away, mean", with.mean_while_away, without.mean_while_away);
    row("  in the busiest second", with.peak_while_away as f64, without.peak_while_away as f64);
    row("probes a second until the last host is back, mean", with.mean_after, without.mean_after);
    row("  in the busiest second", with.peak_after as f64, without.peak_after as f64);
    let seconds = |seen: &simulation::Seen| seen.last_back.map_or(f64::NAN, |last| last.as_secs_f64());
    row("seconds until the last host is back", seconds(&with), seconds(&without));
    println!();
    let seen = daemons::run(count, 100);
    println!("{seen}");
    if with.last_back.is_none() || seen.idle_connections > 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn row(name: &str, with: f64, without: f64) {
    println!("{name:<52} {with:>12.1} {without:>11.1}");
}
