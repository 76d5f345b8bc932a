//! What a test needs of the host beyond a compiler.
//!
//! - A program that is missing fails the test, which says what to install.
//! - A right that is missing can't be installed: on a developer's machine such a test says that it was left out; where
//!   `CI` is set it fails, so that nobody takes a run without it for a whole one.

use std::env;
use std::process::{Command, Stdio};

/// Whether the host permits `what`. If it doesn't, the caller returns; where `CI` is set, this panics instead.
#[must_use]
#[track_caller]
pub fn permitted(what: &str, is: bool) -> bool {
    assert!(is || env::var_os("CI").is_none(), "{what}: not permitted here; run this as root");
    if !is {
        eprintln!("left out: {what} isn't permitted here; as root it is");
    }
    is
}

/// Sees to it that this program is there.
#[track_caller]
pub fn needs(program: &str, package: &str) {
    let found = Command::new("sh")
        .args(["-c", "command -v \"$0\"", program])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    assert!(
        found,
        "{program} isn't there: install the package {package} (on Debian: apt-get install {package})"
    );
}
