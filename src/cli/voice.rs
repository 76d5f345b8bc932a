//! What commands say while they work: a bar on a terminal, plain lines elsewhere.
//!
//! What holds: nobody who listens is no error and no panic; a line on a pipe is whole.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::harmless;

/// Plain lines come no more often.
const PLAIN_EVERY: Duration = Duration::from_secs(2);

/// Marks in the bar.
const WIDTH: u64 = 30;

/// Standard output, for something that goes on.
pub(super) struct Voice {
    terminal: bool,
    /// What the terminal's last line shows.
    shown: String,
    last: Option<Instant>,
}

impl Voice {
    pub(super) fn new() -> Self {
        Self { terminal: io::stdout().is_terminal(), shown: String::new(), last: None }
    }

    /// Whether a person can be asked: at both ends.
    pub(super) fn can_ask() -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Shows how far it is: over what was shown before on a terminal, now and then elsewhere.
    pub(super) fn progress(&mut self, line: &str) {
        if line == self.shown {
            return;
        }
        if self.terminal {
            let _ = write!(io::stdout(), "\r{line}\x1b[K").and_then(|()| io::stdout().flush());
        } else if self.last.is_none_or(|last| last.elapsed() >= PLAIN_EVERY) {
            self.last = Some(Instant::now());
            let _ = writeln!(io::stdout(), "{line}");
        } else {
            return;
        }
        line.clone_into(&mut self.shown);
    }

    /// Ends the line of the progress, if there is one.
    pub(super) fn rest(&mut self) {
        if self.terminal && !self.shown.is_empty() {
            let _ = writeln!(io::stdout());
        }
        self.shown.clear();
    }

    /// Says a whole text, with its line ends. Whether anybody could hear it.
    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        self.rest();
        io::stdout().write_all(harmless(text).as_bytes())
    }
}

/// How far an export is, in one line, out of its status.
pub(super) fn bar(status: &Value) -> String {
    let count = |name: &str| status[name].as_u64().unwrap_or(0);
    let (done, total) = (count("processed_records"), count("total_records"));
    let part = done.saturating_mul(100).checked_div(total).unwrap_or(0);
    let marks = usize::try_from(part.min(100) * WIDTH / 100).unwrap_or(0);
    let (full, empty) = ("#".repeat(marks), ".".repeat(usize::try_from(WIDTH).unwrap_or(0) - marks));
    format!("[{full}{empty}] {part:3} %  {done} of {total} rows: {}", counters(status))
}

/// What became of the rows, out of a status.
pub(super) fn counters(status: &Value) -> String {
    let count = |name: &str| status[name].as_u64().unwrap_or(0);
    let more = |name: &str, word: &str| match count(name) {
        0 => String::new(),
        some => format!(" ({some} {word})"),
    };
    format!(
        "{} sent{}, {} skipped{}, {} refused",
        count("successful_records"),
        more("updated_records", "updated"),
        count("skipped_records"),
        more("duplicate_records", "duplicates"),
        count("failed_records"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bar_tells_how_far_it_is() {
        let status = json!({
            "processed_records": 50, "total_records": 200, "successful_records": 40, "updated_records": 0,
            "skipped_records": 9, "duplicate_records": 8, "failed_records": 1,
        });
        assert_eq!(
            bar(&status),
            "[#######.......................]  25 %  50 of 200 rows: 40 sent, 9 skipped (8 duplicates), 1 refused"
        );
        assert!(bar(&json!({})).contains("0 %  0 of 0 rows"));
    }
}
