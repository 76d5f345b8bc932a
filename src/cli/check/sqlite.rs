//! The application's database: the file, how it is written, the table, and what makes its rows known.

use std::io::ErrorKind;

use super::verdict::Line;
use crate::config::Config;
use crate::record::{Identity, Shape};
use crate::source::{Journal, SourceError, Survey, survey};

pub(super) fn look(config: &Config) -> Vec<Line> {
    match survey(&config.sqlite, &config.export.duplicate_key) {
        Ok(found) => well(config, &found),
        Err(error) => broken(config, &error),
    }
}

fn broken(config: &Config, error: &SourceError) -> Vec<Line> {
    let path = config.sqlite.path.display();
    let (name, hint) = match error {
        SourceError::Missing(_) => ("file", "Correct sqlite.path, or start the application, which makes it."),
        SourceError::File { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            ("file", "Let this user read the file and enter its directories.")
        }
        SourceError::File { .. } => ("file", "Look at the file and its disk."),
        SourceError::NotADatabase(_) => ("file", "Correct sqlite.path."),
        SourceError::Busy(_) => ("journal", "Try again; if it stays so, see the head of the systemd unit."),
        SourceError::Slip { .. } => ("table", "Correct columns.exclude."),
        SourceError::NoTable(_) => {
            ("table", "Correct sqlite.table, or start the application, which makes it.")
        }
        SourceError::Unusable { .. } | SourceError::Column(_) => {
            ("table", "Do as it says, or name another table.")
        }
        SourceError::SchemaChanged => ("table", "Try again."),
        SourceError::Sqlite { .. } => {
            ("file", "Look at the rights on the file and its directory, and at the disk.")
        }
    };
    let mut lines = Vec::new();
    let order = ["file", "journal", "table"];
    let reached = order.iter().position(|stage| *stage == name).unwrap_or(0);
    if reached > 0 {
        lines.push(Line::ok("file", format!("{path} can be read")));
    }
    lines.push(Line::fail(name, error.to_string(), hint));
    lines.extend(
        order[reached + 1..]
            .iter()
            .chain(&["columns", "identity", "duplicates"])
            .map(|name| Line::unknown(name)),
    );
    lines
}

fn well(config: &Config, found: &Survey) -> Vec<Line> {
    let journal = match found.journal {
        Journal::Wal => {
            Line::ok("journal", "write-ahead log: the application is never in our way, nor we in its")
        }
        Journal::Rollback => Line::warn(
            "journal",
            "rollback journal: while the application writes, rows can't be read",
            "PRAGMA journal_mode = WAL in the application makes it smoother; nothing breaks without.",
        ),
    };
    vec![
        Line::ok("file", format!("{} can be read", config.sqlite.path.display())),
        journal,
        Line::ok("table", format!("{} has {} rows", config.sqlite.table, found.rows)),
        columns(config, found),
        identity(&found.shape),
        duplicates(config, found),
    ]
}

fn columns(config: &Config, found: &Survey) -> Line {
    const NAME: &str = "columns";
    let shape = &found.shape;
    let count = shape.columns().len();
    let (rows, times) = found.sample;
    if !found.missing_mapped.is_empty() {
        let detail = format!("{count} columns; the table lacks {}", found.missing_mapped.join(", "));
        return Line::warn(
            NAME,
            detail,
            "Correct the section [columns], if it isn't the application that dropped them.",
        );
    }
    if shape.created.is_none() {
        return Line::warn(
            NAME,
            format!("{count} columns, none named {}", config.sqlite.created_column),
            "If a column tells when a row was made, name it in sqlite.created_column, before the first export.",
        );
    }
    if times < rows {
        return Line::warn(
            NAME,
            format!(
                "{count} columns; {} isn't a time in {} of the first {rows} rows",
                config.sqlite.created_column,
                rows - times
            ),
            "Rows are told apart all the same; only their _ids don't tell when they were made.",
        );
    }
    if shape.updated.is_none() {
        let hint = "A changed row is written over its copy, whichever is newer.";
        return Line::warn(
            NAME,
            format!("{count} columns, none named {}", config.sqlite.updated_column),
            hint,
        );
    }
    Line::ok(NAME, format!("{count} columns; creation and change are told by their times"))
}

fn identity(shape: &Shape) -> Line {
    const NAME: &str = "identity";
    let key: Vec<&str> = shape.key.iter().map(|&column| shape.name(column)).collect();
    let key = key.join(", ");
    match shape.identity() {
        Identity::KeyAndCreation => Line::ok(NAME, format!("a row is known by {key} and its creation time")),
        Identity::Key => Line::ok(NAME, format!("a row is known by {key}")),
        Identity::Content => Line::warn(
            NAME,
            format!(
                "{key} may be given again, and there is no creation column: a row is known by its whole content"
            ),
            "Name the creation column in sqlite.created_column, or declare the key AUTOINCREMENT; else each change of a \
             row makes another document.",
        ),
        Identity::ContentAndRank => Line::warn(
            NAME,
            "the table has no key: a row is known by its content and the number of equal ones before it",
            "Give the table a primary key; else each change of a row makes another document.",
        ),
    }
}

fn duplicates(config: &Config, found: &Survey) -> Line {
    const NAME: &str = "duplicates";
    let key = config.export.duplicate_key.join(", ");
    if key.is_empty() || !config.export.skip_duplicates {
        return Line::ok(NAME, "duplicates are exported, too");
    }
    if !found.missing_duplicate.is_empty() {
        let detail = format!("the table lacks {}: no row is a duplicate", found.missing_duplicate.join(", "));
        return Line::warn(NAME, detail, "Correct export.duplicate_key.");
    }
    Line::ok(NAME, format!("rows with the same {key} are duplicates"))
}
