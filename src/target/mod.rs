//! Everything MongoDB. No driver type leaves this module but BSON.
//!
//! What holds:
//! - each operation has a deadline of our own: the driver has no socket timeout;
//! - a verdict ("there already", "duplicate") is given only on what a majority has;
//! - a row is told as written only after a majority has acknowledged and journaled it;
//! - an error of the server is taken over as a code and a typed reason; its text, which can quote a document, is not.

mod compress;
mod connect;
mod copies;
mod delete;
mod encode;
mod failure;
mod heartbeats;
mod holders;
mod insert;
mod lookup;
mod options;
mod prepare;
mod reach;
mod resolve;
mod slices;
mod sniff;
mod survey;
mod tls;
mod update;
mod warm;
mod ways;
mod write;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mongodb::bson::raw::RawDocumentBuf;
use mongodb::bson::{Document, doc};
use mongodb::{Client, Collection, Database};
use tokio::task::JoinSet;

use crate::report::Failure;
use heartbeats::Heartbeats;
use holders::Crowds;
use prepare::RefusedIndexes;

pub use copies::Copy;
pub use delete::Deletion;
pub use encode::{Documents, chunks};
pub use holders::HolderQuery;
pub use insert::{InsertOutcome, MAX_DOCUMENT_BYTES};
pub use prepare::{Indexes, Prepared};
pub use slices::{Slices, Written};
pub use survey::{Reached, Rights, Survey};
pub use update::{Update, UpdateOutcome};
pub use warm::Weighed;
pub use ways::Ways;

/// A server that takes longer to answer is far away.
pub const FAR: Duration = Duration::from_millis(5);

/// A connection to the collection, proved to work when it was made.
pub struct Target {
    client: Client,
    database: Database,
    collection: Collection<RawDocumentBuf>,
    heartbeats: Arc<Heartbeats>,
    deadline: Duration,
    closed: bool,
    refused_indexes: RefusedIndexes,
    crowds: Crowds,
    /// How long it took to answer something small over a connection that was there.
    answers_within: Mutex<Option<Duration>>,
    /// In which time a connection has to be made.
    connecting: Duration,
    /// What the link carried, if it was tried.
    weighed: Mutex<Option<Weighed>>,
    /// What makes connections before they are needed; gone with the target.
    warming: Mutex<JoinSet<()>>,
}

impl Target {
    /// Runs one operation under the deadline.
    async fn bounded<T>(
        &self,
        what: &'static str,
        operation: impl Future<Output = mongodb::error::Result<T>>,
    ) -> Result<T, Failure> {
        self.within(self.deadline, what, operation).await
    }

    /// Runs one operation under a deadline of its own.
    async fn within<T>(
        &self,
        deadline: Duration,
        what: &'static str,
        operation: impl Future<Output = mongodb::error::Result<T>>,
    ) -> Result<T, Failure> {
        let operation = async {
            tokio::select! {
                result = operation => {
                    result.map_err(|error| self.heartbeats.explain(failure::of_operation(what, &error)))
                }
                failure = self.heartbeats.all_failed() => Err(failure),
            }
        };
        match tokio::time::timeout(deadline, operation).await {
            Ok(result) => result,
            Err(_) => Err(failure::too_late(what, deadline)),
        }
    }

    /// Runs one command under the deadline.
    async fn command(&self, what: &'static str, command: Document) -> Result<Document, Failure> {
        self.bounded(what, async { self.database.run_command(command).await }).await
    }

    /// The number of documents in the collection, from its metadata: fast, and right but for sharded collections and
    /// after a crash of the server.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn estimated_count(&self) -> Result<u64, Failure> {
        self.bounded("count", async { self.collection.estimated_document_count().await }).await
    }

    /// How long it took to answer something small over a connection that was there, when it was proved last.
    #[must_use]
    pub fn answers_within(&self) -> Option<Duration> {
        *self.answers_within.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes all connections, and waits for it, not long.
    pub async fn close(mut self) {
        self.closed = true;
        self.warming.get_mut().unwrap_or_else(PoisonError::into_inner).abort_all();
        shut_down(self.client.clone()).await;
    }
}

/// Nobody who breaks off, whichever way, leaves connections behind: a client that is only dropped keeps them, and its
/// timers, for seconds, and may still run when the runtime ends.
impl Drop for Target {
    fn drop(&mut self) {
        if let (false, Ok(runtime)) = (self.closed, tokio::runtime::Handle::try_current()) {
            drop(runtime.spawn(shut_down(self.client.clone())));
        }
    }
}

/// Ends a client's tasks. It tells a server first that its sessions are over, for which a frozen one lets it wait.
async fn shut_down(client: Client) {
    let _late = tokio::time::timeout(Duration::from_secs(1), client.shutdown().immediate(true)).await;
}

/// Acknowledged by a majority and journaled; the server itself gives up a little before our deadline.
fn write_concern(deadline: Duration) -> Document {
    let wtimeout = i64::try_from((deadline * 9 / 10).as_millis().max(1)).unwrap_or(i64::MAX);
    doc! { "w": "majority", "j": true, "wtimeout": wtimeout }
}
