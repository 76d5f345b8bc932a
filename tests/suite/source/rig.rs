//! A daemon on an application's database, and what the collection ought to hold.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mongodb::bson::{Bson, Document};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use tempfile::TempDir;

use crate::support::daemon::{Builder, Daemon};
use crate::support::mongo::Mongo;
use crate::support::mongod::{fresh_database, shared_mongod};
use crate::support::sqlite::TABLE;
use crate::support::wait::{PATIENCE, poll};

/// Rows by how often they occur, each as one text that tells names, types and values.
pub(crate) type Rows = BTreeMap<String, usize>;

/// A daemon, its collection, and a directory for the application.
pub(crate) struct Rig {
    pub(crate) daemon: Daemon,
    pub(crate) mongo: Mongo,
    pub(crate) database: String,
    directory: TempDir,
}

impl Rig {
    /// A directory with a database name in it, for a daemon that is started later.
    pub(crate) fn new(test: &str, file: &str, configure: impl FnOnce(Builder) -> Builder) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join(file);
        let database = fresh_database(test);
        let builder =
            Daemon::builder(&path, &shared_mongod().uri()).set("mongodb.database", database.as_str());
        let daemon = configure(builder).prepare();
        Self { daemon, mongo: shared_mongod().client(), database, directory }
    }

    /// A running daemon on `inquiries.db`, which isn't there yet.
    pub(crate) fn start(test: &str) -> Self {
        let rig = Self::new(test, "inquiries.db", |builder| builder);
        rig.daemon.start();
        rig
    }

    /// Where the application keeps its files.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A file in the application's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What is in the collection.
    pub(crate) fn documents(&self) -> Rows {
        counted(self.mongo.find_all(&self.database, TABLE).iter().map(|document| {
            described(
                document.iter().filter(|(name, _)| !["_id", "export_metadata"].contains(&name.as_str())),
            )
        }))
    }

    /// Waits until the collection holds these rows, neither more nor less.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, wanted: &Rows) {
        let mut documents = Rows::new();
        let found = poll(PATIENCE, || {
            documents = self.documents();
            (documents == *wanted).then_some(())
        });
        if found.is_none() {
            let missing: Vec<_> = wanted.keys().filter(|row| !documents.contains_key(*row)).take(3).collect();
            let extra: Vec<_> = documents.keys().filter(|row| !wanted.contains_key(*row)).take(3).collect();
            panic!(
                "{what}: {} documents, {} wanted; missing {missing:?}; too much {extra:?}; status {}; log:\n{}",
                documents.values().sum::<usize>(),
                wanted.values().sum::<usize>(),
                self.daemon.status(),
                self.daemon.log().tail()
            );
        }
    }
}

/// The rows of a table, as they are now.
#[track_caller]
pub(crate) fn rows(connection: &Connection, table: &str) -> Rows {
    let sql = format!("SELECT * FROM \"{}\"", table.replace('"', "\"\""));
    let mut statement = connection.prepare(&sql).expect("the table is there");
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let rows = statement.query_map([], |row| {
        let fields = names.iter().enumerate().map(|(at, name)| Ok((name.clone(), bson(row.get_ref(at)?))));
        fields.collect::<rusqlite::Result<Document>>()
    });
    let rows: rusqlite::Result<Vec<Document>> = rows.expect("it can be read").collect();
    counted(rows.expect("it can be read").iter().map(|row| described(row.iter())))
}

/// What was there once, or is there now.
pub(crate) fn with(mut rows: Rows, more: Rows) -> Rows {
    for (row, count) in more {
        let known = rows.entry(row).or_default();
        *known = (*known).max(count);
    }
    rows
}

fn counted(rows: impl Iterator<Item = String>) -> Rows {
    rows.fold(Rows::new(), |mut rows, row| {
        *rows.entry(row).or_default() += 1;
        rows
    })
}

fn described<'a>(fields: impl Iterator<Item = (&'a String, &'a Bson)>) -> String {
    let fields: BTreeMap<_, _> = fields.collect();
    format!("{fields:?}")
}

fn bson(value: ValueRef<'_>) -> Bson {
    match value {
        ValueRef::Null => Bson::Null,
        ValueRef::Integer(number) => i32::try_from(number).map_or(Bson::Int64(number), Bson::Int32),
        ValueRef::Real(number) => Bson::Double(number),
        ValueRef::Text(text) => Bson::String(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(_) => unreachable!("the tests of the source write no blobs"),
    }
}
