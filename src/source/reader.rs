//! The table's rows in the order of their positions, a page at a time.

use std::ops::ControlFlow;

use mongodb::bson::raw::CString;
use rusqlite::{Connection, params_from_iter};

use super::access::Access;
use super::table::{Table, quoted, schema_version};
use super::{SourceError, Stamp};
use crate::config;
use crate::record::{KeyKind, Position, Shape, Value, ValueRef};

/// How far a page is cut down when writers keep disturbing it.
const SMALLEST_PAGE: u32 = 25;

/// A row while it stands in SQLite's memory.
pub struct RowRef<'a> {
    /// Where it stands.
    pub position: Position,
    /// Its values, in the order of the shape's columns; NULL where nothing depends on them.
    pub values: &'a [ValueRef<'a>],
}

/// Takes the rows of a page.
pub trait Visitor {
    /// A page begins, perhaps again: what was taken since the last page ended doesn't count.
    fn begin(&mut self);
    /// One row; [`ControlFlow::Break`] ends the page after it.
    fn row(&mut self, row: RowRef<'_>) -> ControlFlow<()>;
}

/// How a page ended.
#[derive(Clone, Debug)]
pub struct PageEnd {
    /// The last row's position; `None` if there was no row.
    pub last: Option<Position>,
    /// Whether the table's end was reached.
    pub done: bool,
}

/// Reads one table.
pub struct Reader {
    access: Access,
    config: config::Sqlite,
    table: Table,
    first_page: String,
    next_page: String,
    one_row: String,
}

impl Reader {
    /// Opens the database and looks at the table.
    ///
    /// # Errors
    /// Whatever keeps the table from being read; see [`SourceError`].
    pub fn open(config: &config::Sqlite, duplicate_key: &[String]) -> Result<Self, SourceError> {
        let mut access = Access::new(&config.path);
        let table = access.read(|connection, _| Table::inspect(connection, config, duplicate_key))?;
        let (first_page, next_page, one_row) = statements(config, &table);
        Ok(Self { access, config: config.clone(), table, first_page, next_page, one_row })
    }

    /// The table's columns and what they mean.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.table.shape
    }

    /// Columns of the configured duplicate key that the table lacks; not empty: no row is anybody's duplicate.
    #[must_use]
    pub fn missing_duplicate_columns(&self) -> &[String] {
        &self.table.missing_duplicate
    }

    /// Columns that the configuration of columns names and the table lacks, each as `key: column`.
    #[must_use]
    pub fn missing_mapped_columns(&self) -> &[String] {
        &self.table.missing_mapped
    }

    /// What the files look like now.
    ///
    /// # Errors
    /// The database file is missing or can't be looked at.
    pub fn stamp(&self) -> Result<Stamp, SourceError> {
        Stamp::take(&self.config.path)
    }

    /// The number of rows, of those behind `after` if it is given.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub fn count(&mut self, after: Option<i64>) -> Result<u64, SourceError> {
        let table = quoted(&self.config.table);
        let sql = match (&self.table.rowid, after) {
            (Some(rowid), Some(after)) => {
                format!("SELECT count(*) FROM main.{table} WHERE {rowid} > {after}")
            }
            _ => format!("SELECT count(*) FROM main.{table}"),
        };
        let path = &self.config.path;
        self.access.read(|connection, _| {
            connection
                .query_row(&sql, [], |row| row.get::<_, i64>(0))
                .map(|count| count.unsigned_abs())
                .map_err(|error| SourceError::from_sqlite(&error, path))
        })
    }

    /// Whether new rows come behind the others, as a rule: rowids grow, and at most a `VACUUM` gives them anew.
    #[must_use]
    pub fn has_growing_rowids(&self) -> bool {
        matches!(self.table.shape.key_kind, KeyKind::Integer { .. } | KeyKind::Declared)
    }

    /// Whether a row's rowid stays its own for as long as the row lives.
    #[must_use]
    pub fn has_lasting_rowids(&self) -> bool {
        matches!(self.table.shape.key_kind, KeyKind::Integer { .. })
    }

    /// The highest rowid; `None` if the table is empty, or has none.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub fn highest_rowid(&mut self) -> Result<Option<i64>, SourceError> {
        let Some(rowid) = &self.table.rowid else { return Ok(None) };
        let sql = format!("SELECT max({rowid}) FROM main.{}", quoted(&self.config.table));
        let path = &self.config.path;
        self.access.read(|connection, _| {
            connection
                .query_row(&sql, [], |row| row.get(0))
                .map_err(|error| SourceError::from_sqlite(&error, path))
        })
    }

    /// Gives the rows behind `after`, at most `rows` of them, to `visitor`. All of a page is one committed state.
    ///
    /// # Errors
    /// [`SourceError::SchemaChanged`] if the table isn't what it was at [`Reader::open`]; else see [`SourceError`].
    pub fn page(
        &mut self,
        after: Option<&Position>,
        rows: u32,
        visitor: &mut dyn Visitor,
    ) -> Result<PageEnd, SourceError> {
        let sql = if after.is_some() { self.next_page.clone() } else { self.first_page.clone() };
        self.read(&sql, after, rows, visitor)
    }

    /// Gives the row at `position` to `visitor`, if there is one.
    ///
    /// # Errors
    /// As [`Reader::page`].
    pub fn row(&mut self, position: &Position, visitor: &mut dyn Visitor) -> Result<(), SourceError> {
        let sql = self.one_row.clone();
        self.read(&sql, Some(position), 1, visitor).map(drop)
    }

    fn read(
        &mut self,
        sql: &str,
        place: Option<&Position>,
        rows: u32,
        visitor: &mut dyn Visitor,
    ) -> Result<PageEnd, SourceError> {
        let (config, table) = (&self.config, &self.table);
        self.access.read(|connection, disturbed| {
            let limit = (rows >> disturbed.min(16)).max(SMALLEST_PAGE.min(rows));
            visitor.begin();
            read_page(connection, sql, table, place, limit, visitor)
                .map_err(|error| SourceError::from_sqlite(&error, &config.path))?
                .ok_or(SourceError::SchemaChanged)
        })
    }
}

/// Reads a page; `None` if the schema isn't the one that the statement was made for.
fn read_page(
    connection: &Connection,
    sql: &str,
    table: &Table,
    after: Option<&Position>,
    limit: u32,
    visitor: &mut dyn Visitor,
) -> rusqlite::Result<Option<PageEnd>> {
    if schema_version(connection)? != table.schema_version {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached(sql)?;
    let lower: Vec<ValueRef<'_>> = match after {
        None => Vec::new(),
        Some(Position::Rowid(rowid)) => vec![ValueRef::Integer(*rowid)],
        Some(Position::Key(values)) => values.iter().map(Value::as_ref).collect(),
    };
    let limit_value = ValueRef::Integer(i64::from(limit));
    let mut rows = statement.query(params_from_iter(lower.into_iter().chain([limit_value])))?;
    let lead = usize::from(table.rowid.is_some());
    let width = table.shape.columns().len();
    let mut count = 0;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let mut values = Vec::with_capacity(width);
        for column in 0..width {
            values.push(ValueRef::from(row.get_ref(lead + column)?));
        }
        let position = match &table.rowid {
            Some(_) => Position::Rowid(row.get(0)?),
            None => Position::Key(table.shape.key.iter().map(|&column| values[column].to_owned()).collect()),
        };
        last = Some(position.clone());
        count += 1;
        if visitor.row(RowRef { position, values: &values }).is_break() {
            return Ok(Some(PageEnd { last, done: false }));
        }
    }
    Ok(Some(PageEnd { last, done: count < limit }))
}

/// The statements for the first and for each following page, and for the row at one place.
fn statements(config: &config::Sqlite, table: &Table) -> (String, String, String) {
    let shape = &table.shape;
    // What nothing depends on isn't read, however large it is.
    let column = |(place, name): (usize, &CString)| {
        if shape.is_needed(place) { quoted(name.as_str()) } else { "NULL".to_owned() }
    };
    let columns: Vec<String> = shape.columns().iter().enumerate().map(column).collect();
    let columns = columns.join(", ");
    let from = format!("FROM main.{}", quoted(&config.table));
    match &table.rowid {
        Some(rowid) => (
            format!("SELECT {rowid}, {columns} {from} ORDER BY {rowid} LIMIT ?1"),
            format!("SELECT {rowid}, {columns} {from} WHERE {rowid} > ?1 ORDER BY {rowid} LIMIT ?2"),
            format!("SELECT {rowid}, {columns} {from} WHERE {rowid} = ?1 LIMIT ?2"),
        ),
        None => {
            let key: Vec<String> = shape.key.iter().map(|&column| quoted(shape.name(column))).collect();
            let (list, width) = (key.join(", "), key.len());
            let place: Vec<String> = (1..=width).map(|n| format!("?{n}")).collect();
            let (place, limit) = (place.join(", "), width + 1);
            (
                format!("SELECT {columns} {from} ORDER BY {list} LIMIT ?1"),
                format!("SELECT {columns} {from} WHERE ({list}) > ({place}) ORDER BY {list} LIMIT ?{limit}"),
                format!("SELECT {columns} {from} WHERE ({list}) = ({place}) LIMIT ?{limit}"),
            )
        }
    }
}
