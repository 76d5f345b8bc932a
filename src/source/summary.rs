//! The table at a glance: how many rows, a few of them, and who they are.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Map, Value};

use super::SourceError;
use super::access::Access;
use super::reader::{Reader, RowRef, Visitor};
use super::table::quoted;
use crate::config;
use crate::record::{Shape, ValueRef, shown};
use crate::report::Summary;

/// How many rows are shown.
const SAMPLES: u32 = 5;

/// How many different values a distribution tells at most; the rest is added up under `"other"`.
const VALUES: usize = 200;

/// Bytes of a value that are shown at most.
const LONGEST: usize = 16 * 1024;

/// How long counting may take.
pub const SUMMARY_LIMIT: Duration = Duration::from_secs(30);

/// Reads the summary. Each part of it is a read of its own, so that the application's write-ahead log can be emptied in between.
///
/// # Errors
/// Whatever keeps the table from being read, or that it takes longer than [`SUMMARY_LIMIT`].
pub fn summary(config: &config::Sqlite) -> Result<Summary, SourceError> {
    let end = Instant::now() + SUMMARY_LIMIT;
    let mut reader = Reader::open(config, &[])?;
    let total_records = reader.count(None)?;
    let mut samples = Samples { shape: reader.shape().clone(), records: Vec::new() };
    reader.page(None, SAMPLES, &mut samples)?;
    let shape = samples.shape;
    let mut access = Access::until(&config.path, end);
    let mut ask = |part: &dyn Fn(&Connection) -> rusqlite::Result<Value>| {
        access.read(|connection, _| {
            part(connection).map_err(|error| SourceError::from_sqlite(&error, &config.path))
        })
    };
    let (table, mut statistics) = (quoted(&config.table), Map::new());
    for column in config.summary_unique.iter().filter(|name| shape.find(name).is_some()) {
        let count = ask(&|connection| unique(connection, &table, column))?;
        statistics.insert(format!("unique_{}s", snake_case(column)), count);
    }
    for column in config.summary_distribution.iter().filter(|name| shape.find(name).is_some()) {
        let counts = ask(&|connection| distribution(connection, &table, column))?;
        statistics.insert(format!("{}_distribution", snake_case(column)), counts);
    }
    Ok(Summary { total_records, sample_records: samples.records, statistics })
}

fn unique(connection: &Connection, table: &str, column: &str) -> rusqlite::Result<Value> {
    let sql = format!("SELECT count(DISTINCT {}) FROM main.{table}", quoted(column));
    connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).map(Value::from)
}

fn distribution(connection: &Connection, table: &str, column: &str) -> rusqlite::Result<Value> {
    let name = quoted(column);
    let sql = format!("SELECT {name}, count(*) FROM main.{table} GROUP BY {name} ORDER BY 2 DESC, 1");
    let mut distribution = Map::new();
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let key = match brief(ValueRef::from(row.get_ref(0)?)) {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let key = if distribution.len() < VALUES { key } else { "other".to_owned() };
        let count: i64 = row.get(1)?;
        let sum = distribution.get(&key).and_then(Value::as_i64).unwrap_or(0) + count;
        distribution.insert(key, sum.into());
    }
    Ok(distribution.into())
}

/// The value as it is shown; of a long one its beginning.
fn brief(value: ValueRef<'_>) -> Value {
    let cut = |bytes: &[u8]| bytes.len() > LONGEST;
    let (value, is_cut) = match value {
        ValueRef::Text(text) if cut(text) => (ValueRef::Text(beginning(text)), true),
        ValueRef::Blob(blob) if cut(blob) => (ValueRef::Blob(&blob[..LONGEST]), true),
        whole => (whole, false),
    };
    match shown(value) {
        Value::String(text) if is_cut => (text + "…").into(),
        value => value,
    }
}

/// Of a text, as much as may be shown, without half a character at the end.
fn beginning(text: &[u8]) -> &[u8] {
    let end = (LONGEST - 3..=LONGEST).rev().find(|&end| text[end] & 0xC0 != 0x80);
    &text[..end.unwrap_or(LONGEST)]
}

struct Samples {
    shape: Shape,
    records: Vec<Map<String, Value>>,
}

impl Visitor for Samples {
    fn begin(&mut self) {
        self.records.clear();
    }

    fn row(&mut self, row: RowRef<'_>) -> ControlFlow<()> {
        let columns = self.shape.columns().iter().zip(row.values).enumerate();
        let exported = columns.filter(|(place, _)| self.shape.field(*place).is_some());
        self.records.push(
            exported
                .map(|(_, column)| column)
                .map(|(name, value)| {
                    let value = match (name.as_str(), brief(*value)) {
                        ("id", Value::Number(number)) => number.to_string().into(),
                        (_, value) => value,
                    };
                    (name.as_str().to_owned(), value)
                })
                .collect(),
        );
        ControlFlow::Continue(())
    }
}

/// `parentType` → `parent_type`.
fn snake_case(name: &str) -> String {
    name.chars().fold(String::new(), |mut snake, c| {
        if c.is_ascii_uppercase() {
            if !snake.is_empty() {
                snake.push('_');
            }
            snake.push(c.to_ascii_lowercase());
        } else {
            snake.push(c);
        }
        snake
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_value_its_beginning_is_shown_in_whole_characters() {
        let short = "é".repeat(LONGEST / 2);
        assert_eq!(brief(ValueRef::Text(short.as_bytes())), short);
        for shift in ["", "a", "ab"] {
            let long = format!("{shift}{}", "€".repeat(LONGEST));
            let Value::String(text) = brief(ValueRef::Text(long.as_bytes())) else { panic!("a text") };
            let text = text.strip_suffix('…').expect("it is cut");
            assert!(long.starts_with(text) && (LONGEST - 3..=LONGEST).contains(&text.len()));
        }
        let Value::String(text) = brief(ValueRef::Blob(&[1; LONGEST + 1])) else { panic!("a text") };
        assert!(text.ends_with('…') && text.len() < 3 * LONGEST);
    }
}
