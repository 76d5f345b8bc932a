//! The daemon's program.

use std::env;
use std::process::Command;

/// Builds the daemon in the profile of this example: cargo doesn't do it for examples by itself.
pub(crate) fn build(example: &str) -> Result<(), String> {
    let this = env::current_exe().map_err(|error| error.to_string())?;
    let profile = match this.parent().and_then(|path| path.parent()).and_then(|path| path.file_name()) {
        Some(name) if name == "debug" => "dev",
        Some(name) => name.to_str().ok_or("the profile's folder has no readable name")?,
        None => return Err("this example doesn't lie in a target directory".to_owned()),
    };
    let mut cargo = Command::new(env!("CARGO"));
    // Named together with this example, it shares the example's dependencies; alone, it would build others.
    cargo.args(["build", "--quiet", "--bin", "mongo-uplink", "--example", example, "--profile", profile]);
    cargo.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    // `cargo run` tells us about our package, and build scripts that look at it would take that for a change.
    for (name, _) in env::vars_os() {
        let shown = name.to_string_lossy();
        if shown.starts_with("CARGO_MANIFEST_") || shown.starts_with("CARGO_PKG_") {
            cargo.env_remove(&name);
        }
    }
    match cargo.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`cargo build --bin mongo-uplink` ended by {status}")),
        Err(error) => Err(format!("cargo can't be started: {error}")),
    }
}
