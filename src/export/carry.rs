//! Carrying batch after batch: read, deliver, record.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::comparison::Lookout;
use super::deliver::{Rules, deliver};
use super::exporter::{BrokenOff, Exporter};
use super::opened::Opened;
use super::pass::{PassError, Pulse, blocking};
use super::run::{Run, Shown};
use super::scan::{Batch, Scan};
use crate::config::{self, Config};
use crate::record::Provenance;
use crate::report::{RunRequest, Timestamp};
use crate::target::Target;

/// How a part of a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leg {
    /// The table's end was reached.
    Done,
    /// The table changed; the scan can go on.
    Interrupted,
    /// It was asked to stop.
    Stopped,
}

impl Exporter {
    /// Carries batch after batch. The run begins with the first row that has to be sent; a manual one begins at once.
    pub(super) async fn carry(
        &mut self,
        target: &Target,
        opened: &mut Opened,
        request: &RunRequest,
        manual: Option<&str>,
        run: &mut Option<Run>,
    ) -> Result<Leg, PassError> {
        let mut scan = opened.scan.take().ok_or(PassError::Internal)?;
        let mut written_at = None;
        let rules = rules(&self.config, &scan);
        let size = usize::from(request.batch_size);
        let export_id = match (manual, run.as_ref()) {
            (Some(id), _) => id.to_owned(),
            (None, Some(run)) => run.export_id.clone(),
            (None, None) => self.new_export_id().await?,
        };
        loop {
            let exported_at = after(written_at);
            written_at = Some(exported_at);
            let provenance = Provenance {
                export_id: export_id.clone(),
                source: self.source_id.clone(),
                exported_at: exported_at.to_string(),
            };
            let (stop, pulse) = (Arc::clone(&self.stop), self.pulse.clone());
            let mut lookout = opened.lookout.take();
            let (returned, batch, interrupted);
            (returned, opened.lookout, batch, interrupted) = blocking(move || {
                scan.set_provenance(provenance);
                let mut interrupted = false;
                // Asked once a page. Reading through a long table that holds nothing new is getting on, too.
                let batch = scan.next_batch(size, &mut || {
                    step(&pulse, false);
                    interrupted |= lookout.as_mut().is_some_and(Lookout::sees_change);
                    interrupted || stop.load(Ordering::Relaxed)
                })?;
                Ok::<_, PassError>((scan, lookout, batch, interrupted))
            })
            .await?;
            scan = returned;
            step(&self.pulse, false);
            if run.is_none() && (manual.is_some() || !batch.candidates.is_empty()) {
                *run = self.begin(request, &export_id, opened.total, exported_at).await?;
            }
            if self.stop.load(Ordering::Relaxed) || (run.is_none() && !batch.candidates.is_empty()) {
                return Ok(Leg::Stopped);
            }
            let Batch { candidates, done } = batch;
            if !candidates.is_empty() {
                let began = Instant::now();
                let verdicts = deliver(target, &rules, &candidates, &|| step(&self.pulse, true)).await?;
                let mut carried = run.take().ok_or(PassError::Internal)?;
                let (carried, result) = blocking(move || {
                    let result = carried.record(&candidates, &verdicts, &exported_at.to_string());
                    Ok::<_, PassError>((carried, result))
                })
                .await?;
                *run = Some(carried);
                self.released += result?;
                self.metrics.batch_took(began.elapsed());
                self.pulse.send_modify(|pulse| pulse.recorded += 1);
                if manual.is_some() {
                    self.broken_off = scan.position().map(|position| BrokenOff {
                        request: *request,
                        position,
                        collection: self.collection.clone(),
                    });
                }
            }
            if done {
                self.broken_off = None;
                if opened.from_start {
                    let (store, last) = (Arc::clone(&self.store), scan.last_rowid());
                    blocking(move || store.with(|ledger| ledger.forget_behind(last))).await?;
                }
                opened.scan = Some(scan);
                return Ok(Leg::Done);
            }
            if interrupted {
                opened.scan = Some(scan);
                return Ok(Leg::Interrupted);
            }
        }
    }

    pub(super) async fn begin(
        &self,
        request: &RunRequest,
        export_id: &str,
        total: u64,
        started: Timestamp,
    ) -> Result<Option<Run>, PassError> {
        let shown = Shown { status: self.status.clone(), metrics: Arc::clone(&self.metrics) };
        let store = Arc::clone(&self.store);
        let (request, export_id) = (*request, export_id.to_owned());
        blocking(move || Run::begin(&store, shown, &request, &export_id, total, started)).await
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

fn rules(config: &Config, scan: &Scan) -> Rules {
    let shape = scan.shape();
    let duplicate_columns = shape.duplicate.iter().map(|&column| shape.name(column).to_owned()).collect();
    let updated_column = shape.updated.map(|column| shape.name(column).to_owned());
    let config::Export { updates, .. } = config.export;
    Rules { duplicate_columns, updated_column, updates }
}
