//! Probes and passes as tasks of their own.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Supervisor;
use super::trouble::tell_trouble;
use crate::config::Config;
use crate::export::{self, Depth, Exporter, PassError, claim};
use crate::ledger::Store;
use crate::report::{ExportStatus, Failure, LinkState, Reason, RunRequest, Timestamp, Trigger};
use crate::supervisor::machine::{PassEnd, PassKind, PassRequest};
use crate::target::Target;

/// What a good probe found beside the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probed {
    /// The collection that the ledger speaks of, as far as is known.
    SameCollection,
    /// It was dropped, or is another one: no change of the table will tell.
    AnotherCollection,
}

impl Supervisor {
    pub(super) fn start_probe(&mut self) {
        let (connection, ways) = (Arc::clone(&self.link_to), self.ways.clone());
        let budget = self.config.probe.timeout;
        let store = Arc::clone(&self.store);
        // A re-check of an idle host leaves nothing behind.
        let is_recheck = self.machine.link().state == LinkState::Online;
        self.probe = Some(tokio::spawn(async move {
            let mut connection = connection.lock().await;
            let end = tokio::time::Instant::now() + budget;
            if let Some(target) = connection.target.take() {
                let checked = tokio::time::timeout(budget / 2, target.check()).await;
                if let Ok(Ok(())) = checked {
                    let first = ways.return_to_first(budget / 2).await;
                    let target = connection.target.insert(first.unwrap_or(target));
                    return Ok(look_at_collection(target, &store, end).await);
                }
            }
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            let target = ways.connect(left).await?;
            let probed = look_at_collection(&target, &store, end).await;
            if is_recheck {
                drop(tokio::spawn(target.close()));
            } else {
                target.weigh(end.saturating_duration_since(tokio::time::Instant::now())).await;
                connection.target = Some(target);
                connection.used = Some(Instant::now());
            }
            Ok(probed)
        }));
    }

    pub(super) fn start_pass(&mut self, request: PassRequest) {
        self.stop.store(false, Ordering::Relaxed);
        let exporter = Arc::clone(&self.exporter);
        let connection = Arc::clone(&self.link_to);
        let (ways, config) = (self.ways.clone(), Arc::clone(&self.config));
        let promised = self.promised.take();
        let status = self.status.clone();
        let trouble = Arc::clone(&self.trouble);
        let turn = self.store.turn();
        self.pass = Some(tokio::spawn(async move {
            let _turn = match request {
                PassRequest::Manual(_) => turn.lock_owned().await,
                // Something is being taken back: the look is made again, as after a read that failed.
                PassRequest::Automatic(_) => match turn.try_lock_owned() {
                    Ok(turn) => turn,
                    Err(_) => return PassEnd::SourceFailed,
                },
            };
            let mut exporter = exporter.lock().await;
            if let PassRequest::Automatic(PassKind::Tail) = request {
                let seen = exporter.locally(Depth::Tail, &automatic(&config)).await;
                if let Some(result) = seen.transpose() {
                    tell_trouble(&result, &trouble, &status).await;
                    return end_of(&result);
                }
            }
            let mut connection = connection.lock().await;
            if connection.target.is_none() {
                match ways.connect(config.probe.timeout).await {
                    Ok(target) => connection.target = Some(target),
                    Err(failure) => {
                        if let PassRequest::Manual(request) = request {
                            let _told =
                                manual(&mut exporter, Err(failure.clone()), &status, request, promised).await;
                        }
                        return PassEnd::ConnectivityFailed(failure);
                    }
                }
            }
            let Some(target) = &connection.target else { return PassEnd::Aborted };
            let result = match request {
                PassRequest::Automatic(kind) => {
                    let depth = if kind == PassKind::Full { Depth::Full } else { Depth::Tail };
                    let request = automatic(&config);
                    exporter.automatic(target, depth, &request).await
                }
                PassRequest::Manual(request) => {
                    manual(&mut exporter, Ok(target), &status, request, promised).await
                }
            };
            connection.used = Some(Instant::now());
            let end = end_of(&result);
            if let PassEnd::ConnectivityFailed(_) = end {
                // Not waited for: a server that is frozen would keep the loop from going on.
                drop(connection.target.take());
            }
            tell_trouble(&result, &trouble, &status).await;
            end
        }));
    }
}

/// Compares the collection with the one that the ledger speaks of. If that can't be known by `end`, the next pass
/// finds out.
async fn look_at_collection(target: &Target, store: &Store, end: tokio::time::Instant) -> Probed {
    let Some(bound) = store.target() else { return Probed::SameCollection };
    match tokio::time::timeout_at(end, target.current_id()).await {
        Ok(Ok(now)) if now.as_ref() != Some(&bound) => Probed::AnotherCollection,
        _ => Probed::SameCollection,
    }
}

/// What an automatic export is asked for.
fn automatic(config: &Config) -> RunRequest {
    RunRequest {
        trigger: Trigger::Automatic,
        batch_size: config.export.batch_size,
        skip_duplicates: config.export.skip_duplicates,
    }
}

/// A manual export: the first time under the id that was promised, again under a new one.
async fn manual(
    exporter: &mut Exporter,
    target: Result<&Target, Failure>,
    status: &watch::Sender<ExportStatus>,
    request: RunRequest,
    promised: Option<String>,
) -> Result<export::PassEnd, PassError> {
    let again = promised.is_none();
    let export_id = match promised {
        Some(id) => id,
        None => {
            // While that fails, nothing is begun again: the first one's failure is told.
            exporter.readable().await?;
            exporter.new_export_id().await?
        }
    };
    if !claim(status, &request, &export_id, Timestamp::now()) {
        return Ok(export::PassEnd::Stopped);
    }
    exporter.manual(target, &request, &export_id, again).await
}

fn end_of(result: &Result<export::PassEnd, PassError>) -> PassEnd {
    match result {
        Ok(export::PassEnd::Complete { again_in }) => PassEnd::Complete { more_at: *again_in },
        Ok(export::PassEnd::Stopped) => PassEnd::Aborted,
        Err(PassError::Target(failure)) => PassEnd::ConnectivityFailed(failure.clone()),
        // What is there now is for an automatic pass to find out.
        Err(PassError::Dropped) => PassEnd::Complete { more_at: Some(std::time::Duration::ZERO) },
        Err(PassError::Source(_) | PassError::Ledger(_) | PassError::Internal) => PassEnd::SourceFailed,
    }
}

/// Waits for the probe under way; for ever if there is none.
pub(super) async fn joined(
    probe: &mut Option<JoinHandle<Result<Probed, Failure>>>,
) -> Result<Probed, Failure> {
    match probe {
        Some(task) => task
            .await
            .unwrap_or_else(|_| Err(Failure::new(Reason::Server, "the probe ended by an internal error"))),
        None => std::future::pending().await,
    }
}

/// Waits for the pass under way; for ever if there is none.
pub(super) async fn passed(pass: &mut Option<JoinHandle<PassEnd>>) -> PassEnd {
    match pass {
        Some(task) => task.await.unwrap_or(PassEnd::SourceFailed),
        None => std::future::pending().await,
    }
}
