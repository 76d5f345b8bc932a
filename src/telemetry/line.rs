//! One event, taken apart: what all forms of the log are made from.

use std::error::Error;
use std::fmt;

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use crate::report::Timestamp;

/// One event.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) time: Timestamp,
    pub(super) level: Level,
    /// The module that it comes from.
    pub(super) target: String,
    /// The stable name of what happened, from the field `event`.
    pub(super) event: Option<String>,
    pub(super) message: String,
    /// All other fields in their order: numbers, truth values or texts.
    pub(super) fields: Vec<(&'static str, Value)>,
}

impl Line {
    pub(super) fn of(event: &Event<'_>) -> Self {
        let metadata = event.metadata();
        let mut line = Self::new(*metadata.level(), metadata.target());
        event.record(&mut line);
        line
    }

    /// A line without content.
    pub(super) fn new(level: Level, target: &str) -> Self {
        Self {
            time: Timestamp::now(),
            level,
            target: target.to_owned(),
            event: None,
            message: String::new(),
            fields: Vec::new(),
        }
    }

    fn text(&mut self, field: &Field, text: String) {
        match field.name() {
            "message" => self.message = text,
            "event" => self.event = Some(text),
            name => self.fields.push((name, Value::String(text))),
        }
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value.to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let causes = std::iter::successors(Some(value), |&error| error.source());
        self.text(field, causes.map(ToString::to_string).collect::<Vec<_>>().join(": "));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has neither NaN nor infinity.
        let value = if value.is_finite() { value.into() } else { Value::String(value.to_string()) };
        self.fields.push((field.name(), value));
    }
}

/// A field's value as a plain text.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
