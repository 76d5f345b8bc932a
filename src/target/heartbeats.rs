//! What the driver's monitors see: they know at once, and by type, why a server can't be used, where an operation
//! would only wait for one to be selected.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mongodb::bson::Document;
use mongodb::event::EventHandler;
use mongodb::event::sdam::SdamEvent;
use tokio::sync::Notify;

use super::failure;
use crate::report::{Failure, Reason};

/// The servers that are monitored, each with what its last heartbeat told.
#[derive(Default)]
pub(super) struct Heartbeats {
    /// The set that the connection string asks for.
    set_name: Option<String>,
    seen: Mutex<Seen>,
    changed: Notify,
}

#[derive(Default)]
struct Seen {
    servers: BTreeMap<String, Server>,
    /// Whether any server answered any heartbeat.
    answered: bool,
    /// Why a server that answered can't be the right one: the driver forgets such servers.
    misfit: Option<Failure>,
}

enum Server {
    /// No heartbeat has ended yet.
    New,
    Answered,
    Failed(Failure),
}

impl Heartbeats {
    /// For a client that was told to use this set, or none in particular.
    pub(super) fn new(set_name: Option<String>) -> Self {
        Self { set_name, ..Self::default() }
    }

    pub(super) fn handler(self: &Arc<Self>) -> EventHandler<SdamEvent> {
        let watch = Arc::clone(self);
        EventHandler::callback(move |event| match event {
            SdamEvent::ServerOpening(event) => watch.set(event.address.to_string(), Server::New),
            SdamEvent::ServerClosed(event) => {
                watch.lock().servers.remove(&event.address.to_string());
                watch.changed.notify_waiters();
            }
            SdamEvent::ServerHeartbeatSucceeded(event) => {
                watch.answered(event.server_address.to_string(), &event.reply);
            }
            SdamEvent::ServerHeartbeatFailed(event) => {
                let failure = failure::classify(&event.failure);
                watch.set(event.server_address.to_string(), Server::Failed(failure));
            }
            _ => {}
        })
    }

    /// Waits until every server that is monitored has failed its last heartbeat.
    pub(super) async fn all_failed(&self) -> Failure {
        loop {
            let changed = self.changed.notified();
            if let Some(failure) = self.lock().common_failure() {
                return failure;
            }
            changed.await;
        }
    }

    /// "No server selected" is all that the driver says; the heartbeats may know why.
    pub(super) fn explain(&self, failure: Failure) -> Failure {
        if failure.reason == Reason::NotPrimary {
            self.lock().common_failure().unwrap_or(failure)
        } else {
            failure
        }
    }

    /// Whether no server has answered anything yet.
    pub(super) fn nobody_answered(&self) -> bool {
        !self.lock().answered
    }

    fn answered(&self, server: String, reply: &Document) {
        let misfit = misfit(self.set_name.as_deref(), reply);
        let mut seen = self.lock();
        seen.answered = true;
        seen.servers.insert(server, misfit.clone().map_or(Server::Answered, Server::Failed));
        seen.misfit = misfit;
        drop(seen);
        self.changed.notify_waiters();
    }

    fn set(&self, server: String, state: Server) {
        self.lock().servers.insert(server, state);
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        // Each change is one assignment or one call of the map's own: a panic can't leave it half done.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// The failure of the first server, if all have failed; without any server, why the last one was forgotten.
    fn common_failure(&self) -> Option<Failure> {
        let mut first = None;
        for server in self.servers.values() {
            match server {
                Server::Failed(failure) => first = first.or(Some(failure)),
                Server::New | Server::Answered => return None,
            }
        }
        first.or(self.misfit.as_ref()).cloned()
    }
}

/// Why waiting for a primary would be in vain with a server that answers so.
fn misfit(set_name: Option<&str>, reply: &Document) -> Option<Failure> {
    let not_primary = |detail| Some(Failure::new(Reason::NotPrimary, detail));
    if reply.get_bool("isreplicaset").unwrap_or(false) {
        return not_primary("the server waits for its set to be initiated");
    }
    match (set_name, reply.get_str("setName").ok()) {
        (Some(expected), Some(name)) if expected != name => not_primary(
            "the server belongs to a set with another name than replicaSet in the connection string",
        ),
        (Some(_), None) if reply.get_bool("isWritablePrimary").unwrap_or(false) => {
            not_primary("the server belongs to no set, but the connection string has replicaSet")
        }
        _ => None,
    }
}
