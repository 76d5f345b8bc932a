//! Reading ahead: one batch at a time, while others are in flight.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Leg;
use super::line::{Line, step};
use super::packet::Packet;
use crate::export::candidate::Candidate;
use crate::export::comparison::Lookout;
use crate::export::pass::{PassError, blocking};
use crate::export::scan::{Batch, Scan};
use crate::record::Provenance;
use crate::report::{Timestamp, Trigger};

/// The part of the bytes in flight that one batch may have: so several are under way, and one is read, within the bound.
const BATCHES: usize = 8;

/// The least time between two batches of an export, as their documents bear it: they are told apart by that.
const STEP: Duration = Duration::from_millis(1);

/// What reading comes to.
pub(super) struct Read {
    pub(super) scan: Scan,
    pub(super) lookout: Option<Lookout>,
    pub(super) batch: Batch,
    /// The time that its documents bear.
    pub(super) exported_at: Timestamp,
    /// Rows of a batch, were there enough left.
    pub(super) whole: usize,
    pub(super) interrupted: bool,
}

impl Line<'_> {
    /// Begins to read the next batch, if there is room for it.
    pub(super) fn read_ahead(&mut self) {
        let most = self.exporter.config.export.max_in_flight_bytes;
        let bytes = (most / BATCHES).max(1);
        // The next batch takes about as much as the one before.
        let has_room = self.flying == 0 || self.flying_bytes + self.read_bytes.unwrap_or(bytes) <= most;
        if self.reading.is_some()
            || self.next.is_some()
            || self.ending.is_some()
            || self.failed.is_some()
            || !has_room
        {
            return;
        }
        let Some(mut scan) = self.opened.scan.take() else { return };
        let (asked, whole) = {
            let pace = self.exporter.road.pace();
            (pace.batch(self.left), pace.batch(None))
        };
        let exported_at = after(self.exporter.batch_at);
        self.exporter.batch_at = Some(exported_at);
        let (stop, pulse) = (Arc::clone(&self.exporter.stop), self.exporter.pulse.clone());
        let mut lookout = self.opened.lookout.take();
        self.reading = Some(Box::pin(blocking(move || {
            let mut interrupted = false;
            // Asked once a page. Reading through a long table that holds nothing new is getting on, too.
            let batch = scan.next_batch(asked, bytes, &mut || {
                step(&pulse, false);
                interrupted |= lookout.as_mut().is_some_and(Lookout::sees_change);
                interrupted || stop.load(Ordering::Relaxed)
            })?;
            Ok::<_, PassError>(Read { scan, lookout, batch, exported_at, whole, interrupted })
        })));
    }

    /// The next batch was read.
    pub(super) async fn take_in(&mut self, read: Result<Read, PassError>) {
        step(&self.exporter.pulse, false);
        let Read { scan, lookout, batch, exported_at, whole, interrupted } = match read {
            Ok(read) => read,
            Err(error) => return self.fail(error, u64::MAX),
        };
        let Batch { candidates, done, .. } = batch;
        self.left = self.left.and_then(|left| left.checked_sub(candidates.len())).filter(|left| *left > 0);
        let position = scan.position();
        (self.opened.scan, self.opened.lookout) = (Some(scan), lookout);
        let is_manual = self.request.trigger == Trigger::Manual;
        let is_first = self.run.is_none() && self.recording.is_none();
        if is_first && (is_manual || !candidates.is_empty()) {
            let total = self.opened.total;
            match self.exporter.begin(self.request, self.export_id, total, exported_at).await {
                Ok(run) => *self.run = run,
                Err(error) => return self.fail(error, u64::MAX),
            }
            if self.run.is_none() && !candidates.is_empty() {
                self.ending = Some(Leg::Stopped);
                return;
            }
        }
        if self.exporter.stop.load(Ordering::Relaxed) {
            self.ending = Some(Leg::Stopped);
            return;
        }
        if done {
            self.ending = Some(Leg::Done);
        } else if interrupted {
            self.ending = Some(Leg::Interrupted);
        }
        if candidates.is_empty() {
            return;
        }
        let provenance = Provenance {
            export_id: self.export_id.to_owned(),
            source: self.exporter.source_id.clone(),
            exported_at: exported_at.to_string(),
        };
        let bytes = candidates.iter().map(Candidate::memory).sum();
        self.read_bytes = Some(bytes);
        let commands = candidates.len().div_ceil(self.exporter.road.pace().rows());
        let (full, began) = (candidates.len() >= whole, Instant::now());
        self.next = Some(Packet { candidates, bytes, commands, full, provenance, position, began });
    }
}

/// Now; but later than the batch before, whatever the clock does: the ledger tells batches of an export apart by that.
fn after(before: Option<Timestamp>) -> Timestamp {
    let now = Timestamp::now();
    before.map_or(now, |before| now.max(before.after(STEP)))
}
