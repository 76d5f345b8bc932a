//! Lines for people: `2024-09-27T14:30:22.123Z  INFO export_completed: Export completed rows=5`.

use std::fmt::Write;

use super::line::{Line, plain};

/// The line with its end. An event without a name begins with the module that it comes from.
pub(super) fn render(line: &Line) -> String {
    let name = line.event.as_deref().unwrap_or(&line.target);
    let mut out = format!("{} {:>5} ", line.time, line.level);
    escape(name, &mut out);
    out.push(':');
    if !line.message.is_empty() {
        out.push(' ');
        escape(&line.message, &mut out);
    }
    for (name, value) in &line.fields {
        let value = plain(value);
        let is_word =
            !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c == '"' || c == '=');
        // Writing to a String can't fail.
        let _ = write!(out, " {name}=");
        if is_word {
            escape(&value, &mut out);
        } else {
            let _ = write!(out, "{value:?}");
        }
    }
    out.push('\n');
    out
}

/// A line stays one line, and no value can move a terminal's cursor.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
}
