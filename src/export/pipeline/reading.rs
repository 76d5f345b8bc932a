//! Reading ahead: one batch at a time, or several small ones, while others are in flight.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Leg;
use super::line::{Line, step};
use super::packet::Packet;
use crate::export::comparison::Lookout;
use crate::export::pass::{PassError, blocking};
use crate::export::scan::{Batches, Scan};
use crate::record::Provenance;
use crate::report::{Timestamp, Trigger};

/// The part of the bytes in flight that one batch may have: so several are under way, and one is read, within the bound.
const BATCHES: usize = 5;

/// The least time between two batches of an export, as their documents bear it: they are told apart by that.
const STEP: Duration = Duration::from_millis(1);

/// Rows, and batches, that are read at a time where many are asked for in small batches: each read opens the database.
const READ: (usize, usize) = (1_000, 20);

/// What reading comes to.
pub(super) struct Read {
    pub(super) scan: Scan,
    pub(super) lookout: Option<Lookout>,
    pub(super) batches: Batches,
    /// The time that each batch's documents bear.
    pub(super) times: Vec<Timestamp>,
    pub(super) asked: usize,
    pub(super) interrupted: bool,
}

impl Line<'_> {
    /// Begins to read the next batch, if there is room for it.
    pub(super) fn read_ahead(&mut self) {
        let most = self.exporter.config.export.max_in_flight_bytes;
        let bytes = (most / BATCHES).max(1);
        let has_room = self.flying == 0 || self.flying_bytes + bytes <= most;
        if self.reading.is_some()
            || !self.next.is_empty()
            || self.ending.is_some()
            || self.failed.is_some()
            || !has_room
        {
            return;
        }
        let Some(mut scan) = self.opened.scan.take() else { return };
        let asked = self.exporter.road.pace().batch();
        let count = match self.request.trigger {
            Trigger::Manual => (READ.0 / asked.max(1)).clamp(1, READ.1),
            // Rows that are pending are searched for in large pages anyhow, and batches become larger.
            Trigger::Automatic => 1,
        };
        let first = after(self.written_at);
        let times: Vec<_> = (0..count).map(|at| first.after(STEP * u32::try_from(at).unwrap_or(0))).collect();
        self.written_at = times.last().copied();
        let provenances = times.iter().map(|time| Provenance {
            export_id: self.export_id.to_owned(),
            source: self.exporter.source_id.clone(),
            exported_at: time.to_string(),
        });
        let provenances = provenances.collect();
        let (stop, pulse) = (Arc::clone(&self.exporter.stop), self.exporter.pulse.clone());
        let mut lookout = self.opened.lookout.take();
        self.reading = Some(Box::pin(blocking(move || {
            scan.set_provenances(provenances);
            let mut interrupted = false;
            // Asked once a page. Reading through a long table that holds nothing new is getting on, too.
            let batches = scan.next_batches(asked, bytes, &mut || {
                step(&pulse, false);
                interrupted |= lookout.as_mut().is_some_and(Lookout::sees_change);
                interrupted || stop.load(Ordering::Relaxed)
            })?;
            Ok::<_, PassError>(Read { scan, lookout, batches, times, asked, interrupted })
        })));
    }

    /// The next batches were read.
    pub(super) async fn take_in(&mut self, read: Result<Read, PassError>) {
        step(&self.exporter.pulse, false);
        let Read { scan, lookout, batches, times, asked, interrupted } = match read {
            Ok(read) => read,
            Err(error) => return self.fail(error, u64::MAX),
        };
        let Batches { candidates, ends, done, .. } = batches;
        let position = scan.position();
        (self.opened.scan, self.opened.lookout) = (Some(scan), lookout);
        let is_manual = self.request.trigger == Trigger::Manual;
        let is_first = self.run.is_none() && self.recording.is_none();
        if is_first && (is_manual || !candidates.is_empty()) {
            let total = self.opened.total;
            let began = times.first().copied().unwrap_or_else(Timestamp::now);
            match self.exporter.begin(self.request, self.export_id, total, began).await {
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
        let mut rest = candidates;
        let ends = ends.into_iter().map(Some).chain(std::iter::repeat(position));
        for (exported_at, position) in times.into_iter().zip(ends) {
            if rest.is_empty() {
                break;
            }
            let behind = rest.split_off(asked.clamp(1, rest.len()));
            let candidates = std::mem::replace(&mut rest, behind);
            let bytes = candidates.iter().map(|candidate| candidate.bytes).sum();
            let full = candidates.len() >= asked;
            let began = Instant::now();
            self.next.push_back(Packet { candidates, bytes, full, exported_at, position, began });
        }
    }
}

/// Now; but later than the batch before, whatever the clock does: the ledger tells batches of an export apart by that.
fn after(before: Option<Timestamp>) -> Timestamp {
    let now = Timestamp::now();
    before.map_or(now, |before| now.max(before.after(STEP)))
}
