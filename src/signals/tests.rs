//! With signals to processes of their own: this test binary, started again for one test that plays the daemon.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal as Number, kill_process};

use super::*;

/// Which daemon the started process plays; the variable isn't set in any other run.
const ROLE: &str = "SIGNALS_TEST_ROLE";

const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn plays_the_daemon_if_asked_to() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let signals = Signals::register().unwrap();
    println!("\nready");
    if role == "hangs" {
        loop {
            thread::park();
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        loop {
            let signal = signals.next().await;
            println!("{signal:?}");
            if signal == Signal::Stop {
                break;
            }
        }
    });
}

struct Daemon {
    child: Child,
    lines: Receiver<String>,
}

impl Daemon {
    fn start(role: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "signals::tests::plays_the_daemon_if_asked_to", "--nocapture"])
            .env(ROLE, role)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || output.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok()));
        let daemon = Self { child, lines };
        daemon.expect_line("ready");
        daemon
    }

    fn signal(&self, number: Number) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, number).unwrap();
    }

    fn expect_line(&self, expected: &str) {
        let deadline = Instant::now() + LIMIT;
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if line == expected {
                return;
            }
        }
        panic!("no {expected}");
    }

    fn wait(&mut self) -> ExitStatus {
        // The end of its output is the end of the process.
        while self.lines.recv_timeout(LIMIT).is_ok() {}
        self.child.wait().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn each_signal_is_heard_as_what_it_means() {
    let mut daemon = Daemon::start("listens");
    daemon.signal(Number::USR1);
    daemon.expect_line("Wake");
    daemon.signal(Number::HUP);
    daemon.expect_line("Reload");
    daemon.signal(Number::PIPE);
    daemon.signal(Number::USR1);
    daemon.expect_line("Wake");
    daemon.signal(Number::TERM);
    daemon.expect_line("Stop");
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn a_second_stop_ends_a_process_that_hangs() {
    for (first, second, codes) in [
        (Number::TERM, Number::TERM, [143].as_slice()),
        (Number::INT, Number::INT, &[130]),
        // Which of two that wait comes first is the operating system's choice.
        (Number::TERM, Number::INT, &[130, 143]),
    ] {
        let mut daemon = Daemon::start("hangs");
        daemon.signal(first);
        // Two of the same kind that wait are one to the operating system: the second counts once the first is heard.
        let deadline = Instant::now() + LIMIT;
        let ended = loop {
            assert!(Instant::now() < deadline, "goes on after {second:?}");
            daemon.signal(second);
            if daemon.lines.recv_timeout(Duration::from_millis(20)) == Err(RecvTimeoutError::Disconnected) {
                break daemon.wait();
            }
        };
        let code = ended.code().unwrap_or_else(|| panic!("ended by signal {:?}", ended.signal()));
        assert!(codes.contains(&code), "{code}");
    }
}
