//! `mongo-uplink check`: would it work here? The configuration, this host, SQLite and MongoDB, each with a verdict and
//! what to do.
//!
//! What holds: nothing is changed anywhere; it ends within 15 seconds, whatever hangs.

mod host;
mod mongodb;
mod sqlite;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::status::pretty;
use super::voice::Voice;
use super::{CommandError, Finding, Options};
use crate::config::{Config, ConfigError, Shown, Sources};
use verdict::{Line, Verdict, text};

/// For what looks at this host's files.
const HOST_LIMIT: Duration = Duration::from_secs(10);

/// What is checked.
#[derive(Args, Clone, Debug)]
pub struct Check {
    #[command(flatten)]
    options: Options,

    /// Only the configuration: looks at no database and opens no connection.
    #[arg(long)]
    configuration: bool,

    /// As JSON: ok, checks (name, verdict, detail, hint) and configuration (key, value, origin).
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn options(&self) -> &Options {
        &self.options
    }
}

/// Checks and tells: [`Finding::Wrong`] if anything fails.
///
/// # Errors
/// See [`CommandError`].
pub fn check(sources: &Sources, wanted: &Check) -> Result<Finding, CommandError> {
    let (config, shown) = Config::explain(sources)?;
    let mut lines = Vec::new();
    if !wanted.configuration {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        lines = runtime.block_on(everything(Arc::new(config)));
        // What hangs, hangs: nobody waits for it.
        runtime.shutdown_background();
    }
    let is_good = lines.iter().all(|line| line.verdict != Verdict::Fail);
    let told = if wanted.json {
        let configuration: Vec<Value> = shown.iter().map(as_json).collect();
        pretty(&json!({ "ok": is_good, "checks": lines, "configuration": configuration }))
    } else {
        listed(&shown) + &text(&lines)
    };
    Voice::new().say(&told)?;
    Ok(if is_good { Finding::Well } else { Finding::Wrong })
}

/// The text of the configuration: one line a key, `section.key = value (origin)`, secrets hidden.
///
/// # Errors
/// Everything that is wrong with the configuration.
pub fn configuration(sources: &Sources) -> Result<String, ConfigError> {
    let (_, shown) = Config::explain(sources)?;
    Ok(listed(&shown))
}

fn listed(shown: &[Shown]) -> String {
    let lines: String = shown.iter().map(|shown| format!("{shown}\n")).collect();
    format!("{lines}The configuration is valid.\n")
}

fn as_json(shown: &Shown) -> Value {
    json!({ "key": shown.key, "value": shown.value, "origin": shown.origin.to_string() })
}

async fn everything(config: Arc<Config>) -> Vec<Line> {
    let (for_host, for_sqlite) = (Arc::clone(&config), Arc::clone(&config));
    let host = bounded("state", move || host::look(&for_host));
    let sqlite = bounded("sqlite", move || sqlite::look(&for_sqlite));
    let (host, sqlite, mongodb) = tokio::join!(host, sqlite, mongodb::look(&config));
    [host, sqlite, mongodb].concat()
}

/// Blocking work under a limit.
async fn bounded(name: &'static str, work: impl FnOnce() -> Vec<Line> + Send + 'static) -> Vec<Line> {
    match timeout(HOST_LIMIT, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(lines)) => lines,
        Ok(Err(_)) => vec![Line::fail(name, "an internal error", "Please report it.")],
        Err(_) => {
            vec![Line::fail(
                name,
                "its file system doesn't answer",
                "Look at the disk or the network behind it.",
            )]
        }
    }
}
