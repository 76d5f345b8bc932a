//! What the outside asks for.

use std::sync::atomic::Ordering;

use super::Supervisor;
use crate::export::{claim, next_export_id};
use crate::report::{RunRequest, RunState, Timestamp, Trigger};
use crate::supervisor::control::{Command, ResetError, StartError, Started};
use crate::supervisor::machine::{Event, HintKind};

impl Supervisor {
    pub(super) async fn command(&mut self, command: Command) {
        match command {
            Command::Start { batch_size, skip_duplicates, reply } => {
                if reply.is_closed() {
                    return;
                }
                let export = &self.config.export;
                let request = RunRequest {
                    trigger: Trigger::Manual,
                    batch_size: batch_size.unwrap_or(export.batch_size),
                    skip_duplicates: skip_duplicates.unwrap_or(export.skip_duplicates),
                };
                let answer = self.start(request);
                // If the caller went away in this moment, the export runs all the same.
                let _gone = reply.send(answer);
            }
            Command::Reset { reply } => {
                if reply.is_closed() {
                    return;
                }
                let mut running = false;
                let shown = self.status.borrow().export_id.clone();
                self.reset_id = shown.or(self.reset_id.take());
                self.status.send_if_modified(|status| {
                    running = status.status == RunState::Running;
                    if !running {
                        *status = status.without_export();
                    }
                    !running
                });
                let answer =
                    if running { Err(ResetError::AlreadyRunning) } else { Ok(self.status.borrow().clone()) };
                let _gone = reply.send(answer);
            }
            Command::Pause { reply } if !reply.is_closed() => self.set_paused(true, Some(reply)),
            Command::Resume { reply } if !reply.is_closed() => self.set_paused(false, Some(reply)),
            Command::Stop { reply } if !reply.is_closed() => {
                let answer = self.stop_export();
                let _gone = reply.send(answer);
            }
            Command::Pause { .. } | Command::Resume { .. } | Command::Stop { .. } => {}
            Command::Wake => self.hint(HintKind::ConnectionTest),
            Command::Compare => self.on(Event::CompareWanted),
        }
    }

    /// Takes on a manual export, unless one is running. A pass that is only looking makes room for it.
    pub(super) fn start(&mut self, request: RunRequest) -> Result<Started, StartError> {
        let export_id = self.unused_export_id();
        if self.queued.is_some() || !claim(&self.status, &request, &export_id, Timestamp::now()) {
            return Err(StartError::AlreadyRunning);
        }
        self.promised = Some(export_id.clone());
        if self.pass.is_some() {
            self.stop.store(true, Ordering::Relaxed);
            self.queued = Some(request);
        } else {
            self.on(Event::StartRequested(request));
        }
        Ok(Started { export_id, batch_size: request.batch_size, skip_duplicates: request.skip_duplicates })
    }

    pub(super) fn unused_export_id(&self) -> String {
        let last = self.status.borrow().export_id.clone().or_else(|| self.reset_id.clone());
        next_export_id(last.as_deref())
    }
}
