//! This host: the state directory, the host's id, the daemon.

use std::path::Path;

use rustix::fs::{Access, access, statvfs};

use super::verdict::Line;
use crate::config::Config;
use crate::ledger;
use crate::source::source_id;

/// With less space than this the ledger may soon be full.
const LITTLE_SPACE: u64 = 16 * 1024 * 1024;

pub(super) fn look(config: &Config) -> Vec<Line> {
    let directory = &config.state.directory;
    let daemon = if ledger::is_taken(directory) {
        Line::ok("daemon", "a daemon works with this state directory")
    } else {
        Line::ok("daemon", "no daemon works with this state directory")
    };
    let source = match source_id(&config.sqlite) {
        Ok(source) => Line::ok("source", format!("rows are known as those of {source}")),
        Err(error) => Line::fail("source", error.to_string(), "Set sqlite.source_id."),
    };
    vec![state(directory), daemon, source]
}

fn state(directory: &Path) -> Line {
    const NAME: &str = "state";
    let Some(existing) = std::path::absolute(directory)
        .ok()
        .and_then(|path| path.ancestors().find(|path| path.exists()).map(Path::to_owned))
    else {
        return Line::fail(
            NAME,
            format!("{} can't be found", directory.display()),
            "Correct state.directory.",
        );
    };
    if !existing.is_dir() {
        let detail = format!("{} is no directory", existing.display());
        return Line::fail(NAME, detail, "Correct state.directory.");
    }
    if let Err(error) = access(&existing, Access::WRITE_OK | Access::EXEC_OK) {
        let detail = format!("{} can't be written by this user: {error}", existing.display());
        return Line::fail(NAME, detail, "Give the directory to the daemon's user, or check as that user.");
    }
    let free = statvfs(&existing).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    if free < LITTLE_SPACE {
        let detail = format!("{} has only {} KiB left", existing.display(), free / 1024);
        return Line::warn(NAME, detail, "Free space on that disk.");
    }
    if existing.as_path() == directory || directory.exists() {
        Line::ok(NAME, format!("{} can be written", directory.display()))
    } else {
        Line::ok(NAME, format!("{} isn't there yet, and can be made", directory.display()))
    }
}
