//! SQLite and the collection, row by row.

use std::collections::{HashMap, HashSet};

use mongodb::bson::{Bson, Document};
use rusqlite::types::ValueRef;

use crate::support::sqlite::App;

/// Where the collection isn't what the rules say. Each entry tells a row's id.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// A person's first row that isn't there.
    pub(super) lost: Vec<String>,
    /// A row that is there twice, or that ought to have been skipped.
    pub(super) doubled: Vec<String>,
    /// A row that is there with other values, or with wrong metadata.
    pub(super) altered: Vec<String>,
}

impl Difference {
    pub(super) fn is_empty(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty() && self.altered.is_empty()
    }

    /// Compares. The rules: the first row of each person, once, with the values that SQLite has.
    pub(super) fn between(app: &mut App, documents: &[Document]) -> Self {
        let rows = rows(app);
        let mut persons = HashSet::new();
        let mut wanted: HashMap<String, &Document> = HashMap::new();
        for row in &rows {
            if persons.insert((row.get("email").cloned().map(text), row.get("mobile").cloned().map(text))) {
                wanted.insert(row.get("id").map_or_else(String::new, ToString::to_string), row);
            }
        }
        let mut difference = Self::default();
        for document in documents {
            let id = document
                .get_document("export_metadata")
                .and_then(|metadata| metadata.get_str("original_sqlite_id"))
                .unwrap_or("without metadata")
                .to_owned();
            match wanted.remove(&id) {
                None => difference.doubled.push(id),
                Some(row) if is_copy(document, row) => {}
                Some(_) => difference.altered.push(id),
            }
        }
        difference.lost.extend(wanted.into_keys());
        difference
    }
}

fn is_copy(document: &Document, row: &Document) -> bool {
    let mut columns = document.clone();
    columns.remove("_id");
    let metadata = columns.remove("export_metadata");
    let Some(Bson::Document(metadata)) = metadata else { return false };
    let word = |name| metadata.get_str(name).unwrap_or_default();
    columns == *row
        && word("export_version") == "1.0"
        && word("export_id").starts_with("export_2")
        && word("exported_at").ends_with('Z')
        && !word("source").is_empty()
}

fn text(value: Bson) -> String {
    value.to_string()
}

/// The table's rows in the order of their ids, each as the documents ought to have it.
fn rows(app: &mut App) -> Vec<Document> {
    let mut statement = app
        .connection()
        .prepare("SELECT * FROM chat_inquiry_information ORDER BY id")
        .expect("the table as created");
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let rows = statement.query_map([], |row| {
        let mut document = Document::new();
        for (at, name) in names.iter().enumerate() {
            let value = match row.get_ref(at)? {
                ValueRef::Null => Bson::Null,
                ValueRef::Integer(id) => Bson::Int32(id.try_into().expect("few rows")),
                ValueRef::Text(text) => Bson::String(String::from_utf8_lossy(text).into_owned()),
                other => panic!("the application writes no {other:?}"),
            };
            document.insert(name, value);
        }
        Ok(document)
    });
    rows.and_then(Iterator::collect).expect("the table can be read")
}
