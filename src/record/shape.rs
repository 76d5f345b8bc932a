//! What is known of a table: its columns and which of them mean something.

use mongodb::bson::raw::CString;

/// How rows of the table are told apart by SQLite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// `INTEGER PRIMARY KEY`: the rowid under a name. `reusable` unless declared `AUTOINCREMENT`.
    Integer {
        /// Whether SQLite may give the key of a deleted row to a new one.
        reusable: bool,
    },
    /// Another primary key, on a table with rowids.
    Declared,
    /// The primary key of a `WITHOUT ROWID` table.
    WithoutRowid,
    /// No primary key: only the implicit rowid, which a `VACUUM` may change.
    None,
}

/// What a row's `_id` is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Primary key and creation column.
    KeyAndCreation,
    /// Primary key alone: it is never given to another row.
    Key,
    /// Every value of the row that isn't NULL, under its column's name.
    Content,
    /// Every value, and how many equal rows come before this one: there is no key to tell them apart.
    ContentAndRank,
}

/// Names that the exported document needs for itself.
const RESERVED: [&str; 2] = ["_id", "export_metadata"];

/// A column whose name can't be kept in a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {name:?} can't be exported: the name {why}; rename it, or export a table without it")]
pub struct UnusableColumn {
    name: String,
    why: &'static str,
}

/// A table: column names in the table's own order, and the places of those that mean something.
#[derive(Clone, Debug)]
pub struct Shape {
    columns: Vec<CString>,
    /// How rows are told apart.
    pub key_kind: KeyKind,
    /// The primary key's columns, in the key's order. Empty if there is none.
    pub key: Vec<usize>,
    /// The creation column, if the table has it.
    pub created: Option<usize>,
    /// The column of the last change, if the table has it.
    pub updated: Option<usize>,
    /// The duplicate key's columns; empty if the table lacks one of them, or none is configured.
    pub duplicate: Vec<usize>,
}

impl Shape {
    /// A table of these columns, of which none means anything yet.
    ///
    /// # Errors
    /// A name that the exported document needs for itself, or that BSON can't hold.
    pub fn new(names: &[String], key_kind: KeyKind, key: Vec<usize>) -> Result<Self, UnusableColumn> {
        let mut columns = Vec::with_capacity(names.len());
        for name in names {
            let unusable = |why| UnusableColumn { name: name.clone(), why };
            if RESERVED.contains(&name.as_str()) {
                return Err(unusable("is needed by the exported document itself"));
            }
            columns.push(CString::try_from(name.as_str()).map_err(|_| unusable("holds a NUL"))?);
        }
        Ok(Self { columns, key_kind, key, created: None, updated: None, duplicate: Vec::new() })
    }

    /// What a row's `_id` is made of, in this table.
    #[must_use]
    pub fn identity(&self) -> Identity {
        match (&self.key_kind, self.created) {
            (KeyKind::None, _) => Identity::ContentAndRank,
            (_, Some(_)) => Identity::KeyAndCreation,
            (KeyKind::Integer { reusable: true }, None) => Identity::Content,
            (_, None) => Identity::Key,
        }
    }

    /// Every column, by its own name, in the table's order.
    #[must_use]
    pub fn columns(&self) -> &[CString] {
        &self.columns
    }

    /// The name of a column.
    #[must_use]
    pub fn name(&self, column: usize) -> &str {
        self.columns[column].as_str()
    }

    /// The place of a column, by its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.as_str() == name)
    }
}
