//! `mongo-uplink export`: one export of every row, now, by the daemon if it runs, else here.
//!
//! What holds: there is one export at a time, as the state directory's lock tells who may work; an interrupt ends it at
//! a batch boundary, a second one at once; the exit code is 0 only if the export went through every row.

mod local;
mod remote;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::daemon::Daemon;
use super::voice::{Voice, bar, counters};
use super::{CommandError, Finding, Options};
use crate::config::{Config, Sources};
use crate::ledger;

/// How often it is looked how far the export is.
const LOOK: Duration = Duration::from_millis(200);

/// How one export is made.
#[derive(Args, Clone, Debug)]
pub struct Export {
    #[command(flatten)]
    options: Options,

    /// Rows a batch, 1 to 1000; as configured if it isn't given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    batch_size: Option<u16>,

    /// Whether rows with the duplicate key of another document are left out; as configured if it isn't given.
    #[arg(long, value_name = "YES-OR-NO", num_args = 0..=1, default_missing_value = "true")]
    skip_duplicates: Option<bool>,
}

impl Export {
    pub(super) fn options(&self) -> &Options {
        &self.options
    }
}

/// An export that goes on somewhere.
trait Running {
    /// Its status, as the API tells it.
    fn status(&mut self) -> Result<Value, CommandError>;
    /// Ends it at the next batch boundary.
    fn stop(&mut self) -> Result<(), CommandError>;
    /// Whether it has ended, by this status.
    fn has_ended(&mut self, status: &Value) -> bool {
        status["status"] != "running"
    }
}

/// Exports, and says how far it is.
///
/// # Errors
/// See [`CommandError`].
pub fn export(sources: &Sources, wanted: &Export) -> Result<Finding, CommandError> {
    let config = Config::load(sources)?;
    let stop = interrupts()?;
    match ledger::take(&config.state.directory) {
        Ok(lock) => {
            let mut running = local::Local::start(config, wanted)?;
            let finding = follow(&mut running, &stop);
            running.end();
            drop(lock);
            finding
        }
        Err(_taken) => follow(&mut remote::Remote::start(Daemon::of(&config.http)?, wanted)?, &stop),
    }
}

/// Set by the first SIGINT or SIGTERM; the second one ends the process.
fn interrupts() -> Result<Arc<AtomicBool>, CommandError> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&asked))?;
        flag::register(signal, Arc::clone(&asked))?;
    }
    Ok(asked)
}

fn follow(running: &mut dyn Running, stop: &AtomicBool) -> Result<Finding, CommandError> {
    let mut voice = Voice::new();
    let mut told = false;
    let status = loop {
        let status = running.status()?;
        if running.has_ended(&status) {
            break status;
        }
        // Before it has an id, it is still looking for MongoDB.
        if status["export_id"].is_string() {
            voice.progress(&bar(&status));
        }
        if stop.load(Ordering::Relaxed) && !std::mem::replace(&mut told, true) {
            voice.rest();
            voice.progress("Stopping at the next batch boundary");
            running.stop()?;
        }
        std::thread::sleep(LOOK);
    };
    let completed = status["status"] == "completed";
    let id = status["export_id"].as_str().unwrap_or("The export");
    let mut text = format!("{id}: {} rows: {}\n", status["total_records"], counters(&status));
    if completed {
        text += "Completed.\n";
    } else {
        let why = status["error_message"].as_str().unwrap_or("the daemon doesn't tell why");
        text = format!("{text}Not completed: {why}\n");
    }
    voice.say(&text)?;
    Ok(if completed { Finding::Well } else { Finding::Wrong })
}
