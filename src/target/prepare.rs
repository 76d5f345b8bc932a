//! The collection itself: which one it is, and the indexes that the promises need.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Bson, Document, doc};

use super::Target;
use crate::report::{Failure, Reason};

/// The unique index that closes the race between hosts.
const RACE_INDEX: &str = "mongo_uplink_duplicate_key";

/// What the name of the index by which duplicates are looked up begins with; its columns follow.
const LOOKUP_INDEX: &str = "mongo_uplink_duplicates";

/// When indexes that were refused are tried again: each try may cost the server a scan of the collection.
const RETRY_INDEXES: Duration = Duration::from_secs(600);

/// When indexes were refused last: of which collection, and why.
pub(super) type RefusedIndexes = Mutex<Option<(Instant, String, Failure)>>;

/// What there is to know of the collection before rows are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Database, collection and the collection's UUID: another one means that it was dropped and made again. Without
    /// the right to list collections the UUID is unknown, and left out.
    pub id: String,
    /// Whether the UUID can be known. It isn't part of `id` if it can't, or if the collection can't be made now.
    pub has_uuid: bool,
    /// Whether the indexes are there.
    pub indexes: Indexes,
}

/// Whether the indexes for duplicates are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Indexes {
    /// Both are there, or none is needed.
    Ready,
    /// One couldn't be made: duplicates are looked up all the same, slower, and two hosts at the same moment might
    /// both insert.
    Missing(Failure),
}

impl Target {
    /// Finds out which collection it is, makes it and the indexes if need be. `duplicate_key` are the columns by which
    /// duplicates are looked up; empty: none are.
    ///
    /// # Errors
    /// A failure of the connection. Missing rights are not one: the answer says what is missing.
    pub async fn prepare(&self, duplicate_key: &[String]) -> Result<Prepared, Failure> {
        let mut uuid = self.uuid().await?;
        let mut made = Made::Alone;
        if uuid == Known::Absent {
            made = self.create(&missing(&[], duplicate_key)).await?;
            uuid = self.uuid().await?;
        }
        let name = format!("{}.{}", self.database.name(), self.collection.name());
        let (id, has_uuid) = match uuid {
            Known::Uuid(uuid) => (format!("{name} {uuid}"), true),
            Known::Absent => (name, true),
            Known::Unknown => (name, false),
        };
        let indexes = match made {
            Made::WithIndexes => Indexes::Ready,
            Made::Alone => self.indexes(&id, duplicate_key).await?,
        };
        Ok(Prepared { id, has_uuid, indexes })
    }

    /// Makes the collection: by making its indexes, which is less to wait for, if it is let.
    async fn create(&self, indexes: &[Document]) -> Result<Made, Failure> {
        let name = self.collection.name();
        if !indexes.is_empty() {
            match self.command("create indexes", doc! { "createIndexes": name, "indexes": indexes }).await {
                Ok(_) => return Ok(Made::WithIndexes),
                Err(failure) if is_passing(&failure) => return Err(failure),
                // Tried again, one by one.
                Err(_) => {}
            }
        }
        match self.command("create the collection", doc! { "create": name }).await {
            Err(failure) if is_passing(&failure) => Err(failure),
            // If it can't be made, it exists by now, or an insert will make it, or can't: then that says why.
            Ok(_) | Err(_) => Ok(Made::Alone),
        }
    }

    /// Makes the indexes, unless this collection refused them a short while ago.
    async fn indexes(&self, id: &str, duplicate_key: &[String]) -> Result<Indexes, Failure> {
        let refused = self.refused_indexes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, of, failure)) = refused
            && of == id
            && at.elapsed() < RETRY_INDEXES
        {
            return Ok(Indexes::Missing(failure));
        }
        let made = match self.make_indexes(duplicate_key).await {
            Ok(()) => Ok(()),
            Err(failure) if is_passing(&failure) => return Err(failure),
            Err(failure) => Err(failure),
        };
        let refused = made.as_ref().err().map(|failure| (Instant::now(), id.to_owned(), failure.clone()));
        *self.refused_indexes.lock().unwrap_or_else(PoisonError::into_inner) = refused;
        Ok(made.map_or_else(Indexes::Missing, |()| Indexes::Ready))
    }

    /// The id of the collection as [`Target::prepare`] told it, looked up again; `None` if it is gone.
    ///
    /// # Errors
    /// A failure of the connection.
    pub async fn current_id(&self) -> Result<Option<String>, Failure> {
        let name = format!("{}.{}", self.database.name(), self.collection.name());
        Ok(match self.uuid().await? {
            Known::Uuid(uuid) => Some(format!("{name} {uuid}")),
            Known::Unknown => Some(name),
            Known::Absent => None,
        })
    }

    async fn uuid(&self) -> Result<Known, Failure> {
        let command = doc! { "listCollections": 1, "filter": { "name": self.collection.name() } };
        let reply = match self.command("list collections", command).await {
            Ok(reply) => reply,
            Err(failure) if failure.reason == Reason::NotAuthorized => return Ok(Known::Unknown),
            Err(failure) => return Err(failure),
        };
        let listed = reply.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch"));
        let Some(Bson::Document(info)) = listed.ok().and_then(|batch| batch.first()) else {
            return Ok(Known::Absent);
        };
        Ok(match info.get_document("info").ok().and_then(|info| info.get("uuid")) {
            Some(Bson::Binary(binary)) if binary.subtype == BinarySubtype::Uuid => {
                Known::Uuid(binary.bytes.iter().map(|byte| format!("{byte:02x}")).collect())
            }
            _ => Known::Unknown,
        })
    }

    async fn make_indexes(&self, duplicate_key: &[String]) -> Result<(), Failure> {
        if duplicate_key.is_empty() {
            return Ok(());
        }
        let missing = missing(&self.index_keys().await?, duplicate_key);
        // One by one: if one is refused, the other is there all the same.
        let mut refused = None;
        for index in missing {
            let command = doc! { "createIndexes": self.collection.name(), "indexes": [index] };
            if let Err(failure) = self.command("create an index", command).await {
                refused = refused.or(Some(failure));
            }
        }
        refused.map_or(Ok(()), Err)
    }

    pub(super) async fn index_keys(&self) -> Result<Vec<Document>, Failure> {
        let reply = match self.command("list indexes", doc! { "listIndexes": self.collection.name() }).await {
            Ok(reply) => reply,
            Err(failure) if is_passing(&failure) => return Err(failure),
            Err(_) => return Ok(Vec::new()),
        };
        let Ok(batch) = reply.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch")) else {
            return Ok(Vec::new());
        };
        Ok(batch
            .iter()
            .filter_map(Bson::as_document)
            // A partial or sparse index doesn't hold every document, a collation's or a hidden one serves no query of ours.
            .filter(|index| {
                ["sparse", "collation", "hidden"].iter().all(|option| index.get(option).is_none())
                    && (index.get("partialFilterExpression").is_none()
                        || index.get_str("name").is_ok_and(|name| name == RACE_INDEX))
            })
            .filter_map(|index| index.get_document("key").ok())
            .map(|key| key.iter().map(|(name, order)| (name.clone(), as_int(order))).collect())
            .collect())
    }
}

/// How the collection came to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    /// By us, with all of its indexes.
    WithIndexes,
    /// By us without them, or before: nobody has looked for its indexes.
    Alone,
}

/// The indexes for this duplicate key that aren't among the existing ones.
fn missing(existing: &[Document], duplicate_key: &[String]) -> Vec<Document> {
    let mut missing = Vec::new();
    if duplicate_key.is_empty() {
        return missing;
    }
    // Any index that begins with the first column serves the look-up; the `_id` at the end of ours lets the answer
    // come from the index alone.
    if !existing.iter().any(|key| key.keys().next() == duplicate_key.first()) {
        let mut key: Document = duplicate_key.iter().map(|column| (column.clone(), Bson::Int32(1))).collect();
        key.insert("_id", 1);
        let name = format!("{LOOKUP_INDEX}_{}", duplicate_key.join("_"));
        missing.push(doc! { "key": key, "name": name });
    }
    let race = race_index();
    if !existing.contains(&race) {
        missing.push(doc! {
            "key": race,
            "name": RACE_INDEX,
            "unique": true,
            "partialFilterExpression": { "export_metadata.duplicate_key": { "$exists": true } },
        });
    }
    missing
}

/// The key of the index that closes the race between hosts.
pub(super) fn race_index() -> Document {
    doc! { "export_metadata.duplicate_key": 1 }
}

/// What is known of the collection's UUID.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    Uuid(String),
    Absent,
    Unknown,
}

/// Whether the failure says something of the connection, not of this command.
fn is_passing(failure: &Failure) -> bool {
    !matches!(failure.reason, Reason::NotAuthorized | Reason::Server)
}

/// Orders come as any number type; compared they are as integers.
fn as_int(order: &Bson) -> Bson {
    match order {
        Bson::Int64(1) => Bson::Int32(1),
        #[expect(clippy::float_cmp, reason = "an index's order is exactly one")]
        Bson::Double(one) if *one == 1.0 => Bson::Int32(1),
        other => other.clone(),
    }
}
