//! The command line → an exit code.

use std::io::{self, Write as _};
use std::process::ExitCode;

use mongo_uplink::cli::{Cli, Command, RecordsError, check, records};
use mongo_uplink::config::{Config, ConfigError, Sources};
use mongo_uplink::{app, telemetry};

fn main() -> ExitCode {
    let cli = Cli::from_arguments();
    let sources = cli.sources();
    match cli.command() {
        Command::Run(_) => run(&sources),
        Command::Check(_) => match check(&sources) {
            Ok(text) => say(&text),
            Err(error) => misconfigured(&error),
        },
        Command::Records(wanted) => match records(&sources, &wanted) {
            Ok(text) => say(&text),
            Err(RecordsError::Config(error)) => misconfigured(&error),
            Err(error) => {
                complain(&format!("mongo-uplink: {error}"));
                ExitCode::FAILURE
            }
        },
    }
}

/// Where standard output is closed or full, that is a failure: `print!` would panic.
fn say(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run(sources: &Sources) -> ExitCode {
    let config = match Config::load(sources) {
        Ok(config) => config,
        Err(error) => return misconfigured(&error),
    };
    let _telemetry = match telemetry::init(&config.log, std::env::var_os("JOURNAL_STREAM").as_deref()) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            complain(&format!("mongo-uplink: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match app::run(config) {
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
    let _ = writeln!(io::stderr(), "{text}");
}
