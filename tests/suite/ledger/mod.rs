//! The daemon's memory: what it tells, and what is done to it.

mod collection;
mod disk;
mod faults;
mod past;
mod records;

use std::collections::BTreeMap;

use mongodb::bson::Document;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::daemon::{Builder, Daemon};
use crate::support::mongo::Mongo;
use crate::support::mongod::{fresh_database, shared_mongod};
use crate::support::sqlite::{App, TABLE};
use crate::support::wait::{PATIENCE, eventually};

/// An application and a database of its own on the shared server.
struct Scene {
    directory: TempDir,
    app: App,
    database: String,
    mongo: Mongo,
}

impl Scene {
    #[track_caller]
    fn new(name: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let app = App::create(directory.path());
        Self { app, directory, database: fresh_database(name), mongo: shared_mongod().client() }
    }

    fn builder(&self) -> Builder {
        self.builder_at(&shared_mongod().uri())
    }

    fn builder_at(&self, uri: &str) -> Builder {
        Daemon::builder(self.app.path(), uri).set("mongodb.database", self.database.as_str())
    }

    fn documents(&self) -> Vec<Document> {
        self.mongo.find_all(&self.database, TABLE)
    }

    fn count(&self) -> u64 {
        self.mongo.count(&self.database, TABLE)
    }

    /// Waits until as many documents are there as the table has rows, and no export runs.
    #[track_caller]
    fn wait_delivered(&self, daemon: &Daemon) {
        let rows = self.app.count();
        let delivered = |status: &Value| status["status"] != "running" && self.count() >= rows;
        daemon.wait_status("every row delivered", delivered);
        self.is_exact();
    }

    /// Each row is there once, and nothing else.
    #[track_caller]
    fn is_exact(&self) {
        let mut copies: BTreeMap<i32, u32> = BTreeMap::new();
        for document in self.documents() {
            *copies.entry(document.get_i32("id").expect("every row has an id")).or_default() += 1;
        }
        let doubled: Vec<_> = copies.iter().filter(|(_, copies)| **copies > 1).collect();
        assert!(doubled.is_empty(), "doubled: {doubled:?}");
        assert_eq!(copies.len() as u64, self.app.count(), "rows and documents");
    }
}

/// Past exports, the latest first.
#[track_caller]
fn history(daemon: &Daemon) -> Vec<Value> {
    let (code, body) = daemon.get("/api/export/history?limit=1000");
    assert_eq!(
        (code, &body["message"]),
        (200, &Value::from("Export history retrieved successfully")),
        "{body}"
    );
    body["data"]["exports"].as_array().expect("a list").clone()
}

fn sum(exports: &[Value], counter: &str) -> u64 {
    exports.iter().filter_map(|export| export[counter].as_u64()).sum()
}

/// Rows that are not in the collection.
#[track_caller]
fn records(daemon: &Daemon, query: &str) -> Vec<Value> {
    let (code, body) = daemon.get(&format!("/api/export/records{query}"));
    assert_eq!(
        (code, &body["message"]),
        (200, &Value::from("Export records retrieved successfully")),
        "{body}"
    );
    body["data"]["records"].as_array().expect("a list").clone()
}

/// Starts a manual export and waits for its end.
#[track_caller]
fn export(daemon: &Daemon) -> Value {
    let started = eventually(PATIENCE, "a manual export", || {
        let (code, body) = daemon.post("/api/export/sqlite-to-mongodb");
        (code == 200).then(|| body["data"]["export_id"].clone())
    });
    daemon.wait_status("the manual export's end", |status| {
        status["export_id"] == started && status["status"] != "running"
    })
}
