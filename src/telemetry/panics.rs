//! Panics as events: where they happened, never in what words, for a panic's message can quote a row or a connection
//! string.

use std::panic;
use std::thread;

/// From now on a panic is the event `panicked`, in place of the standard library's text.
pub(super) fn log() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let thread = thread::current();
        tracing::error!(
            event = "panicked",
            place = place.as_deref().unwrap_or("unknown"),
            thread = thread.name().unwrap_or("unnamed"),
            "A part of the daemon panicked; please report the place"
        );
    }));
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use crate::config::{Log, LogFormat};

    const SENTINEL: &str = "s3nt1nelPassw0rd";

    /// Set only in the process that plays the daemon: a panic hook and a log are a whole process's.
    const ROLE: &str = "PANIC_TEST_ROLE";

    #[test]
    fn plays_the_panicking_daemon_if_asked_to() {
        if std::env::var_os(ROLE).is_none() {
            return;
        }
        let _telemetry = super::super::init(&Log { filter: "info".into(), format: LogFormat::Json }, None);
        let panicking = std::thread::spawn(|| panic!("{SENTINEL}"));
        assert!(panicking.join().is_err());
    }

    #[test]
    fn a_panic_is_logged_with_its_place_and_without_its_words() {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "telemetry::panics::tests::plays_the_panicking_daemon_if_asked_to"])
            .arg("--nocapture")
            .env(ROLE, "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        let line = told.lines().find(|line| line.contains(r#""event":"panicked""#)).unwrap();
        assert!(line.contains(r#""place":"src/telemetry/panics.rs:"#), "{line}");
        assert!(!told.contains(SENTINEL), "{told}");
    }
}
