//! An edge host: the application with its database, and the daemon that carries it; and what the daemon has written
//! down, read from its ledger. Not a topic of its own: other topics stand on it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use mongodb::bson::Document;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::daemon::{Builder, Daemon};
use crate::support::mongo::Mongo;
use crate::support::mongod::{fresh_database, shared_mongod};
use crate::support::sqlite::{App, TABLE};
use crate::support::wait::{PATIENCE, poll};

/// Outcomes by the ledger's codes.
const EXPORTED: i64 = 51;
const DUPLICATE: i64 = 85;
const REJECTED: i64 = 102;

/// A host whose application has written nothing yet.
pub(crate) struct Host {
    pub(crate) app: App,
    pub(crate) database: String,
    pub(crate) mongo: Mongo,
    daemon: Option<Daemon>,
    settings: Builder,
    _directory: TempDir,
}

/// Sums over all exports that a ledger remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) successful: u64,
    pub(crate) updated: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    pub(crate) duplicates: u64,
}

impl Host {
    /// On the shared server, in a database of its own.
    #[track_caller]
    pub(crate) fn new(test: &str) -> Self {
        let server = shared_mongod();
        Self::at(&server.uri(), server.client(), &fresh_database(test))
    }

    /// With its daemon on `uri`; `mongo` is how the test itself gets there.
    #[track_caller]
    pub(crate) fn at(uri: &str, mongo: Mongo, database: &str) -> Self {
        let directory =
            tempfile::Builder::new().prefix("mongo-uplink-host-").tempdir().expect("a temporary directory");
        let app = App::create(directory.path());
        let settings = Daemon::builder(app.path(), uri)
            .set("mongodb.database", database)
            .set("sqlite.source_id", "host");
        Self { app, database: database.to_owned(), mongo, daemon: None, settings, _directory: directory }
    }

    /// Sets a key of the configuration of a daemon that wasn't started yet.
    #[must_use]
    #[track_caller]
    pub(crate) fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.settings = self.settings.set(key, value);
        self
    }

    /// Starts the daemon.
    #[track_caller]
    pub(crate) fn start(&mut self) -> &Daemon {
        self.daemon.insert(self.settings.clone().start())
    }

    /// The daemon.
    #[track_caller]
    pub(crate) fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("the daemon was started")
    }

    /// The collection's documents that match, in the order of `_id`.
    #[track_caller]
    pub(crate) fn find(&self, filter: Document) -> Vec<Document> {
        self.mongo.find(&self.database, TABLE, filter)
    }

    /// The one document that matches, if it is one.
    #[track_caller]
    pub(crate) fn find_one(&self, filter: Document) -> Option<Document> {
        let mut found = self.find(filter);
        if found.len() == 1 { found.pop() } else { None }
    }

    /// The number of documents.
    #[track_caller]
    pub(crate) fn documents(&self) -> u64 {
        self.mongo.count(&self.database, TABLE)
    }

    /// Another program changes documents.
    #[track_caller]
    pub(crate) fn change(&self, filter: Document, update: Document) {
        assert_ne!(self.mongo.update(&self.database, TABLE, filter, update), 0, "nothing to change");
    }

    /// Another program writes a document.
    #[track_caller]
    pub(crate) fn insert(&self, document: Document) {
        self.mongo.insert(&self.database, TABLE, document);
    }

    /// Waits for a condition; shows the daemon's log if it is in vain.
    #[track_caller]
    pub(crate) fn wait<T>(&self, what: &str, probe: impl FnMut() -> Option<T>) -> T {
        self.wait_for(PATIENCE, what, probe)
    }

    /// The same with another deadline.
    #[track_caller]
    pub(crate) fn wait_for<T>(&self, deadline: Duration, what: &str, probe: impl FnMut() -> Option<T>) -> T {
        match poll(deadline, probe) {
            Some(value) => value,
            None => panic!("waited {deadline:?} in vain for {what}; log:\n{}", self.daemon().log().tail()),
        }
    }

    /// Waits until the ledger has an outcome for each row of the table, so many `exported`, `duplicate`, `rejected`,
    /// and no export is running.
    #[track_caller]
    pub(crate) fn wait_outcomes(&self, exported: u64, duplicate: u64, rejected: u64) {
        let mut last = None;
        let found = poll(PATIENCE * 2, || {
            last = Some((self.outcomes(), self.daemon().status()["status"].clone()));
            let idle = !matches!(&last, Some((_, status)) if status == "running");
            (idle && self.outcomes() == (exported, duplicate, rejected)).then_some(())
        });
        assert!(
            found.is_some(),
            "{exported} exported, {duplicate} duplicate, {rejected} rejected were expected, not {last:?}; log:\n{}",
            self.daemon().log().tail()
        );
    }

    /// Rows by outcome, as the ledger has them: exported, duplicate, rejected.
    pub(crate) fn outcomes(&self) -> (u64, u64, u64) {
        let Some(ledger) = self.ledger() else { return (0, 0, 0) };
        let counts: BTreeMap<i64, u64> = ledger
            .prepare("SELECT outcome, count(*) FROM entry GROUP BY outcome")
            .and_then(|mut statement| {
                let rows =
                    statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
                rows.collect()
            })
            .unwrap_or_default();
        let of = |code| counts.get(&code).copied().unwrap_or(0);
        (of(EXPORTED), of(DUPLICATE), of(REJECTED))
    }

    /// Ids of the rows that the ledger calls exported.
    #[track_caller]
    pub(crate) fn exported_ids(&self) -> Vec<[u8; 12]> {
        let ledger = self.ledger().expect("a ledger");
        let mut statement =
            ledger.prepare("SELECT id FROM entry WHERE outcome = ?1").expect("the ledger's own form");
        let rows = statement.query_map([EXPORTED], |row| row.get(0)).expect("a readable ledger");
        rows.collect::<Result<_, _>>().expect("a readable ledger")
    }

    /// The counters of all exports together.
    #[track_caller]
    pub(crate) fn sums(&self) -> Sums {
        let ledger = self.ledger().expect("a ledger");
        let sql = "SELECT total(successful), total(updated), total(failed), total(skipped), total(duplicates) FROM run";
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of whole numbers")]
        let sums = ledger.query_row(sql, [], |row| {
            let count = |column| row.get::<_, f64>(column).map(|sum| sum as u64);
            Ok(Sums {
                successful: count(0)?,
                updated: count(1)?,
                failed: count(2)?,
                skipped: count(3)?,
                duplicates: count(4)?,
            })
        });
        sums.expect("the ledger's own form")
    }

    /// The number of documents that the exports say they have inserted.
    #[track_caller]
    pub(crate) fn inserted_by_counters(&self) -> u64 {
        let sums = self.sums();
        sums.successful - sums.updated
    }

    /// A manual export, to its end. Its status.
    #[track_caller]
    pub(crate) fn export(&self, query: &str) -> Value {
        let (code, body) = self.daemon().post(&format!("/api/export/sqlite-to-mongodb?{query}"));
        assert_eq!(code, 200, "{body}");
        let id = body["data"]["export_id"].clone();
        self.daemon().wait_status("the end of a manual export", |status| {
            status["export_id"] == id && status["status"] != "running"
        })
    }

    fn ledger(&self) -> Option<Connection> {
        let path: PathBuf = self.daemon().directory().join("state/state.db");
        let ledger = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
        ledger.busy_timeout(PATIENCE).expect("a valid timeout");
        Some(ledger)
    }
}
