//! What the driver's monitors see: they know at once, and by type, why a server can't be used, where an operation
//! would only wait for one to be selected.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mongodb::event::EventHandler;
use mongodb::event::sdam::SdamEvent;
use tokio::sync::Notify;

use super::failure;
use crate::report::{Failure, Reason};

/// The servers that are monitored, each with its last heartbeat's failure.
#[derive(Default)]
pub(super) struct Heartbeats {
    servers: Mutex<HashMap<String, Option<Failure>>>,
    changed: Notify,
}

impl Heartbeats {
    pub(super) fn handler(self: &Arc<Self>) -> EventHandler<SdamEvent> {
        let watch = Arc::clone(self);
        EventHandler::callback(move |event| match event {
            SdamEvent::ServerOpening(event) => watch.set(event.address.to_string(), None),
            SdamEvent::ServerClosed(event) => {
                watch.lock().remove(&event.address.to_string());
                watch.changed.notify_waiters();
            }
            SdamEvent::ServerHeartbeatSucceeded(event) => watch.set(event.server_address.to_string(), None),
            SdamEvent::ServerHeartbeatFailed(event) => {
                watch.set(event.server_address.to_string(), Some(failure::classify(&event.failure)));
            }
            _ => {}
        })
    }

    /// Waits until every server that is monitored has failed its last heartbeat.
    pub(super) async fn all_failed(&self) -> Failure {
        loop {
            let changed = self.changed.notified();
            if let Some(failure) = self.common_failure() {
                return failure;
            }
            changed.await;
        }
    }

    /// "No server selected" is all that the driver says; a heartbeat may know why.
    pub(super) fn explain(&self, failure: Failure) -> Failure {
        if failure.reason != Reason::NotPrimary {
            return failure;
        }
        let cause = self.lock().values().flatten().next().cloned();
        cause.unwrap_or(failure)
    }

    fn common_failure(&self) -> Option<Failure> {
        let servers = self.lock();
        if servers.values().all(Option::is_some) { servers.values().flatten().next().cloned() } else { None }
    }

    fn set(&self, server: String, failure: Option<Failure>) {
        self.lock().insert(server, failure);
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Option<Failure>>> {
        // Each change is one call of the map's own: a panic can't leave it half done.
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
