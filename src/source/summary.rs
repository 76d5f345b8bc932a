//! The table at a glance: how many rows, a few of them, and who they are.

use std::ops::ControlFlow;

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

/// Reads the summary.
///
/// # Errors
/// Whatever keeps the table from being read.
pub fn summary(config: &config::Sqlite) -> Result<Summary, SourceError> {
    let mut reader = Reader::open(config, &[])?;
    let total_records = reader.count(None)?;
    let mut samples = Samples { shape: reader.shape().clone(), records: Vec::new() };
    reader.page(None, SAMPLES, &mut samples)?;
    let shape = samples.shape;
    let statistics = Access::new(&config.path).read(|connection, _| {
        statistics(connection, config, &shape).map_err(|error| SourceError::from_sqlite(&error, &config.path))
    })?;
    Ok(Summary { total_records, sample_records: samples.records, statistics })
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
                    let value = match (name.as_str(), shown(*value)) {
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

fn statistics(
    connection: &Connection,
    config: &config::Sqlite,
    shape: &Shape,
) -> rusqlite::Result<Map<String, Value>> {
    let table = quoted(&config.table);
    let mut statistics = Map::new();
    for column in config.summary_unique.iter().filter(|name| shape.find(name).is_some()) {
        let sql = format!("SELECT count(DISTINCT {}) FROM main.{table}", quoted(column));
        let count: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
        statistics.insert(format!("unique_{}s", snake_case(column)), count.into());
    }
    for column in config.summary_distribution.iter().filter(|name| shape.find(name).is_some()) {
        let name = quoted(column);
        let sql = format!("SELECT {name}, count(*) FROM main.{table} GROUP BY {name} ORDER BY 2 DESC, 1");
        let mut distribution = Map::new();
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let key = match shown(ValueRef::from(row.get_ref(0)?)) {
                Value::String(text) => text,
                other => other.to_string(),
            };
            let key = if distribution.len() < VALUES { key } else { "other".to_owned() };
            let count: i64 = row.get(1)?;
            let sum = distribution.get(&key).and_then(Value::as_i64).unwrap_or(0) + count;
            distribution.insert(key, sum.into());
        }
        statistics.insert(format!("{}_distribution", snake_case(column)), distribution.into());
    }
    Ok(statistics)
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
