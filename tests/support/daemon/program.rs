//! Where the daemon's program is.

use std::env;
use std::path::{Path, PathBuf};

/// The program built beside the running test or example.
#[track_caller]
pub fn daemon_binary() -> PathBuf {
    // Cargo tells it to integration tests, and builds it for them. Not so for examples.
    if let Some(path) = option_env!("CARGO_BIN_EXE_mongo-uplink") {
        return PathBuf::from(path);
    }
    let this = env::current_exe().expect("the running program has a path");
    let path =
        this.parent().and_then(Path::parent).expect("examples lie two floors deep").join("mongo-uplink");
    assert!(path.is_file(), "build it first: `cargo build --bin mongo-uplink`");
    path
}
