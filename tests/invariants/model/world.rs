//! The real thing: an SQLite file, a collection, the exporter between them, and everybody who acts on them.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mongo_uplink::config::{Config, Sources, Updates};
use mongo_uplink::export::PassError;
use mongo_uplink::record::{DuplicateKey, ValueRef};
use mongo_uplink::report::{ExportStatus, Failure, Reason, RunRequest};
use mongo_uplink::target::{Target, Ways};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, Document, doc};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::application::{Application, columns_of};
use super::daemon::{DEADLINE, Daemon, Ended};
use super::gate::{Gate, Place};
use super::rules::Rows;
use super::script::{Edit, Fault, Loss, Pass, Person, Race, Script};
use crate::support::mongo::Mongo;
use crate::support::mongod::shared_mongod;
use crate::support::runtime::{spawn, wait_for};

/// The database of all cases; each has a collection of its own.
const DATABASE: &str = "model";

/// Host, database and table, as documents tell it.
pub(super) const SOURCE: &str = "host/main/chat_inquiry_information";

/// Everything that a case is played with.
pub(super) struct World {
    pub(super) application: Application,
    collection: String,
    mongo: Mongo,
    gate: Gate,
    config: Arc<Config>,
    daemon: Option<Daemon>,
    target: Option<Arc<Target>>,
    directory: TempDir,
}

/// What a pass met.
pub(super) enum Met {
    /// Nothing: it ended before.
    Nothing(Ended),
    /// What it was to meet; then it ended.
    Ended(Ended),
    /// What it was to meet; it was given up.
    GivenUp,
}

impl World {
    pub(super) fn new(script: &Script, mongo: &Mongo) -> Self {
        let directory =
            tempfile::Builder::new().prefix("mongo-uplink-model-").tempdir().expect("a temporary directory");
        let application = Application::start(directory.path());
        let collection = format!("c{}", ObjectId::new().to_hex());
        let validator = doc! { "city": { "$not": { "$regex": "^misfit" } } };
        mongo.run(DATABASE, doc! { "create": &collection, "validator": validator });
        let gate = Gate::open(shared_mongod().port());
        let text = |path: PathBuf| path.to_str().expect("a readable name").to_owned();
        let updates = match script.updates {
            Updates::Newer => "newer",
            Updates::Always => "always",
            Updates::Never => "never",
        };
        let settings = [
            ("sqlite.path", text(application.path())),
            ("mongodb.uri", gate.uri()),
            ("mongodb.database", DATABASE.to_owned()),
            ("mongodb.collection", collection.clone()),
            ("export.updates", updates.to_owned()),
            ("export.batch_size", script.batch_size.to_string()),
            ("export.max_batch_size", (script.batch_size * 2).min(1_000).to_string()),
            ("export.max_in_flight", script.max_in_flight.to_string()),
            ("state.directory", text(directory.path().join("state"))),
        ];
        let sources = settings.iter().fold(Sources::default(), |sources, (key, value)| {
            sources.with_override(format!("{key}={value}"))
        });
        let config = Arc::new(Config::load(&sources).expect("a valid configuration"));
        let daemon = Some(Daemon::start(&config, SOURCE));
        Self { application, collection, mongo: mongo.clone(), gate, config, daemon, target: None, directory }
    }

    /// The collection, in the order of `_id`.
    pub(super) fn documents(&self) -> Vec<Document> {
        self.mongo.find_all(DATABASE, &self.collection)
    }

    pub(super) fn rows(&self) -> Rows {
        self.application.rows()
    }

    pub(super) fn status(&self) -> ExportStatus {
        self.daemon().status()
    }

    /// How far all passes have got.
    pub(super) fn steps(&self) -> u64 {
        self.daemon().steps()
    }

    /// What the ledger says of the row at this place: its outcome and its `_id`.
    pub(super) fn remembered(&self, rowid: i64) -> Option<(String, ObjectId)> {
        let entry = self.daemon().store.with(|ledger| ledger.entry(ValueRef::Integer(rowid)));
        let entry = entry.expect("the ledger can be read")?;
        let outcome = serde_json::to_value(entry.outcome).expect("a word");
        Some((outcome.as_str().unwrap_or_default().to_owned(), entry.id))
    }

    pub(super) fn other_inserts(&mut self, person: Person) {
        let mut document = doc! { "city": self.application.city(), "by": "another program" };
        document.extend(columns_of(person));
        self.mongo.insert(DATABASE, &self.collection, document);
    }

    /// What the exporter of another host does for a row of this person.
    pub(super) fn rival_exports(&mut self, person: Person) {
        let columns = columns_of(person);
        let value =
            |name| columns.get_str(name).map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes()));
        let key = DuplicateKey::new(["email", "mobile"].into_iter().map(|name| (name, value(name))));
        let mut metadata = doc! { "source": "another host", "original_sqlite_id": "1" };
        if let Some(key) = key {
            let bytes = key.hash.to_vec();
            metadata.insert("duplicate_key", Binary { subtype: BinarySubtype::Generic, bytes });
        }
        let mut document = doc! { "city": self.application.city() };
        document.extend(columns.clone());
        document.insert("export_metadata", metadata);
        let command = doc! { "insert": &self.collection, "documents": [document] };
        // The unique index may refuse it: then the row is a duplicate there.
        let _refused = self.mongo.try_run(DATABASE, command);
    }

    /// What another program does. Answers with the document as it was.
    pub(super) fn other_edits(&mut self, number: u8, edit: Edit) -> Option<Document> {
        let mut documents = self.documents();
        if documents.is_empty() {
            return None;
        }
        let document = documents.swap_remove(usize::from(number) % documents.len());
        let filter = doc! { "_id": document.get("_id").cloned().unwrap_or(Bson::Null) };
        let set = match edit {
            Edit::Newer => {
                let (city, now) = (self.application.city(), self.application.tick());
                doc! { "city": city, "updated_at": now, "by": "an editor" }
            }
            Edit::Note => doc! { "note": self.application.city() },
            Edit::To(person) => columns_of(person),
            Edit::Delete => {
                self.mongo.delete(DATABASE, &self.collection, filter);
                return Some(document);
            }
        };
        self.mongo.update(DATABASE, &self.collection, filter, doc! { "$set": set });
        Some(document)
    }

    pub(super) fn drop_collection(&self) {
        self.mongo.drop_collection(DATABASE, &self.collection);
    }

    /// The daemon is killed, if it is there, and started again.
    pub(super) fn restart(&mut self) {
        self.disconnect();
        self.daemon = None;
        self.daemon = Some(Daemon::start(&self.config, SOURCE));
    }

    /// Meddles with the ledger's file.
    pub(super) fn in_ledger(&self, sql: &str) {
        let ledger = rusqlite::Connection::open(self.directory.path().join("state/state.db"));
        ledger.and_then(|ledger| ledger.execute_batch(sql)).expect("the ledger can be written");
    }

    pub(super) fn lose_ledger(&self, loss: Loss) {
        let state = self.directory.path().join("state");
        for name in ["state.db", "state.db-wal", "state.db-shm"] {
            let path = state.join(name);
            match (loss, path.metadata()) {
                (Loss::Deleted, Ok(_)) => fs::remove_file(path).expect("our own directory"),
                (Loss::Corrupted, Ok(metadata)) if !name.ends_with("shm") => {
                    let garbage = vec![0xa5; usize::try_from(metadata.len()).expect("a small file")];
                    // In place, as a broken disk would.
                    let file = fs::OpenOptions::new().write(true).open(path).expect("our own directory");
                    file.write_all_at(&garbage, 0).expect("our own directory");
                }
                _ => {}
            }
        }
    }

    /// A manual export while MongoDB can't be reached.
    pub(super) fn manual_offline(&mut self, pass: Pass, request: RunRequest) -> Ended {
        let failure = Failure::new(Reason::Unreachable, "it is offline");
        let task = self.daemon().begin(Err(failure), pass, request, false);
        wait_for(DEADLINE, "a manual export offline", task).expect("a pass doesn't panic")
    }

    /// A whole pass.
    pub(super) fn pass(&mut self, pass: Pass, request: RunRequest, again: bool) -> Ended {
        let task = self.begin(pass, request, again);
        self.end(task)
    }

    /// A pass that meets a fault, if it gets that far.
    pub(super) fn broken_pass(&mut self, pass: Pass, request: RunRequest, number: u8, fault: Fault) -> Met {
        let place = match fault {
            Fault::CutBeforeSend | Fault::KillBeforeSend => Place::Request,
            Fault::CutBeforeReply | Fault::KillBeforeReply | Fault::StallBeforeRecord => Place::Reply,
        };
        let task = match self.trapped(place, pass, request, number) {
            Ok(task) => task,
            Err(ended) => return Met::Nothing(ended),
        };
        match fault {
            Fault::CutBeforeSend | Fault::CutBeforeReply => {
                self.gate.cut();
                return Met::Ended(self.end(task));
            }
            Fault::KillBeforeSend | Fault::KillBeforeReply => {
                self.daemon().give_up(task);
                self.daemon().quiet();
                self.restart();
            }
            Fault::StallBeforeRecord => {
                let gate = &self.gate;
                let daemon = self.daemon.as_mut().expect("it is running");
                daemon.stall_before_record(task, || gate.release());
                self.disconnect();
            }
        }
        Met::GivenUp
    }

    /// A pass that loses its ledger, if it gets that far, and goes on.
    pub(super) fn bereft_pass(&mut self, pass: Pass, request: RunRequest, number: u8, loss: Loss) -> Met {
        let task = match self.trapped(Place::Reply, pass, request, number) {
            Ok(task) => task,
            Err(ended) => return Met::Nothing(ended),
        };
        self.lose_ledger(loss);
        self.gate.release();
        Met::Ended(self.end(task))
    }

    /// A pass that is overtaken, if it gets that far, and goes on. `meanwhile` is shown the collection before and after
    /// the other's write.
    pub(super) fn raced_pass(
        &mut self,
        pass: Pass,
        request: RunRequest,
        number: u8,
        race: Race,
        meanwhile: impl FnOnce(Vec<Document>, Vec<Document>),
    ) -> Met {
        let task = match self.trapped(Place::Request, pass, request, number) {
            Ok(task) => task,
            Err(ended) => return Met::Nothing(ended),
        };
        match race {
            Race::Rival(person) => {
                let before = self.documents();
                self.rival_exports(person);
                // Other batches of the pass go on writing meanwhile: what they wrote is part of the look that follows.
                let mut since = before.clone();
                since.extend(self.documents().into_iter().filter(|document| {
                    is_rival_s(document)
                        && !before.iter().any(|known| known.get("_id") == document.get("_id"))
                }));
                meanwhile(before, since);
                self.gate.release();
            }
            Race::Echo => self.gate.release_with_echo(),
        }
        // It is as if nothing had happened.
        Met::Nothing(self.end(task))
    }

    /// Begins a pass and waits until its write command of this number is in the trap; or for its end, if it makes no
    /// such command.
    fn trapped(
        &mut self,
        place: Place,
        pass: Pass,
        request: RunRequest,
        number: u8,
    ) -> Result<JoinHandle<Ended>, Ended> {
        self.gate.set_trap(place, number);
        let caught = self.gate.caught();
        let mut task = self.begin(pass, request, false);
        let met = wait_for(DEADLINE, "a pass in the trap", async move {
            tokio::select! {
                ended = &mut task => Err(ended.expect("a pass doesn't panic")),
                () = caught => Ok(task),
            }
        });
        if met.is_err() {
            self.gate.release();
        }
        met
    }

    fn begin(&mut self, pass: Pass, request: RunRequest, again: bool) -> JoinHandle<Ended> {
        let target = self.connect();
        self.daemon().begin(Ok(target), pass, request, again)
    }

    fn end(&mut self, task: JoinHandle<Ended>) -> Ended {
        let ended = wait_for(DEADLINE, "the end of a pass", task).expect("a pass doesn't panic");
        if matches!(ended, Err(PassError::Target(_))) {
            self.disconnect();
        }
        ended
    }

    fn connect(&mut self) -> Arc<Target> {
        if let Some(target) = &self.target {
            return Arc::clone(target);
        }
        let ways = Ways::new(self.config.mongodb.clone(), self.config.probe.online_interval);
        let connected =
            wait_for(DEADLINE, "connect", async move { ways.connect(Duration::from_secs(5)).await });
        let target = Arc::new(connected.expect("MongoDB is there"));
        self.target = Some(Arc::clone(&target));
        target
    }

    /// Of a pass that is over by now, commands of other batches may still be on their way: they arrive before anybody looks
    /// at the collection, or never.
    fn disconnect(&mut self) {
        self.gate.cut();
        if let Some(target) = self.target.take().and_then(Arc::into_inner) {
            spawn(target.close());
        }
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("it is running")
    }
}

/// Whether another host's exporter wrote the document.
fn is_rival_s(document: &Document) -> bool {
    let source = document.get_document("export_metadata").and_then(|metadata| metadata.get_str("source"));
    source.is_ok_and(|source| source == "another host")
}

impl Drop for World {
    fn drop(&mut self) {
        self.disconnect();
        if !std::thread::panicking() {
            self.drop_collection();
        }
    }
}
