//! Where the `mongod` comes from: `$MONGOD`, the search path, an earlier download, a download.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::fetch;

/// The `mongod` to run. Panics, saying what to install, if there is none and none can be had.
#[track_caller]
pub fn mongod_binary() -> &'static Path {
    // An outcome of either kind is kept: a hundred tests that try the same download in vain help nobody.
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match FOUND.get_or_init(find) {
        Ok(path) => path,
        Err(reason) => panic!("no mongod: {reason}"),
    }
}

fn find() -> Result<PathBuf, String> {
    if let Some(named) = env::var_os("MONGOD") {
        let named = PathBuf::from(named);
        return runs(&named).map(|()| named);
    }
    if let Some(installed) = on_search_path() {
        return Ok(installed);
    }
    let fetched = fetch::cached_or_fetched(&target_directory()?)?;
    runs(&fetched).map(|()| fetched)
}

fn on_search_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|directory| directory.join("mongod"))
        .find(|candidate| runs(candidate).is_ok())
}

/// Asks the program for its version, which fails like a start would if a shared library is missing.
fn runs(mongod: &Path) -> Result<(), String> {
    let shown = mongod.display();
    let output = Command::new(mongod).arg("--version").output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("{shown} doesn't exist"),
        _ => format!("{shown} can't be started: {error}"),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    let advice = if said.contains("shared libraries") || said.contains("version `") {
        "; install what is missing (Debian 12, Ubuntu 22.04 and later: `apt-get install libcurl4 libssl3`), \
         or name another mongod in $MONGOD"
    } else {
        ""
    };
    Err(format!("{shown} doesn't run: {said}{advice}"))
}

/// Cargo's target directory, found from the running program, which lies somewhere in it.
///
/// Cargo tags a directory that it makes as a cache. One that was there already, made by a script or a link to another
/// disk, it leaves untagged, and only keeps its notes on the compiler there.
fn target_directory() -> Result<PathBuf, String> {
    let program = env::current_exe().map_err(|error| format!("this program's path is unknown: {error}"))?;
    program
        .ancestors()
        .find(|directory| {
            ["CACHEDIR.TAG", ".rustc_info.json"].iter().any(|mark| directory.join(mark).is_file())
        })
        .map(Path::to_owned)
        .ok_or_else(|| format!("{} doesn't lie in a target directory of cargo", program.display()))
}
