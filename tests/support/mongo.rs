//! MongoDB as the tests see it: a client that waits, with a deadline for each call, and panics if anything fails.

use std::time::Duration;

use mongodb::bson::{Document, doc};
use mongodb::error::Error;
use mongodb::options::{ClientOptions, IndexOptions};
use mongodb::{Client, Collection, IndexModel};

use super::runtime::{spawn, wait_for};

/// The deadline of one call.
const DEADLINE: Duration = Duration::from_secs(30);
/// After how long a server that isn't there is an error.
const SELECTION: Duration = Duration::from_secs(5);

/// What a member of a set says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It takes writes.
    Primary,
    /// It takes part, and follows a primary.
    Secondary,
    /// It isn't ready: starting, recovering, without a set.
    Other,
}

/// A member's answer to `hello`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Its host and port, as the set names it; empty without a set.
    pub me: String,
    /// What it is at the moment.
    pub role: Role,
}

/// A client of one server or set. Cheap to clone; panics name the operation.
#[derive(Clone)]
pub struct Mongo {
    client: Client,
}

impl Mongo {
    /// A client for `uri`. Doesn't connect yet.
    #[track_caller]
    pub fn connect(uri: &str) -> Self {
        let uri = uri.to_owned();
        let client = wait_for(DEADLINE, "connect", async move {
            let mut options = ClientOptions::parse(&uri).await?;
            options.server_selection_timeout = Some(SELECTION);
            options.connect_timeout = Some(Duration::from_secs(2));
            Client::with_options(options)
        });
        Self { client: client.expect("a valid connection string") }
    }

    /// The driver's own client, for what has no method here.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The driver's own collection, for what has no method here; use it with `runtime::wait_for`.
    pub fn collection(&self, database: &str, collection: &str) -> Collection<Document> {
        self.client.database(database).collection(collection)
    }

    /// Runs a command on a database; an error is a value.
    #[track_caller]
    pub fn try_run(&self, database: &str, command: Document) -> Result<Document, Error> {
        let database = self.client.database(database);
        wait_for(DEADLINE, "command", async move { database.run_command(command).await })
    }

    /// Runs a command on a database.
    #[track_caller]
    pub fn run(&self, database: &str, command: Document) -> Document {
        let name = command.keys().next().cloned().unwrap_or_default();
        self.try_run(database, command).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// How the server sees itself (`hello`), or `None` if it doesn't answer.
    #[track_caller]
    pub fn hello(&self) -> Option<Hello> {
        let answer = self.try_run("admin", doc! { "hello": 1 }).ok()?;
        let is = |key| answer.get_bool(key).unwrap_or(false);
        let role = match (is("isWritablePrimary"), is("secondary")) {
            (true, _) => Role::Primary,
            (_, true) => Role::Secondary,
            _ => Role::Other,
        };
        Some(Hello { me: answer.get_str("me").unwrap_or_default().to_owned(), role })
    }

    /// The number of documents, counted one by one.
    #[track_caller]
    pub fn count(&self, database: &str, collection: &str) -> u64 {
        self.count_where(database, collection, doc! {})
    }

    /// The number of documents that match.
    #[track_caller]
    pub fn count_where(&self, database: &str, collection: &str, filter: Document) -> u64 {
        let collection = self.collection(database, collection);
        wait_for(DEADLINE, "count", async move { collection.count_documents(filter).await })
            .unwrap_or_else(|error| panic!("count: {error}"))
    }

    /// All documents, in the order of `_id`.
    #[track_caller]
    pub fn find_all(&self, database: &str, collection: &str) -> Vec<Document> {
        self.find(database, collection, doc! {})
    }

    /// The documents that match, in the order of `_id`.
    #[track_caller]
    pub fn find(&self, database: &str, collection: &str, filter: Document) -> Vec<Document> {
        let collection = self.collection(database, collection);
        let found = wait_for(DEADLINE, "find", async move {
            let mut cursor = collection.find(filter).sort(doc! { "_id": 1 }).batch_size(1_000).await?;
            let mut documents = Vec::new();
            while cursor.advance().await? {
                documents.push(cursor.deserialize_current()?);
            }
            Ok::<_, Error>(documents)
        });
        found.unwrap_or_else(|error| panic!("find: {error}"))
    }

    /// Writes one document.
    #[track_caller]
    pub fn insert(&self, database: &str, collection: &str, document: Document) {
        self.insert_many(database, collection, vec![document]);
    }

    /// Writes documents, acknowledged by a majority.
    #[track_caller]
    pub fn insert_many(&self, database: &str, collection: &str, documents: Vec<Document>) {
        let collection = self.collection(database, collection);
        wait_for(DEADLINE, "insert", async move { collection.insert_many(documents).await.map(drop) })
            .unwrap_or_else(|error| panic!("insert: {error}"));
    }

    /// Changes all documents that match; tells how many there were.
    #[track_caller]
    pub fn update(&self, database: &str, collection: &str, filter: Document, update: Document) -> u64 {
        let collection = self.collection(database, collection);
        let done = wait_for(DEADLINE, "update", async move { collection.update_many(filter, update).await });
        done.unwrap_or_else(|error| panic!("update: {error}")).matched_count
    }

    /// Deletes all documents that match; tells how many there were.
    #[track_caller]
    pub fn delete(&self, database: &str, collection: &str, filter: Document) -> u64 {
        let collection = self.collection(database, collection);
        let done = wait_for(DEADLINE, "delete", async move { collection.delete_many(filter).await });
        done.unwrap_or_else(|error| panic!("delete: {error}")).deleted_count
    }

    /// Creates an index that the application's owner might have.
    #[track_caller]
    pub fn create_index(&self, database: &str, collection: &str, keys: Document, options: IndexOptions) {
        let collection = self.collection(database, collection);
        let index = IndexModel::builder().keys(keys).options(options).build();
        wait_for(DEADLINE, "index", async move { collection.create_index(index).await.map(drop) })
            .unwrap_or_else(|error| panic!("index: {error}"));
    }

    /// The names of a collection's indexes, in their order; none if the collection doesn't exist.
    #[track_caller]
    pub fn index_names(&self, database: &str, collection: &str) -> Vec<String> {
        let collection = self.collection(database, collection);
        wait_for(DEADLINE, "indexes", async move { collection.list_index_names().await }).unwrap_or_default()
    }

    /// Drops a collection; no error if it doesn't exist.
    #[track_caller]
    pub fn drop_collection(&self, database: &str, collection: &str) {
        let collection = self.collection(database, collection);
        wait_for(DEADLINE, "drop", async move { collection.drop().await })
            .unwrap_or_else(|error| panic!("drop: {error}"));
    }

    /// Closes the connections. Without it they stay for some seconds after the last clone is dropped.
    pub fn close(self) {
        spawn(self.client.shutdown().immediate(true).into_future());
    }
}
