//! `mongo-uplink records`: the rows that are not in the collection. It works with and without the daemon, by the ledger's
//! own file: read to list, written to release.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::{Options, cell, shown};
use crate::config::{Config, ConfigError, Sources};
use crate::ledger::{self, Cursor, Ledger, LedgerError};
use crate::report::{Outcome, Remark, Remarks};

/// What of the rows is wanted.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Records {
    #[command(flatten)]
    options: Options,

    /// Only rows of this outcome.
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<Wanted>,

    /// Rows behind this place, as the page before it told.
    #[arg(long, value_name = "CURSOR", allow_hyphen_values = true)]
    after: Option<Cursor>,

    /// How many rows at most, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,

    /// As JSON, in the form of GET /api/export/records.
    #[arg(long)]
    json: bool,

    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// Let rejected and held rows be sent again: at once if the daemon runs, else when it starts.
    Retry(Options),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Wanted {
    /// Refused by MongoDB.
    Rejected,
    /// Left out, because another document has the same duplicate key.
    Duplicate,
    /// Taken back by a rollback, and not sent again by itself.
    Held,
}

/// Why there is nothing to tell of the rows.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No daemon has worked with this directory.
    #[error(
        "state.directory {0} holds no ledger: the daemon hasn't run yet, or works with another directory"
    )]
    None(PathBuf),
    /// There is no ledger that could be used.
    #[error("the ledger in {directory}: {source}")]
    Ledger {
        /// The state directory.
        directory: PathBuf,
        /// What is wrong.
        source: LedgerError,
    },
}

impl Records {
    pub(super) fn options(&self) -> &Options {
        match &self.action {
            Some(Action::Retry(options)) => options,
            None => &self.options,
        }
    }
}

/// The text for standard output.
///
/// # Errors
/// See [`RecordsError`].
pub fn records(sources: &Sources, wanted: &Records) -> Result<String, RecordsError> {
    let directory = Config::load(sources)?.state.directory;
    let done = match wanted.action {
        Some(Action::Retry(_)) => retry(&directory),
        None => list(&directory, wanted),
    };
    done.map_err(|source| match source {
        LedgerError::File { source, .. } if source.kind() == ErrorKind::NotFound => {
            RecordsError::None(directory)
        }
        source => RecordsError::Ledger { directory, source },
    })
}

fn retry(directory: &Path) -> Result<String, LedgerError> {
    let released = Ledger::open_to_write(directory)?.release()?;
    ledger::call(directory).map_err(|source| LedgerError::File { path: directory.to_owned(), source })?;
    Ok(format!("{released} rejected or held rows will be sent again.\n"))
}

fn list(directory: &Path, wanted: &Records) -> Result<String, LedgerError> {
    let outcome = wanted.outcome.map(|wanted| match wanted {
        Wanted::Rejected => Outcome::Rejected,
        Wanted::Duplicate => Outcome::Duplicate,
        Wanted::Held => Outcome::Held,
    });
    let page = Ledger::open_to_read(directory)?.remarks(outcome, wanted.after.as_ref(), wanted.limit)?;
    if wanted.json {
        return Ok(serde_json::to_string_pretty(&page).map_or_else(|_| String::new(), |json| json + "\n"));
    }
    if page.records.is_empty() && wanted.outcome.is_none() && wanted.after.is_none() {
        return Ok("Every row that was dealt with is in the collection.\n".to_owned());
    }
    Ok(table(&page))
}

fn table(page: &Remarks) -> String {
    if page.records.is_empty() {
        return "No such rows.\n".to_owned();
    }
    let width = page.records.iter().map(|row| cell(&row.key).chars().count()).max().unwrap_or(0).max(3);
    let mut text = format!("{:width$}  OUTCOME    TRIED  LAST                      REASON\n", "KEY");
    for row in &page.records {
        let outcome = row.outcome.as_str();
        let (key, tried, last) = (cell(&row.key), row.attempts, row.last_at.to_string());
        // Writing to a String can't fail.
        let why = shown(&reason(row));
        let _ = writeln!(text, "{key:width$}  {outcome:9}  {tried:>5}  {last:24}  {why}");
    }
    if let Some(next) = &page.next {
        let _ = writeln!(text, "More: --after \"{next}\"");
    }
    text
}

fn reason(row: &Remark) -> String {
    match (&row.code, &row.duplicate_of) {
        (Some(code), _) => format!("{} (code {code})", row.reason),
        (None, Some(of)) => format!("{}: {of}", row.reason),
        (None, None) => row.reason.clone(),
    }
}
