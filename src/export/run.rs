//! A run in progress: its counters, and what of it is written down.
//!
//! What holds: each row that an export writes is counted once, over all exports together, in the same transaction that
//! records it. A row whose reply was lost is counted by the export that finds it: its copy says which export wrote it and
//! when, and the ledger says how far that export has counted, and whether the row was recorded since. What holds if the
//! ledger is lost in between is told in its `counted` module.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use super::candidate::{Candidate, Verdict};
use super::claim::claim;
use super::deliver::Delivered;
use super::ending::STOPPED;
use crate::ledger::{CountedTo, Ledger, LedgerError, Record, RunEnd, RunStart, Standing, Store};
use crate::metrics::Metrics;
use crate::report::{ExportStatus, Outcome, Progress, RunRequest, RunState, Timestamp};

/// Where a run is told of.
pub(super) struct Shown {
    pub(super) status: watch::Sender<ExportStatus>,
    pub(super) metrics: Arc<Metrics>,
}

/// A run in progress.
pub(super) struct Run {
    pub(super) export_id: String,
    number: i64,
    /// The pass that it belongs to.
    generation: u64,
    /// When it began, as documents bear times: what bears an earlier one was written by another run, whose id was lost
    /// with the ledger and given again.
    started: String,
    store: Arc<Store>,
    began: Instant,
    shown: Shown,
    pub(super) progress: Progress,
}

impl Run {
    /// Writes down that the run begins, and shows it; `None` if another one is shown as running. Blocks.
    pub(super) fn begin(
        store: &Arc<Store>,
        shown: Shown,
        request: &RunRequest,
        export_id: &str,
        total: u64,
        started: Timestamp,
    ) -> Result<Option<Self>, LedgerError> {
        let start = RunStart { export_id: export_id.to_owned(), trigger: request.trigger, at: started };
        // Written down first: on a full disk no run begins, and none is shown.
        let number = store.run_started(&start)?;
        if !claim(&shown.status, request, export_id, started) {
            store.forget_run(number)?;
            return Ok(None);
        }
        let progress = Progress { total, ..Progress::default() };
        let run = Self {
            export_id: export_id.to_owned(),
            number,
            generation: store.generation(),
            started: started.to_string(),
            store: Arc::clone(store),
            began: Instant::now(),
            shown,
            progress,
        };
        run.show(|status| status.set_progress(&progress));
        tracing::info!(
            event = "export_started",
            export_id = %run.export_id,
            trigger = request.trigger.as_str(),
            total,
            "Export started"
        );
        Ok(Some(run))
    }

    /// Counts a batch's verdicts, records them, then shows them. `written_at` is the time that the batch's documents bear.
    /// Answers how many rows are pending again by that. Blocks.
    pub(super) fn record(
        &mut self,
        candidates: &[Candidate],
        delivered: &Delivered,
        written_at: &str,
    ) -> Result<usize, LedgerError> {
        let (run, verdicts) = (self.number, &delivered.verdicts);
        let (released, counted) = self.store.with(|ledger| {
            let mut progress = self.progress;
            if self.store.generation() != self.generation {
                // The run was given up while it hung. Another pass has begun, to which these rows are pending; and the
                // ledger may speak of another collection by now.
                return Ok((0, Progress::default()));
            }
            let mut counted = Progress::default();
            let mut writers = HashMap::new();
            for (candidate, verdict) in candidates.iter().zip(verdicts) {
                let is_inserted = || {
                    let mut others = candidates.iter().zip(verdicts);
                    others.any(|(other, verdict)| *verdict == Verdict::Inserted && other.id == candidate.id)
                };
                let is_new =
                    self.is_new(ledger, &mut writers, candidate, verdict, written_at, is_inserted)?;
                count(&mut counted, verdict, is_new);
            }
            progress.add(&counted);
            let records: Vec<_> = candidates
                .iter()
                .zip(verdicts)
                // What the ledger knows already needn't be written again.
                .filter(|(candidate, verdict)| !(candidate.unchanged && is_exported(verdict)))
                .map(|(candidate, verdict)| record(candidate, verdict))
                .collect();
            let standing = Standing { run, progress: &progress, written_at };
            let released = ledger.record(standing, &records, Timestamp::now())?;
            Ok((released, counted))
        })?;
        self.progress.add(&counted);
        let progress = self.progress;
        self.show(|status| status.set_progress(&progress));
        if counted.processed() > 0 {
            self.shown.metrics.rows_recorded(&counted, delivered.inserted_bytes as u64);
        }
        Ok(released)
    }

    /// Whether a copy that was found was written by this export, or by an earlier one that didn't come to count it.
    /// `is_inserted` tells whether this batch inserted its document.
    fn is_new<'v>(
        &self,
        ledger: &Ledger,
        writers: &mut HashMap<&'v str, Option<CountedTo>>,
        candidate: &Candidate,
        verdict: &'v Verdict,
        batch_written_at: &str,
        is_inserted: impl FnOnce() -> bool,
    ) -> Result<bool, LedgerError> {
        let Verdict::There { writer: Some((writer, written_at)), updated } = verdict else {
            return Ok(false);
        };
        let ours = *writer == self.export_id;
        // No two batches of an export bear the same time, and this one is about to be counted: a ledger that has taken
        // another one's place in between takes all that this export wrote for counted.
        if ours && written_at == batch_written_at {
            // A row that moved while its batch was read is in it twice.
            return Ok(*updated || !is_inserted());
        }
        if ours && *written_at < self.started {
            return Ok(false);
        }
        let counted = match writers.entry(writer) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(ledger.counted_to(writer)?),
        };
        // A ledger that was made anew in the meantime doesn't know this export.
        if !counted.as_ref().map_or(ours, |counted| counted.leaves_out(written_at)) {
            return Ok(false);
        }
        // Whoever recorded this content has counted it, too.
        let known = ledger.entry(candidate.position.as_ref())?;
        Ok(known.is_none_or(|entry| entry.outcome != Outcome::Exported || entry.content != candidate.content))
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
        self.store.run_ended(self.number, end.clone());
        self.show(|status| {
            status.status = end.state;
            status.end_time = Some(end.at);
            status.reason = end.reason;
            status.error_message.clone_from(&end.error);
            status.set_progress(&end.progress);
        });
        self.shown.metrics.run_ended(end.state, self.began.elapsed());
        self.log(&end);
    }

    /// Changes what is shown, unless another run is shown by now: this one was given up while it hung.
    fn show(&self, change: impl FnOnce(&mut ExportStatus)) {
        self.shown.status.send_if_modified(|status| {
            let ours = status.is_running(&self.export_id);
            if ours {
                change(status);
            }
            ours
        });
    }

    fn log(&self, end: &RunEnd) {
        let Progress { successful, failed, skipped, updated, duplicates, kept, .. } = end.progress;
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
                kept,
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
                kept,
                reason = end.reason.map(crate::report::Reason::as_str),
                error = error.as_str(),
                "{}",
                if error == STOPPED {
                    "Export stopped; what is left waits for a change, a reconnect, the next full look or a start"
                } else {
                    "Export failed; what is left will be sent when the cause is gone"
                }
            ),
        }
    }
}

fn count(counted: &mut Progress, verdict: &Verdict, new: bool) {
    match verdict {
        Verdict::Inserted => counted.successful += 1,
        Verdict::There { updated, .. } if new => {
            counted.successful += 1;
            counted.updated += u64::from(*updated);
        }
        Verdict::There { .. } => counted.skipped += 1,
        Verdict::Kept => {
            counted.skipped += 1;
            counted.kept += 1;
        }
        Verdict::Duplicate { .. } => {
            counted.skipped += 1;
            counted.duplicates += 1;
        }
        Verdict::Rejected { .. } => counted.failed += 1,
    }
}

fn is_exported(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Inserted | Verdict::There { .. } | Verdict::Kept)
}

fn record<'a>(candidate: &'a Candidate, verdict: &'a Verdict) -> Record<'a> {
    let (outcome, code, detail, duplicate_of) = match verdict {
        Verdict::Inserted | Verdict::There { .. } | Verdict::Kept => (Outcome::Exported, None, "", None),
        Verdict::Duplicate { of } => {
            (Outcome::Duplicate, None, "another document has the same duplicate key", Some(of))
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
        // Found as an update, by whomever, nobody knows what the document was until then.
        moved: matches!(verdict, Verdict::There { updated: true, .. }),
    }
}
