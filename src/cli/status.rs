//! `mongo-uplink status`: how the daemon is doing, by itself; or, if none runs, what its memory tells.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::daemon::Daemon;
use super::voice::{Voice, bar, counters};
use super::{CommandError, Finding, Options};
use crate::config::{Config, Sources};
use crate::ledger::{self, Ledger, LedgerError};

/// How often it is asked again while it is watched.
const AGAIN: Duration = Duration::from_millis(500);

/// What is to be told.
#[derive(Args, Clone, Debug)]
pub struct Status {
    #[command(flatten)]
    options: Options,

    /// Goes on telling, until it is interrupted or the daemon ends: a bar on a terminal, else a line for each change.
    #[arg(long, conflicts_with = "json")]
    watch: bool,

    /// As JSON: running, export and connectivity in the form of the API; if no daemon runs, last_export and rows.
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(super) fn options(&self) -> &Options {
        &self.options
    }
}

/// Tells how the daemon is doing: [`Finding::Wrong`] if none runs.
///
/// # Errors
/// See [`CommandError`].
pub fn status(sources: &Sources, wanted: &Status) -> Result<Finding, CommandError> {
    let config = Config::load(sources)?;
    let mut voice = Voice::new();
    let mut shown = String::new();
    loop {
        if !ledger::is_taken(&config.state.directory) {
            let memory = remembered(&config)?;
            voice.say(&if wanted.json { pretty(&memory) } else { of_memory(&memory) })?;
            return Ok(Finding::Wrong);
        }
        let daemon = Daemon::of(&config.http)?;
        let found = json!({
            "running": true,
            "export": daemon.get("/api/export/status")?,
            "connectivity": daemon.get("/api/export/connectivity")?,
        });
        if !wanted.watch {
            voice.say(&if wanted.json { pretty(&found) } else { of_daemon(&found) })?;
            return Ok(Finding::Well);
        }
        if found["export"]["status"] == "running" {
            voice.progress(&bar(&found["export"]));
            shown.clear();
        } else {
            let text = of_daemon(&found);
            if text != shown {
                voice.say(&text)?;
                shown = text;
            }
        }
        std::thread::sleep(AGAIN);
    }
}

/// What the ledger tells of a daemon that doesn't run.
fn remembered(config: &Config) -> Result<Value, CommandError> {
    let directory = &config.state.directory;
    let looked = Ledger::open_to_read(directory).and_then(|ledger| {
        let last = ledger.history(1, None)?.pop();
        let counts = ledger.outcome_counts()?;
        let rows: serde_json::Map<String, Value> =
            counts.into_iter().map(|(outcome, count)| (outcome.as_str().to_owned(), count.into())).collect();
        Ok(json!({ "running": false, "last_export": last, "rows": rows }))
    });
    match looked {
        Ok(found) => Ok(found),
        // It never ran here.
        Err(LedgerError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(json!({ "running": false, "last_export": null, "rows": null }))
        }
        Err(source) => Err(CommandError::Ledger { directory: directory.clone(), source }),
    }
}

fn of_daemon(found: &Value) -> String {
    let (export, link) = (&found["export"], &found["connectivity"]);
    // Writing to a String can't fail.
    let mut text = format!("The daemon runs. MongoDB: {}", word(&link["state"]));
    if let (Some(reason), Some(hint)) = (link["reason"].as_str(), link["hint"].as_str()) {
        let _ = write!(text, ", {reason}: {}. {hint}", word(&link["detail"]));
    }
    text.push('\n');
    match export["export_id"].as_str() {
        Some(id) if export["status"] == "running" => {
            let _ = writeln!(text, "{id} ({}): {}", word(&export["trigger"]), bar(export));
        }
        Some(id) => {
            let _ = write!(text, "Last export: {}", past(id, export));
        }
        None => {
            text +=
                "No export to tell of: there was none since the daemon started, or the status was reset.\n"
        }
    }
    if let Some(trouble) = export["waiting_for"].as_str() {
        let _ = writeln!(text, "Rows wait: {trouble}");
    }
    if export["paused"] == true {
        text += "Exports don't start by themselves: they are paused.\n";
    }
    text
}

fn of_memory(found: &Value) -> String {
    let mut text = "No daemon works with this state directory.\n".to_owned();
    let Some(rows) = found["rows"].as_object() else {
        return text + "None has yet.\n";
    };
    if let Some(id) = found["last_export"]["export_id"].as_str() {
        let _ = write!(text, "Last export: {}", past(id, &found["last_export"]));
    }
    let counts: Vec<String> = rows.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    let _ = writeln!(text, "Rows that were dealt with: {}", counts.join(", "));
    text
}

fn past(id: &str, export: &Value) -> String {
    let mut text = format!(
        "{id} ({}), {}, ended {}: {}\n",
        word(&export["trigger"]),
        word(&export["status"]),
        word(&export["end_time"]),
        counters(export)
    );
    if let Some(error) = export["error_message"].as_str() {
        let _ = writeln!(text, "    {error}");
    }
    text
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("unknown")
}

pub(super) fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
