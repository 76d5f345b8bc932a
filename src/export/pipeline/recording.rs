//! Recording: one batch at a time, in the order in which they were read.

use super::line::Line;
use super::packet::{Landed, Packet};
use crate::export::exporter::BrokenOff;
use crate::export::pass::{PassError, blocking};
use crate::export::run::Run;
use crate::ledger::LedgerError;
use crate::report::Trigger;

/// What recording a batch comes to.
pub(super) struct Recorded {
    pub(super) run: Run,
    pub(super) packet: Packet,
    pub(super) released: Result<usize, LedgerError>,
}

impl Line<'_> {
    /// Begins to record the next batch in order.
    pub(super) fn record_next(&mut self) {
        let is_off = self.failed.as_ref().is_some_and(|(_, from)| self.to_record >= *from);
        if self.recording.is_some() || is_off {
            return;
        }
        let Some(Landed { packet, delivered: Ok(delivered), .. }) = self.landed.remove(&self.to_record)
        else {
            return;
        };
        let Some(mut run) = self.run.take() else { return };
        self.to_record += 1;
        self.recording = Some(Box::pin(blocking(move || {
            let released = run.record(&packet.candidates, &delivered, &packet.provenance.exported_at);
            Ok::<_, PassError>(Recorded { run, packet, released })
        })));
    }

    pub(super) fn recorded(&mut self, recorded: Result<Recorded, PassError>) {
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
}
