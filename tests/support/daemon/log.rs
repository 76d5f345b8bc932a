//! What a daemon writes, line by line.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde_json::Value;

/// How many lines are kept; an outage of a day is a few dozen.
const CAPACITY: usize = 20_000;
/// How many lines a panic shows.
const TAIL: usize = 30;

/// A line of the log.
#[derive(Clone, Debug)]
pub struct Line {
    text: String,
    json: Option<Value>,
}

impl Line {
    fn new(text: String) -> Self {
        let json = serde_json::from_str(&text).ok().filter(Value::is_object);
        Self { text, json }
    }

    /// The line as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The event's name, for a line of the JSON form.
    pub fn event(&self) -> Option<&str> {
        self.field("event")?.as_str()
    }

    /// A field of the event.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.json.as_ref()?.get(name)
    }
}

/// A place in a log: what was written so far. The default is its beginning.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark(usize);

/// The log of a daemon, over all of its starts. Clones share it.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    kept: VecDeque<Line>,
    /// How many were dropped to make room; the first one kept has this number.
    dropped: usize,
}

impl Log {
    /// Takes over everything that `output` gives, until it ends.
    pub(super) fn follow(&self, output: impl Read + Send + 'static) {
        let log = self.clone();
        thread::spawn(move || {
            // Bytes rather than `lines()`: one that isn't UTF-8 must not end the reading, and so block the daemon.
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                log.push(String::from_utf8_lossy(&line).into_owned());
            }
        });
    }

    /// The end of what was written so far.
    pub fn mark(&self) -> Mark {
        let lines = self.lines();
        Mark(lines.dropped + lines.kept.len())
    }

    /// The lines since `mark`.
    pub fn since(&self, mark: Mark) -> Vec<Line> {
        let lines = self.lines();
        lines.kept.iter().skip(mark.0.saturating_sub(lines.dropped)).cloned().collect()
    }

    /// All lines that are kept.
    pub fn all(&self) -> Vec<Line> {
        self.since(Mark(0))
    }

    /// The first line with this event since `mark`.
    pub fn find(&self, mark: Mark, event: &str) -> Option<Line> {
        self.since(mark).into_iter().find(|line| line.event() == Some(event))
    }

    /// All of it as one text, to search it for what must not be there.
    pub fn text(&self) -> String {
        let lines = self.lines();
        lines.kept.iter().map(Line::text).collect::<Vec<_>>().join("\n")
    }

    /// The last lines.
    pub fn tail(&self) -> String {
        let lines = self.lines();
        let skipped = lines.kept.len().saturating_sub(TAIL);
        lines.kept.iter().skip(skipped).map(Line::text).collect::<Vec<_>>().join("\n")
    }

    fn push(&self, text: String) {
        let mut lines = self.lines();
        if lines.kept.len() == CAPACITY {
            lines.kept.pop_front();
            lines.dropped += 1;
        }
        lines.kept.push_back(Line::new(text));
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
