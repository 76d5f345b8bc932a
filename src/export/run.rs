//! A run in progress: its counters, and what of it is written down.

use std::sync::Arc;

use mongodb::bson::Bson;
use tokio::sync::watch;

use super::candidate::{Candidate, Verdict};
use super::pass::abandon;
use crate::ledger::{LedgerError, Record, RunEnd, Store};
use crate::report::{ExportStatus, Outcome, Progress, RunRequest, RunState, Timestamp};

/// A run in progress.
pub(super) struct Run {
    pub(super) export_id: String,
    number: i64,
    store: Arc<Store>,
    status: watch::Sender<ExportStatus>,
    pub(super) progress: Progress,
}

impl Run {
    /// Writes down that the run begins, and shows it; `None` if another one is shown as running. Blocks.
    pub(super) fn begin(
        store: &Arc<Store>,
        status: &watch::Sender<ExportStatus>,
        request: &RunRequest,
        export_id: &str,
        total: u64,
    ) -> Result<Option<Self>, LedgerError> {
        let started = Timestamp::now();
        if !claim(status, request, export_id, started) {
            return Ok(None);
        }
        let number = match store.with(|ledger| ledger.run_started(export_id, request.trigger, started)) {
            Ok(number) => number,
            Err(error) => {
                // Shown as running for ever, it would keep every other one from beginning.
                abandon(status, None, &error.to_string());
                return Err(error);
            }
        };
        let progress = Progress { total, ..Progress::default() };
        let run = Self {
            export_id: export_id.to_owned(),
            number,
            store: Arc::clone(store),
            status: status.clone(),
            progress,
        };
        run.status.send_modify(|status| status.set_progress(&progress));
        tracing::info!(
            event = "export_started",
            export_id = %run.export_id,
            trigger = request.trigger.as_str(),
            total,
            "Export started"
        );
        Ok(Some(run))
    }

    /// Records a batch's verdicts, then counts and shows them. Blocks.
    pub(super) fn record(
        &mut self,
        candidates: &[Candidate],
        verdicts: &[Verdict],
    ) -> Result<(), LedgerError> {
        let (number, export_id) = (self.number, self.export_id.as_str());
        let counted = self.store.with(|ledger| {
            let mut counted = Progress::default();
            for (candidate, verdict) in candidates.iter().zip(verdicts) {
                let ours = match verdict {
                    // Written by an export that broke off before it could count it: it is counted now.
                    Verdict::There { writer: Some(writer), .. } => {
                        writer == export_id || (!candidate.known && ledger.run_broke_off(writer)?)
                    }
                    _ => false,
                };
                count(&mut counted, verdict, ours);
            }
            let records: Vec<_> = candidates
                .iter()
                .zip(verdicts)
                .map(|(candidate, verdict)| record(candidate, verdict))
                .collect();
            ledger.record(number, &records, Timestamp::now())?;
            Ok(counted)
        })?;
        let progress = &mut self.progress;
        progress.successful += counted.successful;
        progress.failed += counted.failed;
        progress.skipped += counted.skipped;
        progress.updated += counted.updated;
        progress.duplicates += counted.duplicates;
        progress.total = progress.total.max(progress.processed());
        let progress = *progress;
        self.status.send_modify(|status| status.set_progress(&progress));
        Ok(())
    }

    /// Writes down how the run ended, and shows it. Blocks.
    pub(super) fn end(mut self, result: Result<(), (Option<crate::report::Reason>, String)>) {
        let state = if result.is_ok() { RunState::Completed } else { RunState::Failed };
        let (reason, error) = result.err().map_or((None, None), |(reason, error)| (reason, Some(error)));
        if state == RunState::Completed {
            // Rows that went away since they were counted.
            self.progress.total = self.progress.processed();
        }
        let end = RunEnd { state, progress: self.progress, reason, error, at: Timestamp::now() };
        if let Err(error) = self.store.with(|ledger| ledger.run_ended(self.number, &end)) {
            tracing::warn!(event = "ledger_failed", %error, "The export's end can't be written down");
        }
        self.status.send_modify(|status| {
            status.status = end.state;
            status.end_time = Some(end.at);
            status.reason = end.reason;
            status.error_message.clone_from(&end.error);
            status.set_progress(&end.progress);
        });
        self.log(&end);
    }

    fn log(&self, end: &RunEnd) {
        let Progress { successful, failed, skipped, updated, duplicates, .. } = end.progress;
        let (export_id, processed) = (self.export_id.as_str(), end.progress.processed());
        match &end.error {
            None => tracing::info!(
                event = "export_completed",
                export_id,
                processed,
                successful,
                failed,
                skipped,
                updated,
                duplicates,
                "Export completed"
            ),
            Some(error) => tracing::warn!(
                event = "export_failed",
                export_id,
                processed,
                successful,
                failed,
                skipped,
                updated,
                duplicates,
                reason = end.reason.map(crate::report::Reason::as_str),
                error = error.as_str(),
                "Export failed; what is left will be sent when the cause is gone"
            ),
        }
    }
}

/// `export_YYYYMMDD_HHMMSS` of now; with a number behind it if `last` was made in the same second.
#[must_use]
pub fn next_export_id(last: Option<&str>) -> String {
    let base = format!("export_{}", Timestamp::now().compact());
    match last.and_then(|last| last.strip_prefix(&base)) {
        None => base,
        Some(suffix) => {
            let number: u64 = suffix.strip_prefix('_').and_then(|number| number.parse().ok()).unwrap_or(1);
            format!("{base}_{}", number + 1)
        }
    }
}

/// Shows the export as running, unless another one is: there is one at a time.
#[must_use]
pub fn claim(
    status: &watch::Sender<ExportStatus>,
    request: &RunRequest,
    export_id: &str,
    started: Timestamp,
) -> bool {
    status.send_if_modified(|status| {
        if status.status == RunState::Running {
            return status.export_id.as_deref() == Some(export_id);
        }
        *status = ExportStatus {
            status: RunState::Running,
            start_time: Some(started),
            export_id: Some(export_id.to_owned()),
            trigger: Some(request.trigger),
            ..ExportStatus::default()
        };
        true
    })
}

fn count(counted: &mut Progress, verdict: &Verdict, ours: bool) {
    match verdict {
        Verdict::Inserted => counted.successful += 1,
        Verdict::There { updated, .. } if ours => {
            counted.successful += 1;
            counted.updated += u64::from(*updated);
        }
        Verdict::There { .. } | Verdict::Kept => counted.skipped += 1,
        Verdict::Duplicate { .. } => {
            counted.skipped += 1;
            counted.duplicates += 1;
        }
        Verdict::Rejected { .. } => counted.failed += 1,
    }
}

fn record<'a>(candidate: &'a Candidate, verdict: &'a Verdict) -> Record<'a> {
    let (outcome, code, detail, duplicate_of) = match verdict {
        Verdict::Inserted | Verdict::There { .. } | Verdict::Kept => (Outcome::Exported, None, "", None),
        Verdict::Duplicate { of } => {
            let of = if let Bson::ObjectId(of) = of { Some(*of) } else { None };
            (Outcome::Duplicate, None, "another document has the same duplicate key", of)
        }
        Verdict::Rejected { code, detail } => (Outcome::Rejected, Some(*code), detail.as_str(), None),
    };
    Record {
        position: candidate.position.as_ref(),
        key: &candidate.key,
        id: candidate.id,
        content: candidate.content,
        outcome,
        code,
        detail,
        duplicate_of,
    }
}
