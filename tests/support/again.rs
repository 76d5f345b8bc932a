//! A test that runs itself again in namespaces of its own: nothing of the host changes, and everything that it makes
//! is gone with its processes.

use std::env;
use std::process::{Command, Stdio};
use std::thread;

/// Says that the test is inside already.
const INSIDE: &str = "UPLINK_TEST_INSIDE";

/// Whether this process is the test's second run.
pub fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// Runs the calling test again, and it alone, by `command`, to which the program and its arguments are added.
#[track_caller]
pub fn run(command: &mut Command) {
    let thread = thread::current();
    let test = thread.name().expect("a test's thread has its name");
    let this = env::current_exe().expect("the running program has a path");
    let output = command
        .arg(this)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .stdin(Stdio::null())
        .output()
        .expect("the command has just run");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "the test didn't find itself: {said}");
}
