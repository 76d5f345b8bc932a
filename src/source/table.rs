//! What the schema says of the table.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::SourceError;
use crate::config;
use crate::record::{KeyKind, Mapping, Shape};

/// Names of the rowid, of which a table may use up to three for columns of its own.
const ROWID_NAMES: [&str; 3] = ["rowid", "_rowid_", "oid"];

/// The table as it was when it was looked at.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// Its columns and what they mean.
    pub(super) shape: Shape,
    /// The expression for the rowid; `None` in a `WITHOUT ROWID` table.
    pub(super) rowid: Option<String>,
    /// SQLite's schema cookie: another one means that some definition changed.
    pub(super) schema_version: i64,
    /// The duplicate key's columns that the table lacks.
    pub(super) missing_duplicate: Vec<String>,
    /// Columns that the mapping names and the table lacks, with the configuration's key that names them.
    pub(super) missing_mapped: Vec<String>,
}

impl Table {
    /// Looks at the table.
    pub(super) fn inspect(
        connection: &Connection,
        sqlite: &config::Sqlite,
        duplicate_key: &[String],
    ) -> Result<Self, SourceError> {
        let fail = |error: rusqlite::Error| SourceError::from_sqlite(&error, &sqlite.path);
        let unusable = |why| SourceError::Unusable { table: sqlite.table.clone(), why };
        let (name, kind, without_rowid): (String, String, bool) = connection
            .query_row(
                "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE NOCASE",
                [&sqlite.table],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .optional()
            .map_err(fail)?
            .ok_or_else(|| SourceError::NoTable(sqlite.table.clone()))?;
        match kind.as_str() {
            "table" => {}
            "view" => {
                return Err(unusable("it is a view, whose rows have no key: name the table beneath it"));
            }
            _ => return Err(unusable("it is a virtual table: copy its rows into an ordinary table")),
        }

        let columns: Vec<(String, u32)> = connection
            .prepare("SELECT name, pk FROM pragma_table_xinfo(?1)")
            .and_then(|mut statement| {
                statement.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
            })
            .map_err(fail)?;
        let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
        let mut key: Vec<(u32, usize)> = columns
            .iter()
            .enumerate()
            .filter(|(_, (_, pk))| *pk > 0)
            .map(|(at, (_, pk))| (*pk, at))
            .collect();
        key.sort_unstable();
        let key: Vec<usize> = key.into_iter().map(|(_, at)| at).collect();

        let key_kind = if without_rowid {
            KeyKind::WithoutRowid
        } else if key.is_empty() {
            KeyKind::None
        } else if has_key_index(connection, &name).map_err(fail)? {
            KeyKind::Declared
        } else {
            let (.., autoincrement) = connection
                .column_metadata(Some("main"), name.as_str(), names[key[0]].as_str())
                .map_err(fail)?;
            KeyKind::Integer { reusable: !autoincrement }
        };
        let rowid = match key_kind {
            KeyKind::WithoutRowid => None,
            KeyKind::Integer { .. } => Some(quoted(&names[key[0]])),
            _ => Some(free_rowid_name(&names).ok_or_else(|| {
                unusable("its columns use up every name of the rowid: give it an INTEGER PRIMARY KEY")
            })?),
        };

        let missing_mapped = missing_mapped(&sqlite.mapping, &names)?;
        let mut shape = Shape::mapped(&names, key_kind, key, &sqlite.mapping)?;
        shape.created = shape.find(&sqlite.created_column);
        shape.updated = shape.find(&sqlite.updated_column);
        let missing_duplicate: Vec<String> =
            duplicate_key.iter().filter(|name| shape.find(name).is_none()).cloned().collect();
        if missing_duplicate.is_empty() {
            shape.duplicate = duplicate_key.iter().filter_map(|name| shape.find(name)).collect();
        }
        let schema_version = schema_version(connection).map_err(fail)?;
        Ok(Self { shape, rowid, schema_version, missing_duplicate, missing_mapped })
    }
}

/// The columns that the mapping names and the table lacks: no reason to stop, as an application may drop a column.
///
/// # Errors
/// One that is to be left out is nearly the name of a column that would be exported: what left the host by a slip of the
/// pen can't be called back.
fn missing_mapped(mapping: &Mapping, columns: &[String]) -> Result<Vec<String>, SourceError> {
    let missing: Vec<_> =
        mapping.named().filter(|(_, name)| !columns.iter().any(|column| column == name)).collect();
    for &(_, name) in missing.iter().filter(|(key, _)| *key == "columns.exclude") {
        let exported = columns.iter().map(String::as_str);
        let exported = exported.filter(|column| mapping.lets_through(column) && may_be_meant(name, column));
        if let Some(near) = config::nearest(name, exported) {
            return Err(SourceError::Slip { column: name.to_owned(), near: near.to_owned() });
        }
    }
    Ok(missing.into_iter().map(|(key, name)| format!("{key}: {name}")).collect())
}

/// Whether one name may be a slip for the other at all: `address2` is a column of its own beside `address1`, and among names
/// of a few letters each is near to each.
fn may_be_meant(name: &str, column: &str) -> bool {
    let letters = |name: &str| name.replace(|c: char| c.is_ascii_digit(), "");
    name.eq_ignore_ascii_case(column) || (column.len() > 3 && letters(name) != letters(column))
}

/// SQLite's schema cookie.
pub(super) fn schema_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA main.schema_version", [], |row| row.get(0))
}

/// A name as SQL quotes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Whether the primary key has an index of its own: then it isn't the rowid.
fn has_key_index(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM pragma_index_list(?1) WHERE origin = 'pk')",
        params![table],
        |row| row.get(0),
    )
}

fn free_rowid_name(columns: &[String]) -> Option<String> {
    ROWID_NAMES
        .into_iter()
        .find(|name| !columns.iter().any(|column| column.eq_ignore_ascii_case(name)))
        .map(str::to_owned)
}
