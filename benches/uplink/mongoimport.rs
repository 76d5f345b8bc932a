//! MongoDB's own `mongoimport`, if it is installed: fed with the same rows as a file of JSON lines, made beforehand.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::place::Place;
use crate::plain::document;
use crate::support::sqlite::TABLE;
use crate::table::{inquiry, scratch};

const PROGRAM: &str = "mongoimport";

/// What it does with a row whose e-mail and mobile are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Inserts it all the same: it skips no duplicates.
    Insert,
    /// Writes it over.
    Upsert,
}

/// Whether it can be run.
pub(crate) fn is_there() -> bool {
    let asked = Command::new(PROGRAM).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// The rows as JSON lines.
pub(crate) struct Lines {
    path: PathBuf,
    _directory: TempDir,
}

impl Lines {
    pub(crate) fn write(rows: u32) -> Self {
        let (directory, path) = scratch("rows.json");
        let mut file = BufWriter::new(File::create(&path).expect("our own directory"));
        for number in 1..=rows {
            let line = serde_json::to_string(&document(number, inquiry(number))).expect("texts and numbers");
            writeln!(file, "{line}").expect("our own directory");
        }
        file.flush().expect("our own directory");
        Self { path, _directory: directory }
    }

    /// Imports them, with four workers; tells how long that took, the program's start included.
    pub(crate) fn import(&self, uri: &str, place: &Place, mode: Mode) -> Duration {
        let began = Instant::now();
        let output = command(&self.path, uri, place, mode).output().expect("it told its version");
        let took = began.elapsed();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        took
    }
}

fn command(path: &Path, uri: &str, place: &Place, mode: Mode) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["--quiet", "--numInsertionWorkers", "4", "--writeConcern", "majority"]);
    command.args(["--uri", uri, "--db", &place.database, "--collection", TABLE]).arg("--file").arg(path);
    if mode == Mode::Upsert {
        command.args(["--mode", "upsert", "--upsertFields", "email,mobile"]);
    }
    command
}
