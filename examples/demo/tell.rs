//! Short lines with the time that has passed, and numbers that stand below each other.

use std::time::Instant;

use serde_json::Value;

use crate::support::daemon::Line;

/// Tells how long the story has been going on.
pub(crate) struct Story {
    begun: Instant,
}

impl Story {
    /// From here on time counts.
    pub(crate) fn begin() -> Self {
        Self { begun: Instant::now() }
    }

    /// A heading.
    pub(crate) fn chapter(&self, title: &str) {
        println!("\n{title}");
    }

    /// One line.
    pub(crate) fn line(&self, text: &str) {
        println!("  {:5.1} s  {text}", self.begun.elapsed().as_secs_f64());
    }
}

/// Lines below a heading that belong to no moment.
pub(crate) fn aside(text: &str) {
    println!("           {text}");
}

/// `12345` as `12,345`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A field of a logged event as text.
pub(crate) fn field(line: &Line, name: &str) -> String {
    match line.field(name) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

/// A field of a logged event as a number; none is 0.
pub(crate) fn number(line: &Line, name: &str) -> u64 {
    line.field(name).and_then(Value::as_u64).unwrap_or(0)
}

/// An expectation of the story.
pub(crate) fn expect(what: &str, found: u64, expected: u64) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}: {} instead of {}", count(found), count(expected)))
    }
}
