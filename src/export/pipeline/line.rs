//! The line from the table to the ledger: what is being read, what is in flight, what waits to be recorded.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;

use super::Leg;
use super::flights::Flights;
use super::packet::{Landed, Packet};
use crate::export::comparison::Lookout;
use crate::export::deliver::{Rules, Way};
use crate::export::exporter::{BrokenOff, Exporter};
use crate::export::opened::Opened;
use crate::export::pass::{PassError, Pulse, blocking};
use crate::export::run::Run;
use crate::export::scan::{Batch, Scan};
use crate::ledger::LedgerError;
use crate::record::Provenance;
use crate::report::{Reason, RunRequest, Timestamp, Trigger};
use crate::target::Target;

/// The part of the bytes in flight that one batch may have: so several are under way, and one is read, within the bound.
const BATCHES: usize = 4;

/// Work on its way.
type Task<'a, T> = Pin<Box<dyn Future<Output = Result<T, PassError>> + Send + 'a>>;

/// What reading a batch comes to.
struct Read {
    scan: Scan,
    lookout: Option<Lookout>,
    batch: Batch,
    exported_at: Timestamp,
    asked: usize,
    interrupted: bool,
}

/// What recording a batch comes to.
struct Recorded {
    run: Run,
    packet: Packet,
    released: Result<usize, LedgerError>,
}

/// A leg of a pass, under way.
pub(super) struct Line<'a> {
    exporter: &'a mut Exporter,
    target: &'a Target,
    rules: &'a Rules,
    flights: &'a Flights,
    request: &'a RunRequest,
    export_id: &'a str,
    opened: &'a mut Opened,
    run: &'a mut Option<Run>,
    reading: Option<Task<'static, Read>>,
    /// Read, and waiting for room.
    next: Option<Packet>,
    /// Delivered, and waiting for those before them to be recorded.
    landed: BTreeMap<u64, Landed>,
    recording: Option<Task<'static, Recorded>>,
    /// The number of the next batch to be recorded.
    to_record: u64,
    flying: usize,
    flying_bytes: usize,
    written_at: Option<Timestamp>,
    /// How the leg ends once everything in flight has landed.
    ending: Option<Leg>,
    /// Why it breaks off, and the number of the batch from which on nothing is recorded.
    failed: Option<(PassError, u64)>,
}

impl<'a> Line<'a> {
    #[expect(clippy::too_many_arguments, reason = "a struct of them would be this one")]
    pub(super) fn new(
        exporter: &'a mut Exporter,
        target: &'a Target,
        rules: &'a Rules,
        flights: &'a Flights,
        request: &'a RunRequest,
        export_id: &'a str,
        opened: &'a mut Opened,
        run: &'a mut Option<Run>,
    ) -> Self {
        Self {
            exporter,
            target,
            rules,
            flights,
            request,
            export_id,
            opened,
            run,
            reading: None,
            next: None,
            landed: BTreeMap::new(),
            recording: None,
            to_record: 0,
            flying: 0,
            flying_bytes: 0,
            written_at: None,
            ending: None,
            failed: None,
        }
    }

    /// Carries until the leg is over.
    pub(super) async fn carry(mut self) -> Result<Leg, PassError> {
        let (road, pulse) = (Arc::clone(&self.exporter.road), self.exporter.pulse.clone());
        let answered = move |bytes: usize| {
            step(&pulse, true);
            pulse.send_modify(|pulse| pulse.bytes += bytes as u64);
        };
        let waited = self.exporter.pulse.clone();
        let waiting = move || step(&waited, false);
        let way = Way {
            target: self.target,
            rules: self.rules,
            flights: self.flights,
            road: &road,
            answered: &answered,
            waiting: &waiting,
        };
        let mut flying = FuturesUnordered::new();
        loop {
            self.heed_stop();
            self.read_ahead();
            if let Some(packet) = self.take_off() {
                let marks = self.flights.enter(&packet.candidates);
                flying.push(packet.deliver(&way, marks));
                continue;
            }
            self.record_next();
            if self.is_over() {
                break;
            }
            tokio::select! {
                Some(landed) = flying.next() => self.land(landed),
                recorded = done(&mut self.recording) => self.recorded(recorded),
                read = done(&mut self.reading) => self.take_in(read).await,
            }
        }
        drop(flying);
        if let Some((error, _)) = self.failed.take() {
            if let PassError::Target(failure) = &error
                && failure.reason == Reason::Timeout
            {
                road.pace().broke_off();
            }
            return Err(error);
        }
        self.finish().await
    }

    /// Nothing more is sent once it was asked to stop: what is in flight lands.
    fn heed_stop(&mut self) {
        if self.exporter.stop.load(Ordering::Relaxed) && (self.next.take().is_some() || self.ending.is_none())
        {
            self.ending = Some(Leg::Stopped);
        }
    }

    /// Begins to read the next batch, if there is room for it.
    fn read_ahead(&mut self) {
        let most = self.exporter.config.export.max_in_flight_bytes;
        let bytes = (most / BATCHES).max(1);
        let has_room = self.flying == 0 || self.flying_bytes + bytes <= most;
        if self.reading.is_some()
            || self.next.is_some()
            || self.ending.is_some()
            || self.failed.is_some()
            || !has_room
        {
            return;
        }
        let Some(mut scan) = self.opened.scan.take() else { return };
        let exported_at = after(self.written_at);
        self.written_at = Some(exported_at);
        let provenance = Provenance {
            export_id: self.export_id.to_owned(),
            source: self.exporter.source_id.clone(),
            exported_at: exported_at.to_string(),
        };
        let (stop, pulse) = (Arc::clone(&self.exporter.stop), self.exporter.pulse.clone());
        let mut lookout = self.opened.lookout.take();
        let asked = self.exporter.road.pace().batch();
        self.reading = Some(Box::pin(blocking(move || {
            scan.set_provenance(provenance);
            let mut interrupted = false;
            // Asked once a page. Reading through a long table that holds nothing new is getting on, too.
            let batch = scan.next_batch(asked, bytes, &mut || {
                step(&pulse, false);
                interrupted |= lookout.as_mut().is_some_and(Lookout::sees_change);
                interrupted || stop.load(Ordering::Relaxed)
            })?;
            Ok::<_, PassError>(Read { scan, lookout, batch, exported_at, asked, interrupted })
        })));
    }

    /// A batch was read.
    async fn take_in(&mut self, read: Result<Read, PassError>) {
        step(&self.exporter.pulse, false);
        let Read { scan, lookout, batch, exported_at, asked, interrupted } = match read {
            Ok(read) => read,
            Err(error) => return self.fail(error, u64::MAX),
        };
        let Batch { candidates, bytes, done } = batch;
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
        if !candidates.is_empty() {
            let full = candidates.len() >= asked;
            self.next = Some(Packet { candidates, bytes, full, exported_at, position, began: Instant::now() });
        }
    }

    /// The batch that was read, if it may go now.
    fn take_off(&mut self) -> Option<Packet> {
        let window = self.exporter.road.pace().window();
        // What waits for an earlier one to be recorded counts, too: the ledger may be slower than the network.
        if self.failed.is_some() || self.flying >= window || self.landed.len() > window {
            return None;
        }
        let packet = self.next.take()?;
        self.flying += 1;
        self.flying_bytes += packet.bytes;
        Some(packet)
    }

    fn land(&mut self, landed: Landed) {
        self.flying -= 1;
        self.flying_bytes -= landed.packet.bytes;
        if let Err(failure) = &landed.verdicts {
            self.fail(PassError::Target(failure.clone()), landed.number);
        } else {
            self.landed.insert(landed.number, landed);
        }
    }

    /// Nothing more is sent; the first failure is told.
    fn fail(&mut self, error: PassError, number: u64) {
        self.next = None;
        self.failed = Some(match self.failed.take() {
            None => (error, number),
            Some((first, before)) => (first, before.min(number)),
        });
    }

    /// Begins to record the next batch in order.
    fn record_next(&mut self) {
        let is_off = self.failed.as_ref().is_some_and(|(_, from)| self.to_record >= *from);
        if self.recording.is_some() || is_off {
            return;
        }
        let Some(Landed { packet, verdicts: Ok(verdicts), .. }) = self.landed.remove(&self.to_record) else {
            return;
        };
        let Some(mut run) = self.run.take() else { return };
        self.to_record += 1;
        self.recording = Some(Box::pin(blocking(move || {
            let released = run.record(&packet.candidates, &verdicts, &packet.exported_at.to_string());
            Ok::<_, PassError>(Recorded { run, packet, released })
        })));
    }

    fn recorded(&mut self, recorded: Result<Recorded, PassError>) {
        let Recorded { run, packet, released } = match recorded {
            Ok(recorded) => recorded,
            Err(error) => return self.fail(error, 0),
        };
        *self.run = Some(run);
        match released {
            Ok(released) => self.exporter.released += released,
            Err(error) => return self.fail(error.into(), 0),
        }
        self.exporter.metrics.batch_took(packet.began.elapsed());
        self.exporter.pulse.send_modify(|pulse| pulse.recorded += 1);
        if self.request.trigger == Trigger::Manual {
            self.exporter.broken_off = packet.position.map(|position| BrokenOff {
                request: *self.request,
                position,
                collection: self.exporter.collection.clone(),
            });
        }
    }

    /// Whether everything has landed and is recorded that is going to be.
    fn is_over(&self) -> bool {
        // Of the table and the ledger nobody lets go in mid-work: another pass would meet it there.
        if self.recording.is_some() || self.reading.is_some() {
            return false;
        }
        match &self.failed {
            Some((_, from)) => self.to_record >= *from || self.flying == 0,
            None => self.ending.is_some() && self.flying == 0 && self.next.is_none(),
        }
    }

    async fn finish(self) -> Result<Leg, PassError> {
        let ending = self.ending.unwrap_or(Leg::Stopped);
        if ending == Leg::Done {
            self.exporter.broken_off = None;
            self.exporter.forget_behind(self.opened).await?;
        }
        Ok(ending)
    }
}

/// Waits for the task; for ever if there is none.
async fn done<T>(task: &mut Option<Task<'static, T>>) -> Result<T, PassError> {
    match task {
        Some(running) => {
            let result = running.await;
            *task = None;
            result
        }
        None => std::future::pending().await,
    }
}

fn step(pulse: &watch::Sender<Pulse>, answered: bool) {
    pulse.send_modify(|pulse| {
        pulse.steps += 1;
        pulse.answers += u64::from(answered);
    });
}

/// Now; but later than the batch before, whatever the clock does: the ledger tells batches of an export apart by that.
fn after(before: Option<Timestamp>) -> Timestamp {
    let now = Timestamp::now();
    before.map_or(now, |before| now.max(before.after(Duration::from_millis(1))))
}
