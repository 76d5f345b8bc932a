//! Makes passes, automatic and manual ones.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::comparison::Comparisons;
use super::ending::{abandon, end, finish};
use super::pass::{Depth, PassEnd, PassError, Pulse, blocking};
use super::pipeline::{AT_WORK, Leg, Limits, Pace, Road};
use super::prepare::Said;
use super::scan::{ScanError, Scope};
use crate::config::Config;
use crate::ledger::{Ledger, LedgerError, Store};
use crate::metrics::Metrics;
use crate::record::Position;
use crate::report::{ExportStatus, Failure, RunRequest, Timestamp, Trigger};
use crate::source::Reader;
use crate::target::Target;

/// Where a manual export broke off.
pub(super) struct BrokenOff {
    /// What it was asked.
    pub(super) request: RunRequest,
    /// The last row that was dealt with.
    pub(super) position: Position,
    /// The collection that holds what was sent.
    pub(super) collection: Option<String>,
}

/// Makes passes, one at a time.
pub struct Exporter {
    pub(super) config: Arc<Config>,
    pub(super) source_id: String,
    pub(super) store: Arc<Store>,
    pub(super) status: watch::Sender<ExportStatus>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) pulse: watch::Sender<Pulse>,
    pub(super) metrics: Arc<Metrics>,
    /// Where a manual export broke off, if one did.
    pub(super) broken_off: Option<BrokenOff>,
    /// When the whole table is compared.
    pub(super) comparisons: Comparisons,
    /// Rows that the pass under way has made pending again.
    pub(super) released: usize,
    /// The collection that the pass under way, or the last one, began with; `None` if that is known to be gone.
    pub(super) collection: Option<String>,
    /// The time of the last batch, as its documents bear it: later ones of the same export bear later ones.
    pub(super) batch_at: Option<Timestamp>,
    /// What was said already, so that it is said once.
    pub(super) said: Said,
    /// What is known of the way to MongoDB.
    pub(super) road: Arc<Road>,
}

impl Exporter {
    /// An exporter for the configured table. `source_id` tells host, database and table; `stop` is looked at between
    /// batches.
    #[must_use]
    pub fn new(
        config: Arc<Config>,
        source_id: String,
        store: Arc<Store>,
        status: watch::Sender<ExportStatus>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let first = RunRequest {
            trigger: Trigger::Automatic,
            batch_size: config.export.batch_size,
            skip_duplicates: config.export.skip_duplicates,
        };
        let road = Arc::new(Road::new(Pace::new(Limits::of(&config, &first))));
        Self {
            config,
            source_id,
            store,
            status,
            stop,
            pulse: watch::Sender::default(),
            metrics: Arc::default(),
            broken_off: None,
            batch_at: None,
            comparisons: Comparisons::default(),
            released: 0,
            collection: None,
            said: Said::default(),
            road,
        }
    }

    /// How far passes get, as they do.
    #[must_use]
    pub fn pulse(&self) -> watch::Receiver<Pulse> {
        self.pulse.subscribe()
    }

    /// What its exports have come to, in numbers.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// An automatic pass: sends what is pending.
    ///
    /// # Errors
    /// See [`PassError`]; the status tells of the run, if one had begun.
    pub async fn automatic(
        &mut self,
        target: &Target,
        depth: Depth,
        request: &RunRequest,
    ) -> Result<PassEnd, PassError> {
        self.prepare(target).await?;
        let store = Arc::clone(&self.store);
        if blocking(move || store.with(Ledger::settle_doubts)).await? > 0 {
            self.comparisons.owe();
        }
        self.road.begin(target);
        let due = depth == Depth::Full || self.comparisons.wait(Instant::now()).is_zero();
        let mut run = None;
        let result = self.look(target, request, due, &mut run).await;
        let sent = run.is_some();
        let end = end(run, result).await?;
        Ok(self.once_more(target, sent, end).await)
    }

    /// Whether the pass that just went through has to be followed by another: rows were made pending again that stand
    /// before the place it had got to, entries were lost on the way, or the collection was dropped under its hands.
    async fn once_more(&mut self, target: &Target, sent: bool, end: PassEnd) -> PassEnd {
        self.show_ledger();
        let lost = self.owe_if_lost();
        let released = std::mem::take(&mut self.released) > 0;
        let PassEnd::Complete { again_in } = end else { return end };
        // Where nothing was sent, there is nothing to lose.
        let dropped = sent && self.is_dropped(target).await;
        if lost || dropped {
            self.comparisons.owe();
            // Only a look that connects can tell what is there now.
            self.collection = None;
            return PassEnd::Complete { again_in: Some(Duration::ZERO) };
        }
        if released {
            return PassEnd::Complete { again_in: Some(self.comparisons.owe()) };
        }
        PassEnd::Complete { again_in }
    }

    /// A manual export: considers every row, and checks against MongoDB itself. Made `again` after a failure of the
    /// connection, it goes on behind the last row that was dealt with.
    ///
    /// # Errors
    /// See [`PassError`]; the status tells of the run.
    pub async fn manual(
        &mut self,
        target: Result<&Target, Failure>,
        request: &RunRequest,
        export_id: &str,
        again: bool,
    ) -> Result<PassEnd, PassError> {
        if !again {
            self.broken_off = None;
        }
        let result = match target {
            Ok(target) => self.everything(target, request, export_id).await,
            Err(failure) => Err(failure.into()),
        };
        // What failed before the run had begun is told by the status all the same: somebody asked.
        if let Err(error) = &result
            && self.status.borrow().is_running(export_id)
        {
            match self.begin(request, export_id, 0, Timestamp::now()).await {
                Ok(Some(run)) => finish(run, Err((error.reason(), error.to_string()))).await?,
                _ => abandon(&self.status, error.reason(), &error.to_string()),
            }
        }
        result
    }

    async fn everything(
        &mut self,
        target: &Target,
        request: &RunRequest,
        export_id: &str,
    ) -> Result<PassEnd, PassError> {
        let in_flight = usize::from(self.config.export.max_in_flight);
        target.weigh(self.config.mongodb.operation_timeout / 2).await;
        // As many as write, and as many that look up.
        let made = target.warm(in_flight * 2 + AT_WORK);
        self.prepare(target).await?;
        made.await;
        self.road.begin(target);
        let mut opened = self.open(Scope::Everything, request, Depth::Full).await?;
        let mut run = None;
        let result = match self.carry(target, &mut opened, request, Some(export_id), &mut run).await {
            Ok(Leg::Done | Leg::Interrupted) => Ok(PassEnd::Complete { again_in: None }),
            Ok(Leg::Stopped) => Ok(PassEnd::Stopped),
            Err(error) => Err(error),
        };
        // Somebody asked for every row: where the first ones went, the last ones have to be, too.
        let result = match result {
            Ok(PassEnd::Complete { .. }) if self.is_dropped(target).await => {
                self.collection = None;
                Err(PassError::Dropped)
            }
            result => result,
        };
        let sent = run.is_some();
        let end = end(run, result).await?;
        Ok(self.once_more(target, sent, end).await)
    }

    /// Whether the collection is another one than when the pass began. A failure here will be met by the next operation,
    /// too.
    async fn is_dropped(&self, target: &Target) -> bool {
        matches!(target.current_id().await, Ok(now) if now != self.collection)
    }

    /// Whether the table can be read.
    ///
    /// # Errors
    /// See [`PassError`].
    pub async fn readable(&self) -> Result<(), PassError> {
        let config = Arc::clone(&self.config);
        blocking(move || {
            Reader::open(&config.sqlite, &config.export.duplicate_key).map(drop).map_err(ScanError::from)
        })
        .await
    }

    /// `export_YYYYMMDD_HHMMSS`, with a number behind it if there is one of this second already.
    ///
    /// # Errors
    /// See [`PassError`].
    pub async fn new_export_id(&self) -> Result<String, PassError> {
        let store = Arc::clone(&self.store);
        blocking(move || {
            let base = format!("export_{}", Timestamp::now().compact());
            let mut id = base.clone();
            let mut next = 2;
            while store.with(|ledger| ledger.knows_run(&id))? {
                id = format!("{base}_{next}");
                next += 1;
            }
            Ok::<_, LedgerError>(id)
        })
        .await
    }
}
