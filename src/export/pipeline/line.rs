//! The line from the table to the ledger: what is being read, what is in flight, what waits to be recorded.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;

use super::Leg;
use super::flights::Flights;
use super::packet::{Landed, Packet};
use super::reading::Read;
use super::recording::Recorded;
use crate::export::deliver::{Rules, Way};
use crate::export::exporter::Exporter;
use crate::export::opened::Opened;
use crate::export::pass::{PassError, Pulse};
use crate::export::run::Run;
use crate::report::{Reason, RunRequest};
use crate::target::Target;

/// Work on its way.
pub(super) type Task<'a, T> = Pin<Box<dyn Future<Output = Result<T, PassError>> + Send + 'a>>;

/// A leg of a pass, under way.
pub(super) struct Line<'a> {
    pub(super) exporter: &'a mut Exporter,
    pub(super) target: &'a Target,
    pub(super) rules: &'a Rules,
    pub(super) flights: &'a Flights,
    pub(super) request: &'a RunRequest,
    pub(super) export_id: &'a str,
    pub(super) opened: &'a mut Opened,
    pub(super) run: &'a mut Option<Run>,
    pub(super) reading: Option<Task<'static, Read>>,
    /// Read, and waiting for room.
    pub(super) next: Option<Packet>,
    /// Delivered, and waiting for those before them to be recorded.
    pub(super) landed: BTreeMap<u64, Landed>,
    pub(super) recording: Option<Task<'static, Recorded>>,
    /// The number of the next batch to be recorded.
    pub(super) to_record: u64,
    pub(super) flying: usize,
    pub(super) flying_bytes: usize,
    /// The commands that they take.
    pub(super) flying_commands: usize,
    /// Rows that aren't read yet, as far as is known.
    pub(super) left: Option<usize>,
    /// What the batch that was read last takes.
    pub(super) read_bytes: Option<usize>,
    /// How the leg ends once everything in flight has landed.
    pub(super) ending: Option<Leg>,
    /// Why it breaks off, and the number of the batch from which on nothing is recorded.
    pub(super) failed: Option<(PassError, u64)>,
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
        if run.is_none() {
            // Another export begins.
            exporter.batch_at = None;
        }
        let left = usize::try_from(opened.total).ok().filter(|total| *total > 0);
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
            flying_commands: 0,
            left,
            read_bytes: None,
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
                let number = self.flights.enter(&packet.candidates);
                flying.push(packet.deliver(&way, number));
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
                () = road.wider() => {}
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
        if self.exporter.stop.load(Ordering::Relaxed) && (self.next.is_some() || self.ending.is_none()) {
            self.next = None;
            self.ending = Some(Leg::Stopped);
        }
    }

    /// The batch that was read, if it may go now.
    fn take_off(&mut self) -> Option<Packet> {
        let (flights, has_room) = {
            let pace = self.exporter.road.pace();
            (pace.flights(), pace.has_room(self.flying, self.flying_commands))
        };
        self.exporter.road.queues(!has_room && self.next.is_some());
        // What waits for an earlier one to be recorded counts, too: the ledger may be slower than the network.
        if self.failed.is_some() || !has_room || self.landed.len() > flights {
            return None;
        }
        let packet = self.next.take()?;
        self.flying += 1;
        self.flying_commands += packet.commands;
        self.flying_bytes += packet.bytes;
        Some(packet)
    }

    fn land(&mut self, landed: Landed) {
        self.flying -= 1;
        self.flying_commands -= landed.packet.commands;
        self.flying_bytes -= landed.packet.bytes;
        if let Err(failure) = &landed.delivered {
            self.fail(PassError::Target(failure.clone()), landed.number);
        } else {
            self.landed.insert(landed.number, landed);
        }
    }

    /// Nothing more is sent; the first failure is told.
    pub(super) fn fail(&mut self, error: PassError, number: u64) {
        self.next = None;
        self.failed = Some(match self.failed.take() {
            None => (error, number),
            Some((first, before)) => (first, before.min(number)),
        });
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

pub(super) fn step(pulse: &watch::Sender<Pulse>, answered: bool) {
    pulse.send_modify(|pulse| {
        pulse.steps += 1;
        pulse.answers += u64::from(answered);
    });
}
