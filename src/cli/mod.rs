//! The command line: what it takes, and what its help teaches.
//!
//! - Only commands that exist are offered.
//! - What `--set` is given may be a secret: it is in no `Debug` text and in no message.
//! - Exit codes: 0 well, 1 failed or something isn't well, 2 the command line itself can't be read, 78 the configuration is
//!   wrong.

mod check;
mod daemon;
mod error;
mod export;
mod manual;
mod records;
mod rollback;
mod status;
mod verify;
mod voice;

use std::convert::Infallible;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use check::{Check, check, configuration};
pub use daemon::Unanswered;
pub use error::{CommandError, Finding};
pub use export::{Export, export};
pub use manual::{Completions, completions, man};
pub use records::{Records, RecordsError, records};
pub use rollback::{Rollback, rollback};
pub use status::{Status, status};
pub use verify::{Verify, verify};

use crate::config::{Secret, Sources};

const ENVIRONMENT_AND_EXAMPLES: &str = "\
Configuration, later wins: built-in defaults, the file, the environment, --set.

Environment:
  MONGO_UPLINK_<SECTION>__<KEY>  any key of the configuration, in capitals with two underscores:
                                 MONGO_UPLINK_PROBE__TIMEOUT=10s is timeout in [probe]
  CREDENTIALS_DIRECTORY          set by systemd; its credential mongodb-uri is the connection string
                                 if neither mongodb.uri nor mongodb.uri_file is set, http-token the
                                 token of the HTTP server likewise

Signals:
  SIGTERM, SIGINT  stop at the next batch boundary; once more: at once
  SIGHUP           read the configuration again; the log names what needs a restart
  SIGUSR1          probe MongoDB now

Exit codes:
  0   well:  export went through every row; status: a daemon runs; check: nothing fails;
             verify: nothing differs; rollback: it was done
  1   not:   export failed or was stopped; status: no daemon runs; check: something fails;
             verify: something differs; rollback: nothing to do, or no yes; or a command failed
  2   the command line can't be read
  78  the configuration is wrong; the message names key, value, source and what is allowed

With the daemon and without:
  export, status and rollback ask the daemon that works with state.directory, at http.socket or
  http.listen; if none runs, they do it themselves. verify and check look for themselves and disturb nobody.
  A command must see the daemon's state directory, and should run as its user: what it makes there
  is its own.

Examples:
  mongo-uplink check
      would it work here? If not, what to do; and where each value comes from, secrets hidden
  mongo-uplink --config /etc/mongo-uplink/config.toml
      run with that file
  mongo-uplink records --outcome rejected
      rows that MongoDB refuses, and why; mongo-uplink records retry sends them again
  mongo-uplink export --batch-size 500
      every row once, now; Ctrl-C ends it at a batch boundary
  mongo-uplink status --watch
      the running export as a bar
  mongo-uplink verify
      before the SQLite file is thrown away: is everything in MongoDB?
  mongo-uplink rollback export_20240927_143022
      deletes what that export inserted and nobody has changed since; asks before
  mongo-uplink completions bash > /usr/share/bash-completion/completions/mongo-uplink
  mongo-uplink man > /usr/share/man/man1/mongo-uplink.1
  MONGO_UPLINK_MONGODB__URI_FILE=/run/secrets/uri mongo-uplink --set sqlite.path=/srv/app/inquiries.db
      run with the connection string out of a file, and another database";

/// Carries the rows of a SQLite table to MongoDB, exactly once in effect, whenever the network lets it.
#[derive(Debug, Parser)]
#[command(name = "mongo-uplink", version, after_long_help = ENVIRONMENT_AND_EXAMPLES, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    command: Option<Command>,
}

/// What to do. The options are those that stand behind the command.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the daemon (what is done if no command is given).
    Run(Options),
    /// Check the configuration, this host, SQLite and MongoDB, and tell what to do; show where each value comes from.
    Check(Check),
    /// Export every row once, now: by the daemon if it runs, else without it.
    Export(Export),
    /// Tell how the daemon is doing; if none runs, what is remembered.
    Status(Status),
    /// Compare SQLite with MongoDB row by row, and list what is missing, different or without a row.
    Verify(Verify),
    /// Take back what one export inserted: delete its documents, unless they were changed since, and hold their rows.
    Rollback(Rollback),
    /// List the rows that are not in the collection, and why; or let rejected and held ones be sent again.
    Records(Records),
    /// Print completions for a shell, to be put where it looks for them.
    Completions(Completions),
    /// Print the man page, to be put into man1.
    Man(Options),
}

/// Where the configuration comes from. May stand before and behind the command; not a global option, because of those
/// clap would drop what stands before if there is more behind.
#[derive(Args, Clone, Debug, Default)]
pub struct Options {
    /// The configuration file; it must exist. Without it: ./config.toml, else /etc/mongo-uplink/config.toml, else none.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Sets a key of the configuration, as in --set probe.timeout=10s; may be repeated. Other users of this host can
    /// see it: a connection string is better put into a file, named by mongodb.uri_file.
    #[arg(long, value_name = "SECTION.KEY=VALUE", value_parser = into_custody)]
    set: Vec<Secret>,
}

impl Cli {
    /// Reads the arguments of this process. Ends it where there is nothing to run: help was asked for, or what was
    /// said can't be read.
    #[must_use]
    pub fn from_arguments() -> Self {
        Self::try_parse().unwrap_or_else(|error| without_secrets(error).exit())
    }

    /// What to do; [`Command::Run`] if nothing was said.
    #[must_use]
    pub fn command(&self) -> Command {
        self.command.clone().unwrap_or(Command::Run(Options::default()))
    }

    /// Where the configuration is read from: the process's environment and files, with what the command line adds.
    #[must_use]
    pub fn sources(&self) -> Sources {
        self.added_to(Sources::of_process())
    }

    fn added_to(&self, sources: Sources) -> Sources {
        let command = self.command();
        let behind = match &command {
            Command::Run(behind) | Command::Man(behind) => behind,
            Command::Check(check) => check.options(),
            Command::Export(export) => export.options(),
            Command::Status(status) => status.options(),
            Command::Verify(verify) => verify.options(),
            Command::Rollback(rollback) => rollback.options(),
            Command::Records(records) => records.options(),
            Command::Completions(completions) => completions.options(),
        };
        behind.added_to(self.options.added_to(sources))
    }
}

impl Options {
    fn added_to(&self, mut sources: Sources) -> Sources {
        if let Some(path) = &self.config {
            sources = sources.with_file(path);
        }
        self.set.iter().fold(sources, |sources, assignment| sources.with_override(assignment.expose()))
    }
}

/// The error of the command line; without a quotation if that might be a connection string.
fn without_secrets(error: clap::Error) -> clap::Error {
    if !error.to_string().contains("://") {
        return error;
    }
    let words =
        "a connection string isn't taken here: put it into a file, and name that by mongodb.uri_file\n";
    clap::Error::raw(error.kind(), words)
}

/// Refuses nothing: an error of the parser would quote the value.
fn into_custody(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

/// A key may hold anything: nothing of it may steer a terminal.
fn shown(key: &str) -> String {
    key.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The same for a column of a table: what is longer than a line is cut.
fn cell(text: &str) -> String {
    const LONGEST: usize = 64;
    let mut cell: String = shown(text).chars().take(LONGEST + 1).collect();
    if let Some((end, _)) = cell.char_indices().nth(LONGEST) {
        cell.truncate(end);
        cell.push('…');
    }
    cell
}

/// The same for a whole text, whose lines stay lines: servers and other programs have a part in it, too.
#[must_use]
pub fn harmless(text: &str) -> String {
    text.split('\n').map(shown).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
