//! What most tests begin with: an application with its database on this host, and a place in MongoDB for its rows.

use std::time::{Duration, Instant};

use mongodb::bson::Document;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::daemon::{Builder, Daemon};
use crate::support::mongo::Mongo;
use crate::support::mongod::{Mongod, fresh_database, shared_mongod};
use crate::support::sqlite::{App, TABLE};
use crate::support::wait::{PATIENCE, eventually};

/// The application, and where its rows are to go.
pub(crate) struct Scene {
    pub(crate) app: App,
    pub(crate) mongo: Mongo,
    pub(crate) database: String,
    pub(crate) directory: TempDir,
    uri: String,
}

impl Scene {
    /// On the server that all tests share, in a database of its own.
    #[track_caller]
    pub(crate) fn new(test: &str) -> Self {
        Self::on(shared_mongod(), test)
    }

    /// On a server of the test's own, which needn't run yet.
    #[track_caller]
    pub(crate) fn on(mongod: &Mongod, test: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let app = App::create(directory.path());
        Self { app, mongo: mongod.client(), database: fresh_database(test), directory, uri: mongod.uri() }
    }

    /// The same by way of another connection string, such as a proxy's.
    pub(crate) fn by(mut self, uri: impl Into<String>) -> Self {
        self.uri = uri.into();
        self
    }

    /// A daemon for it.
    #[track_caller]
    pub(crate) fn daemon(&self) -> Builder {
        Daemon::builder(self.app.path(), &self.uri).set("mongodb.database", self.database.as_str())
    }

    /// Documents in the collection.
    #[track_caller]
    pub(crate) fn count(&self) -> u64 {
        self.mongo.count(&self.database, TABLE)
    }

    /// The collection, in the order of `_id`.
    #[track_caller]
    pub(crate) fn documents(&self) -> Vec<Document> {
        self.mongo.find_all(&self.database, TABLE)
    }

    /// Waits until the collection holds so many documents; tells how long that took.
    #[track_caller]
    pub(crate) fn wait_count(&self, count: u64) -> Duration {
        let begun = Instant::now();
        let what = format!("{count} documents");
        eventually(PATIENCE, &what, || (self.count() == count).then_some(()));
        begun.elapsed()
    }
}

/// The names of an object's fields in their order.
#[track_caller]
pub(crate) fn names(object: &Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// Waits until an export has gone through.
#[track_caller]
pub(crate) fn wait_completed(daemon: &Daemon) -> Value {
    daemon.wait_status("a completed export", |status| status["status"] == "completed")
}

/// The link's state as the daemon tells it, once it is as wanted.
#[track_caller]
pub(crate) fn wait_link(daemon: &Daemon, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually(PATIENCE, what, || {
        let link = daemon.get("/api/export/connectivity").1["data"].take();
        wanted(&link).then_some(link)
    })
}

/// The quickest of a few tries: a promise of time is the daemon's, a busy machine isn't its fault.
pub(crate) fn quickest(tries: u32, mut attempt: impl FnMut() -> Duration, good: Duration) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..tries {
        best = best.min(attempt());
        if best < good {
            break;
        }
    }
    best
}

/// The one in the middle.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
