//! The command line → an exit code.

mod heap;

use std::io::{self, Write as _};
use std::process::ExitCode;

use mongo_uplink::cli::{self, Cli, Command, CommandError, Finding, RecordsError, records};
use mongo_uplink::config::{Config, ConfigError, Sources};
use mongo_uplink::{app, footprint, telemetry};

fn main() -> ExitCode {
    let cli = Cli::from_arguments();
    let sources = cli.sources();
    match cli.command() {
        Command::Run(_) => run(&sources),
        Command::Check(wanted) => done(cli::check(&sources, &wanted)),
        Command::Records(wanted) => match records(&sources, &wanted) {
            Ok(text) => say(text.as_bytes()),
            Err(RecordsError::Config(error)) => misconfigured(&error),
            Err(error) => failed(&error),
        },
        Command::Export(wanted) => done(cli::export(&sources, &wanted)),
        Command::Status(wanted) => done(cli::status(&sources, &wanted)),
        Command::Verify(wanted) => done(cli::verify(&sources, &wanted)),
        Command::Rollback(wanted) => done(cli::rollback(&sources, &wanted)),
        Command::Completions(wanted) => say(&cli::completions(&wanted)),
        Command::Man(_) => cli::man().map_or_else(|error| failed(&error), |page| say(&page)),
    }
}

/// Where standard output is closed or full, that is a failure: `print!` would panic.
fn say(text: &[u8]) -> ExitCode {
    match io::stdout().write_all(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The exit code of a command that has said itself what it found.
fn done(result: Result<Finding, CommandError>) -> ExitCode {
    match result {
        Ok(Finding::Well) => ExitCode::SUCCESS,
        Ok(Finding::Wrong) => ExitCode::FAILURE,
        Err(CommandError::Config(error)) => misconfigured(&error),
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    complain(&format!("mongo-uplink: {error}"));
    ExitCode::FAILURE
}

fn run(sources: &Sources) -> ExitCode {
    footprint::settle();
    let config = match Config::load(sources) {
        Ok(config) => config,
        Err(error) => return misconfigured(&error),
    };
    let telemetry = match telemetry::init(&config.log, std::env::var_os("JOURNAL_STREAM").as_deref()) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            complain(&format!("mongo-uplink: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match app::run(config, sources.clone(), telemetry, heap::give_back) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(event = "failed", %error, "The daemon can't run");
            ExitCode::FAILURE
        }
    }
}

fn misconfigured(error: &ConfigError) -> ExitCode {
    complain(&error.to_string());
    ExitCode::from(ConfigError::EXIT_CODE)
}

/// Where nobody reads standard error, the exit code says it all the same: `eprintln!` would panic.
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{}", cli::harmless(text));
}
