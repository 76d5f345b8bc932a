//! A place in MongoDB for one measurement: an empty database of its own, and what was written there.

use std::time::Duration;

use mongodb::bson::raw::RawDocumentBuf;
use mongodb::bson::{Bson, Document, doc};

use crate::support::mongo::Mongo;
use crate::support::mongod::{Mongod, fresh_database};
use crate::support::runtime::wait_for;
use crate::support::sqlite::TABLE;
use crate::table::PATIENCE;

/// For WiredTiger's cache: the million rows that are measured fit, changed pages too, so that no disk is measured. By default
/// pages are written out from a twentieth of the cache on, in bursts that meet one measurement and spare the next.
const CACHE: &str = "cache_size=4G,eviction_dirty_target=60,eviction_dirty_trigger=80,eviction_updates_target=60,\
                     eviction_updates_trigger=80";

/// Starts the server that everything is measured against: one member of a set, so that a majority is itself.
pub(crate) fn server() -> Mongod {
    let mongod = Mongod::start();
    let mongo = mongod.client();
    mongo.run("admin", doc! { "setParameter": 1, "wiredTigerEngineRuntimeConfig": CACHE });
    // Memory that is given back has to be asked for again, by whoever is measured next.
    mongo.run("admin", doc! { "setParameter": 1, "tcmallocReleaseRate": 0.0 });
    mongo.close();
    mongod
}

/// An empty database, dropped afterwards: what one measurement wrote doesn't burden the next.
pub(crate) struct Place {
    pub(crate) mongo: Mongo,
    pub(crate) database: String,
}

impl Place {
    pub(crate) fn new(mongod: &Mongod) -> Self {
        let mongo = mongod.client();
        // What the measurement before has left to be written isn't this one's burden.
        mongo.run("admin", doc! { "fsync": 1 });
        Self { mongo, database: fresh_database("bench") }
    }

    /// A place with a collection that has these indexes.
    pub(crate) fn with_indexes(mongod: &Mongod, indexes: &[Document]) -> Self {
        let place = Self::new(mongod);
        place.mongo.run(&place.database, doc! { "create": TABLE });
        if !indexes.is_empty() {
            place.mongo.run(&place.database, doc! { "createIndexes": TABLE, "indexes": indexes.to_vec() });
        }
        place
    }

    /// The number of documents, from the collection's metadata.
    pub(crate) fn documents(&self) -> u64 {
        let reply = self.mongo.run(&self.database, doc! { "count": TABLE });
        reply.get("n").and_then(as_number).unwrap_or(0)
    }

    /// What the daemon made of the collection's indexes, but for the one on `_id`.
    pub(crate) fn indexes(&self) -> Vec<Document> {
        let reply = self.mongo.run(&self.database, doc! { "listIndexes": TABLE });
        let listed = reply.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch"));
        let listed = listed.expect("listIndexes answers with a cursor");
        let indexes = listed.iter().filter_map(Bson::as_document).filter(|index| {
            // Every collection has this one by itself.
            index.get_str("name").is_ok_and(|name| name != "_id_")
        });
        indexes
            .cloned()
            .map(|mut index| {
                index.remove("v");
                index
            })
            .collect()
    }

    /// All documents as they stand there, in the order in which they were written.
    pub(crate) fn read_back(&self) -> Vec<RawDocumentBuf> {
        let collection = self.mongo.client().database(&self.database).collection::<RawDocumentBuf>(TABLE);
        let read = wait_for(PATIENCE, "the documents", async move {
            let mut documents = Vec::new();
            let mut cursor = collection.find(doc! {}).sort(doc! { "$natural": 1 }).batch_size(10_000).await?;
            while cursor.advance().await? {
                documents.push(cursor.current().to_owned());
            }
            Ok::<_, mongodb::error::Error>(documents)
        });
        read.expect("what was just written can be read")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let database = self.mongo.client().database(&self.database);
        // It goes with the server, if it doesn't go now.
        let _ = wait_for(Duration::from_secs(60), "drop the database", async move { database.drop().await });
        self.mongo.clone().close();
    }
}

fn as_number(value: &Bson) -> Option<u64> {
    match value {
        Bson::Int32(number) => u64::try_from(*number).ok(),
        Bson::Int64(number) => u64::try_from(*number).ok(),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of documents")]
        Bson::Double(number) => Some(*number as u64),
        _ => None,
    }
}
