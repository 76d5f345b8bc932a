//! `mongo-uplink rollback`: takes back what one export inserted, by the daemon if it runs, else here.
//!
//! What holds: it is told first what would be done, and asked; without a yes nothing is changed.

mod local;
mod remote;

use std::io::{self, BufRead as _, Write as _};

use clap::Args;

use super::daemon::Daemon;
use super::voice::Voice;
use super::{CommandError, Finding, Options};
use crate::config::{Config, Sources};
use crate::ledger;
use crate::report::{Extent, Planned, RolledBack, is_export_id};

/// What is to be taken back.
#[derive(Args, Clone, Debug)]
pub struct Rollback {
    #[command(flatten)]
    options: Options,

    /// Which export, as mongo-uplink status or GET /api/export/history tells it.
    #[arg(value_name = "EXPORT_ID", value_parser = export_id)]
    export_id: String,

    /// Documents, too, that were changed since: by a later export, or by somebody else.
    #[arg(long)]
    changed_too: bool,

    /// Doesn't ask.
    #[arg(long, short)]
    yes: bool,
}

impl Rollback {
    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    fn extent(&self) -> Extent {
        if self.changed_too { Extent::ChangedToo } else { Extent::Unchanged }
    }
}

/// Who takes it back.
trait Side {
    fn plan(&mut self) -> Result<Planned, CommandError>;
    fn perform(&mut self) -> Result<RolledBack, CommandError>;
}

/// Tells, asks, and does it.
///
/// # Errors
/// See [`CommandError`].
pub fn rollback(sources: &Sources, wanted: &Rollback) -> Result<Finding, CommandError> {
    let config = Config::load(sources)?;
    if !wanted.yes && !Voice::can_ask() {
        return Err(CommandError::NobodyToAsk);
    }
    match ledger::take(&config.state.directory) {
        Ok(lock) => {
            let mut side = local::Local::new(config, wanted)?;
            let finding = go(&mut side, wanted);
            side.end();
            drop(lock);
            finding
        }
        Err(_taken) => go(&mut remote::Remote::new(Daemon::of(&config.http)?, wanted), wanted),
    }
}

fn go(side: &mut dyn Side, wanted: &Rollback) -> Result<Finding, CommandError> {
    let mut voice = Voice::new();
    let id = &wanted.export_id;
    let Planned { documents, changed } = side.plan()?;
    if documents == 0 {
        voice.say(&format!("{id}: no document of it is in the collection. Nothing to take back.\n"))?;
        return Ok(Finding::Wrong);
    }
    let meant = if wanted.changed_too { documents } else { documents - changed };
    let fate = match (changed, wanted.changed_too) {
        (0, _) => "None of them was changed since.".to_owned(),
        (_, true) => format!("{changed} of them were changed since, and would be deleted, too."),
        (_, false) => {
            format!("{changed} of them were changed since, and would stay; --changed-too takes them, too.")
        }
    };
    voice.say(&format!(
        "{id}: {documents} documents that it inserted are in the collection. {fate}\n\
         {meant} would be deleted. Their rows in SQLite would be held: no automatic export sends them again.\n"
    ))?;
    if meant == 0 {
        voice.say("Nothing to take back.\n")?;
        return Ok(Finding::Wrong);
    }
    if !wanted.yes && !asked(meant)? {
        voice.say("Nothing was changed.\n")?;
        return Ok(Finding::Wrong);
    }
    let RolledBack { deleted, kept, held } = side.perform()?;
    voice.say(&format!(
        "{deleted} documents were deleted, {kept} stay. {held} rows are held: mongo-uplink records --outcome held lists \
         them, mongo-uplink records retry lets them be sent again.\n"
    ))?;
    Ok(Finding::Well)
}

fn asked(meant: u64) -> io::Result<bool> {
    write!(io::stderr(), "Delete {meant} documents? [y/N] ")?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// An id as exports get them: nothing else may get into a request.
fn export_id(text: &str) -> Result<String, String> {
    if is_export_id(text) {
        return Ok(text.to_owned());
    }
    Err("an id of an export is allowed, as export_20240927_143022".to_owned())
}
