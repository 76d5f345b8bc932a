//! The log: what the daemon tells to the journal, to a terminal or to a collector.
//!
//! - Writing a line never waits for the journal, never panics and never fails the caller: what can't be written is
//!   dropped, and the journal is told how many lines that were.
//! - One event is one line, whatever is in its values: control characters are escaped.
//! - Code logs what happened by a stable name, `tracing::info!(event = "export_started", export_id, "Export started")`;
//!   the name comes first in every form, and in the journal it is also the message id (see [`message_id`]).
//! - A panic is an event, too: where it happened, never in what words.
//! - Other people's libraries are held at `warn` unless the filter names them.
//!
//! There are no spans: every event carries what it needs.

mod filter;
mod journald;
mod json;
mod line;
mod output;
mod panics;
mod text;

use std::ffi::OsStr;

use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Registry, reload};

pub use journald::message_id;

use crate::config::{Log, LogFormat};
use output::Output;

/// Why the log can't be set up or changed.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter can't be read; whatever was in force stays so.
    #[error("log.filter isn't a filter")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    /// The process has a log already, or has none any more.
    #[error("the log of this process can't be changed")]
    Process,
}

/// The log of this process.
#[derive(Debug)]
pub struct Telemetry {
    filter: reload::Handle<EnvFilter, Registry>,
}

/// Sets up the log of this process, once, panics included. `journal_stream` is the environment variable `JOURNAL_STREAM`, by which
/// systemd tells what it connected standard error to; [`LogFormat::Auto`] goes by it.
///
/// # Errors
/// The filter is invalid, or the process has a log already.
pub fn init(log: &Log, journal_stream: Option<&OsStr>) -> Result<Telemetry, TelemetryError> {
    let format = match log.format {
        LogFormat::Auto if output::stderr_is(journal_stream) => LogFormat::Journald,
        LogFormat::Auto => LogFormat::Text,
        chosen => chosen,
    };
    let (subscriber, telemetry) = build(&log.filter, Output::new(format))?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::Process)?;
    panics::log();
    Ok(telemetry)
}

fn build(filter: &str, output: Output) -> Result<(impl Subscriber + Send + Sync, Telemetry), TelemetryError> {
    let filter = filter::parse(filter).map_err(TelemetryError::Filter)?;
    let (layer, filter) = reload::Layer::new(filter);
    Ok((tracing_subscriber::registry().with(layer).with(output), Telemetry { filter }))
}

impl Telemetry {
    /// Puts another filter into force.
    ///
    /// # Errors
    /// The filter is invalid; the old one stays in force.
    pub fn set_filter(&self, text: &str) -> Result<(), TelemetryError> {
        let filter = filter::parse(text).map_err(TelemetryError::Filter)?;
        self.filter.reload(filter).map_err(|_| TelemetryError::Process)
    }
}
