//! Cleans up after a test process that couldn't: killed, aborted, or left with statics that are never dropped.
//!
//! One small shell per test process reads the directories of servers from a pipe. The pipe's other end closes when
//! the test process ends, whichever way; then the shell kills the servers that still run and removes their
//! directories. It kills only a process whose id stands in `DIRECTORY/pid` *and* whose command line names that
//! directory, so that an id which the kernel gave to somebody else is left alone.

use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

const SCRIPT: &str = r#"
trap '' HUP INT TERM
directories=
while IFS= read -r directory; do
    directories="$directories$directory
"
done
IFS='
'
set -f
for directory in $directories; do
    [ -d "$directory" ] || continue
    pid=$(cat "$directory/pid" 2>/dev/null)
    if [ -n "$pid" ] && grep -qF -- "$directory" "/proc/$pid/cmdline" 2>/dev/null; then
        kill -KILL "$pid"
    fi
    rm -rf -- "$directory" || { sleep 1; rm -rf -- "$directory"; }
done
"#;

static GUARDIAN: LazyLock<Mutex<Child>> = LazyLock::new(|| {
    let shell = Command::new("sh")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/")
        // A Ctrl-C or a kill meant for the test process's group must not reach the one who cleans up after it.
        .process_group(0)
        .spawn()
        .expect("`sh` starts");
    Mutex::new(shell)
});

/// Has `directory` removed, and the process noted in it killed, when this process is gone.
pub fn watch(directory: &Path) {
    let line = format!("{}\n", directory.to_str().expect("temporary directories have readable names"));
    let mut guardian = GUARDIAN.lock().unwrap_or_else(PoisonError::into_inner);
    let pipe = guardian.stdin.as_mut().expect("stdin is piped");
    pipe.write_all(line.as_bytes()).expect("the guardian lives as long as we do");
}

/// Notes the process that works in `directory`, whose command line must name it.
pub fn note_process(directory: &Path, pid: u32) {
    fs::write(directory.join("pid"), pid.to_string()).expect("the server's directory is writable");
}
