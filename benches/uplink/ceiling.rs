//! What the driver reaches at best: the documents are there already, encoded, without duplicates, and are sent by
//! `insert_many` in batches, several at a time, into a collection with the same indexes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mongodb::bson::raw::RawDocumentBuf;
use mongodb::options::{ClientOptions, WriteConcern};
use mongodb::{Client, Collection};
use tokio::task::JoinSet;

use crate::place::Place;
use crate::support::runtime::{spawn, wait_for};
use crate::support::sqlite::TABLE;
use crate::table::PATIENCE;

/// Documents that are ready to be sent.
#[derive(Clone)]
pub(crate) struct Documents(Arc<Vec<RawDocumentBuf>>);

impl Documents {
    pub(crate) fn new(documents: Vec<RawDocumentBuf>) -> Self {
        Self(Arc::new(documents))
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Bytes a document, on average.
    pub(crate) fn bytes_each(&self) -> u64 {
        self.0.iter().map(|document| document.as_bytes().len() as u64).sum::<u64>() / self.len().max(1)
    }
}

/// Sends all documents to an empty place, and tells how long that took. Connections are made before.
pub(crate) fn insert(
    uri: &str,
    place: &Place,
    documents: &Documents,
    batch: u16,
    in_flight: u32,
) -> Duration {
    let (uri, database, documents) = (uri.to_owned(), place.database.clone(), documents.clone());
    wait_for(PATIENCE, "the ceiling", async move {
        let mut options = ClientOptions::parse(&uri).await.expect("the server's own connection string");
        options.max_pool_size = Some(in_flight.max(1));
        options.write_concern = Some(WriteConcern::majority());
        let client = Client::with_options(options).expect("valid options");
        warm_up(&client, in_flight).await;
        let collection = client.database(&database).collection::<RawDocumentBuf>(TABLE);
        let began = Instant::now();
        send(&collection, documents, usize::from(batch), in_flight).await;
        let took = began.elapsed();
        spawn(client.shutdown().immediate(true).into_future());
        took
    })
}

/// Makes as many connections as there will be batches in flight.
async fn warm_up(client: &Client, in_flight: u32) {
    let mut tasks = JoinSet::new();
    for _ in 0..in_flight * 2 {
        let admin = client.database("admin");
        tasks.spawn(async move { admin.run_command(mongodb::bson::doc! { "ping": 1 }).await });
    }
    while let Some(pinged) = tasks.join_next().await {
        pinged.expect("no panic").expect("the server answers");
    }
}

async fn send(collection: &Collection<RawDocumentBuf>, documents: Documents, batch: usize, in_flight: u32) {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..in_flight {
        let (collection, documents, next) = (collection.clone(), documents.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            loop {
                let start = next.fetch_add(batch, Ordering::Relaxed);
                let Some(rest) = documents.0.get(start..).filter(|rest| !rest.is_empty()) else { return };
                let part = &rest[..batch.min(rest.len())];
                collection.insert_many(part).ordered(false).await.expect("the collection was empty");
            }
        });
    }
    while let Some(sent) = tasks.join_next().await {
        sent.expect("every batch is taken");
    }
}
