//! Pausing, resuming and stopping on request, and what is done about a pass that stalls.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::oneshot;

use super::Supervisor;
use crate::export::{STOPPED, abandon};
use crate::report::{Reason, RunState};
use crate::supervisor::control::{Pausing, StopError, Stopped};
use crate::supervisor::machine::Event;
use crate::supervisor::pausing;

const NO_PROGRESS: &str = "the export made no progress and was broken off";

impl Supervisor {
    /// Pauses or resumes; answers as soon as it is written down that it is so. Doing it twice is the same as once.
    pub(super) fn set_paused(&mut self, paused: bool, reply: Option<oneshot::Sender<Pausing>>) {
        let changed =
            self.status.send_if_modified(|status| std::mem::replace(&mut status.paused, paused) != paused);
        if changed {
            tracing::info!(
                event = if paused { "export_paused" } else { "export_resumed" },
                "{}",
                if paused {
                    "Exports don't start by themselves any more"
                } else {
                    "Exports start by themselves"
                }
            );
        }
        self.on(if paused { Event::Pause } else { Event::Resume });
        self.keep_paused(reply);
    }

    /// Writes down whether it is paused, beside the loop.
    pub(super) fn keep_paused(&self, reply: Option<oneshot::Sender<Pausing>>) {
        let (store, status, kept) =
            (Arc::clone(&self.store), self.status.clone(), Arc::clone(&self.pause_kept));
        drop(tokio::task::spawn_blocking(move || {
            let survives_restart = pausing::keep(&store, &status);
            kept.store(survives_restart, Ordering::Relaxed);
            if let Some(reply) = reply {
                // If the caller went away in this moment, it is so all the same.
                let _gone = reply.send(Pausing { paused: status.borrow().paused, survives_restart });
            }
        }));
    }

    /// The ledger may have been replaced by an empty one: what must survive is written down again.
    pub(super) fn remember_paused(&self) {
        if self.status.borrow().paused || !self.pause_kept.load(Ordering::Relaxed) {
            self.keep_paused(None);
        }
    }

    /// Ends the running export at its next batch boundary, and forgets the one that waits for its turn or for MongoDB.
    pub(super) fn stop_export(&mut self) -> Result<Stopped, StopError> {
        let export_id = {
            let status = self.status.borrow();
            (status.status == RunState::Running).then(|| status.export_id.clone()).flatten()
        };
        if export_id.is_none() && !self.machine.keeps_manual() {
            return Err(StopError::NotRunning);
        }
        if self.queued.take().is_some() {
            self.promised = None;
            abandon(&self.status, None, STOPPED);
        }
        tracing::info!(
            event = "export_stop_requested",
            export_id,
            "The export ends at the next batch boundary"
        );
        self.on(Event::StopRequested);
        Ok(Stopped { export_id })
    }

    /// Breaks the pass off and throws its connection away, whatever in it hangs.
    pub(super) fn break_off(&mut self) {
        if let Some(pass) = self.pass.take() {
            pass.abort();
        }
        let old = std::mem::take(&mut self.link_to);
        drop(tokio::spawn(async move {
            // The pass lets go of it as soon as it is aborted.
            if let Some(target) = old.lock().await.target.take() {
                target.close().await;
            }
        }));
        self.metrics.stalled();
        self.counting.ask(Instant::now());
        let stalls = self.health.stalled();
        if stalls.is_power_of_two() {
            tracing::error!(
                event = "stalled",
                stalls,
                limit_seconds = self.stall_limit.as_secs(),
                "The export makes no progress: it is broken off and begins anew with another connection. If it happens \
                 again, look at the disks of the database and of the state directory"
            );
        }
        // An export that waited for its turn is told as failed with it.
        (self.queued, self.promised) = (None, None);
        abandon(&self.status, Some(Reason::Timeout), NO_PROGRESS);
        self.status.send_modify(|status| status.waiting_for = Some(NO_PROGRESS.to_owned()));
        if let Ok(mut trouble) = self.trouble.try_lock() {
            *trouble = Some(NO_PROGRESS.to_owned());
        }
    }
}
