//! What is known of a table: its columns, which of them mean something, and what becomes of them.

use std::sync::Arc;

use mongodb::bson::Bson;
use mongodb::bson::raw::CString;

use super::conversion::{Type, convert, most_bytes};
use super::mapping::{Field, Plan};
use super::{Mapping, UnusableColumn, ValueRef};

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

/// A table: column names in the table's own order, and the places of those that mean something.
#[derive(Clone, Debug)]
pub struct Shape {
    columns: Vec<CString>,
    pub(super) plan: Arc<Plan>,
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
    /// A table of these columns, of which none means anything yet, and all arrive as they are.
    ///
    /// # Errors
    /// A name that the exported document needs for itself, or that BSON can't hold.
    pub fn new(names: &[String], key_kind: KeyKind, key: Vec<usize>) -> Result<Self, UnusableColumn> {
        Self::mapped(names, key_kind, key, &Mapping::default())
    }

    /// The same, of which arrives what the mapping says.
    ///
    /// # Errors
    /// Names in the document that it needs for itself, that BSON can't hold, or that are there twice.
    pub fn mapped(
        names: &[String],
        key_kind: KeyKind,
        key: Vec<usize>,
        mapping: &Mapping,
    ) -> Result<Self, UnusableColumn> {
        let plan = Arc::new(Plan::new(names, mapping)?);
        let columns = names.iter().map(|name| {
            CString::try_from(name.as_str()).map_err(|_| UnusableColumn::new(name, "its name holds a NUL"))
        });
        let columns = columns.collect::<Result<_, _>>()?;
        Ok(Self { columns, plan, key_kind, key, created: None, updated: None, duplicate: Vec::new() })
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

    /// Whether the configuration makes something else of the columns than they are.
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        self.plan.changes
    }

    /// The name of the column's field in the document; `None` if the column doesn't arrive.
    #[must_use]
    pub fn field(&self, column: usize) -> Option<&str> {
        self.plan.fields[column].as_ref().map(|field| field.name.as_str())
    }

    /// The names of the constant fields, and the bytes that each value takes, roughly.
    pub(super) fn constants(&self) -> impl Iterator<Item = (&str, usize)> {
        self.plan.constants.iter().map(|(name, value)| (name.as_str(), value.as_str().map_or(8, str::len)))
    }

    /// Whether values of a column become something else than they are.
    #[must_use]
    pub fn converts(&self) -> bool {
        self.plan.fields.iter().flatten().any(|field| field.to.is_some())
    }

    /// The bytes that a value of the column takes in the document at most, beside what there is around any.
    pub(super) fn weight(&self, column: usize, value: ValueRef<'_>) -> usize {
        let to = self.plan.fields[column].as_ref().and_then(|field| field.to);
        to.map_or(value.weight(), |to| most_bytes(value, to))
    }

    /// By how much the row may become larger as it is converted, in bytes. Only JSON makes much of little.
    #[must_use]
    pub fn growth(&self, values: &[ValueRef<'_>]) -> usize {
        let json = |field: &Option<Field>| field.as_ref().is_some_and(|field| field.to == Some(Type::Json));
        let columns = values.iter().enumerate().filter(|(column, _)| json(&self.plan.fields[*column]));
        columns.map(|(column, value)| self.weight(column, *value).saturating_sub(value.weight())).sum()
    }

    /// Whether anything depends on the column's values: they arrive, or tell rows apart.
    #[must_use]
    pub fn is_needed(&self, column: usize) -> bool {
        // A declared key may be NULL, and then all of the row tells it apart.
        let by_key = matches!(self.key_kind, KeyKind::Integer { .. } | KeyKind::WithoutRowid)
            && matches!(self.identity(), Identity::KeyAndCreation | Identity::Key);
        !by_key
            || self.plan.fields[column].is_some()
            || self.key.contains(&column)
            || self.created == Some(column)
    }

    /// The names that the duplicate key's columns have in the document.
    #[must_use]
    pub fn duplicate_fields(&self) -> Vec<String> {
        self.duplicate.iter().filter_map(|&column| self.field(column)).map(str::to_owned).collect()
    }

    /// The name that the column of the last change has in the document, if it is there.
    #[must_use]
    pub fn updated_field(&self) -> Option<String> {
        let field = self.plan.fields[self.updated?].as_ref()?;
        // What may be of any size and depth is no time, and isn't read back.
        (field.to != Some(Type::Json)).then(|| field.name.as_str().to_owned())
    }

    /// When the row was changed last, as its document says it; null if it doesn't.
    #[must_use]
    pub fn updated_value(&self, values: &[ValueRef<'_>]) -> Bson {
        let Some(column) = self.updated else { return Bson::Null };
        match &self.plan.fields[column] {
            None => Bson::Null,
            Some(Field { to: None, .. }) => super::bson(values[column]),
            // Of which nobody can say that it is older.
            Some(Field { to: Some(Type::Json), .. }) => Bson::Null,
            Some(Field { to: Some(to), .. }) => convert(values[column], *to, usize::MAX)
                .ok()
                .and_then(|value| Bson::try_from(value).ok())
                .unwrap_or(Bson::Null),
        }
    }
}
