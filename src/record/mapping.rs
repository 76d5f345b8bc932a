//! What of a row arrives, under which names and as which types: as it is configured, and as it applies to one table.
//!
//! What holds: a document's names are each there once, and none is a name that the document needs for itself. Without a
//! configured mapping every column arrives under its own name, as SQLite stores it.

use std::collections::{BTreeMap, HashMap};

use mongodb::bson::Bson;
use mongodb::bson::raw::{CString, RawBson};

use super::conversion::Type;
use super::digest::Digest;
use super::duplicate::Part;

/// Names that the exported document needs for itself.
pub const RESERVED: [&str; 2] = ["_id", "export_metadata"];

/// The mapping as it is configured, by names of columns.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    /// The only columns that arrive; empty: all.
    pub include: Vec<String>,
    /// Columns that don't arrive.
    pub exclude: Vec<String>,
    /// Columns, and the names of their fields in the document.
    pub rename: BTreeMap<String, String>,
    /// Columns, and what their values become.
    pub types: BTreeMap<String, Type>,
    /// Fields that are the same in each document: texts, numbers and truth values.
    pub constants: BTreeMap<String, Bson>,
}

impl Mapping {
    /// Whether a column of this name arrives.
    #[must_use]
    pub fn lets_through(&self, column: &str) -> bool {
        (self.include.is_empty() || self.include.iter().any(|name| name == column))
            && !self.exclude.iter().any(|name| name == column)
    }

    /// The name of the column's field in the document.
    #[must_use]
    pub fn name_of<'a>(&'a self, column: &'a str) -> &'a str {
        self.rename.get(column).map_or(column, String::as_str)
    }

    /// The columns that it names, and the configuration's key that names each.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let included = self.include.iter().map(|name| ("columns.include", name));
        let excluded = self.exclude.iter().map(|name| ("columns.exclude", name));
        let renamed = self.rename.keys().map(|name| ("rename", name));
        let converted = self.types.keys().map(|name| ("types", name));
        let all = included.chain(excluded).chain(renamed).chain(converted);
        all.map(|(key, name)| (key, name.as_str()))
    }
}

/// A column that can't be kept in a document as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "column {column:?} can't be exported: {why}; rename it, in the table or by [rename], or leave it out by columns.exclude"
)]
pub struct UnusableColumn {
    column: String,
    why: String,
}

impl UnusableColumn {
    pub(super) fn new(column: &str, why: &str) -> Self {
        Self { column: column.to_owned(), why: why.to_owned() }
    }
}

/// A field of the document that a column becomes.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: CString,
    pub(super) to: Option<Type>,
}

/// The mapping as it applies to one table.
#[derive(Debug)]
pub(super) struct Plan {
    /// What each column becomes, in the table's order; `None` if it doesn't arrive.
    pub(super) fields: Vec<Option<Field>>,
    /// The fields that are the same in each document.
    pub(super) constants: Vec<(CString, RawBson)>,
    /// Whether a document is anything else than its row as it is.
    pub(super) changes: bool,
}

impl Plan {
    /// What becomes of these columns.
    ///
    /// # Errors
    /// A name that the document needs for itself, that BSON can't hold, or that is there twice.
    pub(super) fn new(columns: &[String], mapping: &Mapping) -> Result<Self, UnusableColumn> {
        let mut taken: HashMap<&str, String> = HashMap::new();
        for name in RESERVED {
            taken.insert(name, "is needed by the exported document itself".to_owned());
        }
        for name in mapping.constants.keys() {
            taken.insert(name, "is that of a constant".to_owned());
        }
        let mut fields = Vec::with_capacity(columns.len());
        let mut changes = !mapping.constants.is_empty();
        for column in columns {
            if !mapping.lets_through(column) {
                changes = true;
                fields.push(None);
                continue;
            }
            let name = mapping.name_of(column);
            if let Some(by) = taken.insert(name, format!("is that of column {column:?}")) {
                return Err(UnusableColumn::new(column, &format!("the name {name:?} {by}")));
            }
            let to = mapping.types.get(column).copied();
            changes |= name != column || to.is_some();
            let name =
                CString::try_from(name).map_err(|_| UnusableColumn::new(column, "its name holds a NUL"))?;
            fields.push(Some(Field { name, to }));
        }
        // Names of constants hold no NUL: the configuration has seen to that.
        let constants = mapping.constants.iter().filter_map(|(name, value)| {
            Some((CString::try_from(name.as_str()).ok()?, RawBson::try_from(value.clone()).ok()?))
        });
        Ok(Self { fields, constants: constants.collect(), changes })
    }

    /// Feeds what it changes to a hash: documents that were written by another plan are others.
    pub(super) fn feed(&self, columns: &[CString], digest: &mut Digest) {
        for (column, field) in columns.iter().zip(&self.fields) {
            let Some(Field { name, to }) = field else { continue };
            digest.text(column.as_str());
            digest.text(name.as_str());
            digest.text(to.map_or("", Type::name));
        }
        digest.text("constants");
        for (name, value) in &self.constants {
            digest.text(name.as_str());
            if let Some(part) = Part::of(value.as_raw_bson_ref()) {
                part.feed(digest);
            }
        }
    }
}
