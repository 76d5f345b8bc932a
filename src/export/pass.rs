//! A pass: one look at the table, and a run if there is something to send.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::comparison::{Comparisons, Lookout};
use super::deliver::{Rules, deliver};
use super::run::Run;
use super::scan::{Batch, Scan, ScanError, Scope};
use crate::config::{self, Config};
use crate::ledger::{Bound, LedgerError, Store};
use crate::record::{Position, Provenance};
use crate::report::{ExportStatus, Failure, Reason, RunRequest, RunState, Timestamp};
use crate::source::{Reader, SourceError};
use crate::target::{Indexes, Target};

/// How deep an automatic pass looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Every row is compared with the ledger.
    Full,
    /// Rows behind the last known one; every row, if that can't be enough or a comparison is due.
    Tail,
}

/// How a pass ended that didn't fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassEnd {
    /// Everything that it was to look at was dealt with. A full comparison is wanted after this time, if only the
    /// table's tail was looked at.
    Complete {
        /// When to look again, even if nothing changes.
        again_in: Option<Duration>,
    },
    /// It was asked to stop.
    Stopped,
}

/// Why a pass broke off. Whatever wasn't recorded is still pending.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// MongoDB can't be used.
    #[error(transparent)]
    Target(#[from] Failure),
    /// The table can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The ledger can't be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A part of the work panicked.
    #[error("an internal error")]
    Internal,
}

impl From<ScanError> for PassError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Source(error) => Self::Source(error),
            ScanError::Ledger(error) => Self::Ledger(error),
        }
    }
}

impl PassError {
    fn reason(&self) -> Option<Reason> {
        if let Self::Target(failure) = self { Some(failure.reason) } else { None }
    }
}

/// How far passes have got, for whoever watches that they get on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Steps of any kind.
    pub steps: u64,
    /// Times that MongoDB did what was asked of it.
    pub answers: u64,
    /// Batches whose outcome was written down: rows that aren't pending any more.
    pub recorded: u64,
}

/// How long a scan goes on without a sign of life: whoever watches must not take a large table for a stalled pass.
const SLICE: Duration = Duration::from_secs(1);

/// Makes passes, one at a time.
pub struct Exporter {
    config: Arc<Config>,
    source_id: String,
    store: Arc<Store>,
    status: watch::Sender<ExportStatus>,
    stop: Arc<AtomicBool>,
    pulse: watch::Sender<Pulse>,
    /// Where a manual export broke off, with what it was asked.
    broken_off: Option<(RunRequest, Position)>,
    /// When the whole table is compared.
    comparisons: Comparisons,
    /// Rows that the pass under way has made pending again.
    released: usize,
    /// The collection that the pass under way began with.
    collection: Option<String>,
    /// What was said already, so that it is said once.
    said: Said,
}

#[derive(Default)]
struct Said {
    missing_columns: bool,
    missing_index: bool,
    no_uuid: bool,
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
        Self {
            config,
            source_id,
            store,
            status,
            stop,
            pulse: watch::Sender::default(),
            broken_off: None,
            comparisons: Comparisons::default(),
            released: 0,
            collection: None,
            said: Said::default(),
        }
    }

    /// How far passes get, as they do.
    #[must_use]
    pub fn pulse(&self) -> watch::Receiver<Pulse> {
        self.pulse.subscribe()
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
        // Where nothing was sent, there is nothing to lose. A failure here will be met by the next operation, too.
        let dropped = sent && matches!(target.current_id().await, Ok(now) if now != self.collection);
        if lost || dropped {
            self.comparisons.owe();
            return PassEnd::Complete { again_in: Some(Duration::ZERO) };
        }
        if released {
            return PassEnd::Complete { again_in: Some(self.comparisons.owe()) };
        }
        PassEnd::Complete { again_in }
    }

    /// Entries that were lost are found again by comparing every row.
    fn owe_if_lost(&mut self) -> bool {
        let lost = self.store.take_lost();
        if lost {
            self.comparisons.owe();
        }
        lost
    }

    fn show_ledger(&self) {
        let ledger = self.store.state();
        self.status.send_if_modified(|status| std::mem::replace(&mut status.ledger, ledger) != ledger);
    }

    /// Looks at the table's tail, then at all of it if a comparison is due.
    async fn look(
        &mut self,
        target: &Target,
        request: &RunRequest,
        mut due: bool,
        run: &mut Option<Run>,
    ) -> Result<PassEnd, PassError> {
        if !(due && self.comparisons.are_quick()) {
            match self.tail(target, request, run).await? {
                Tail::Done => {}
                Tail::Stopped => return Ok(PassEnd::Stopped),
                // Rows may be anywhere; that they can wait a little keeps large tables from being read all the time.
                Tail::None => {}
                Tail::Reset => due = true,
            }
        }
        if due && self.compare(target, request, run).await? == Leg::Stopped {
            return Ok(PassEnd::Stopped);
        }
        Ok(PassEnd::Complete { again_in: (!due).then(|| self.comparisons.wait(Instant::now())) })
    }

    async fn tail(
        &mut self,
        target: &Target,
        request: &RunRequest,
        run: &mut Option<Run>,
    ) -> Result<Tail, PassError> {
        let mut opened = self.open(Scope::Pending, request, Depth::Tail).await?;
        if opened.from_start {
            return Ok(if opened.has_tail { Tail::Reset } else { Tail::None });
        }
        Ok(match self.carry(target, &mut opened, request, None, run).await? {
            Leg::Stopped => Tail::Stopped,
            Leg::Done | Leg::Interrupted => Tail::Done,
        })
    }

    /// Compares every row, and looks at the tail in between as soon as something changes.
    async fn compare(
        &mut self,
        target: &Target,
        request: &RunRequest,
        run: &mut Option<Run>,
    ) -> Result<Leg, PassError> {
        let mut opened = self.open(Scope::Pending, request, Depth::Full).await?;
        loop {
            match self.carry(target, &mut opened, request, None, run).await? {
                Leg::Interrupted => {
                    if self.tail(target, request, run).await? == Tail::Stopped {
                        return Ok(Leg::Stopped);
                    }
                }
                Leg::Stopped => return Ok(Leg::Stopped),
                Leg::Done => {
                    let spent = opened.scan.as_ref().map_or(Duration::ZERO, |scan| scan.spent);
                    self.comparisons.done(Instant::now(), spent);
                    return Ok(Leg::Done);
                }
            }
        }
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
            match self.begin(request, export_id, 0).await {
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
        if self.prepare(target).await? != Bound::Same {
            // What was dealt with before it broke off is in a collection that isn't there any more.
            self.broken_off = None;
        }
        let mut opened = self.open(Scope::Everything, request, Depth::Full).await?;
        let mut run = None;
        let result = match self.carry(target, &mut opened, request, Some(export_id), &mut run).await {
            Ok(Leg::Done | Leg::Interrupted) => Ok(PassEnd::Complete { again_in: None }),
            Ok(Leg::Stopped) => Ok(PassEnd::Stopped),
            Err(error) => Err(error),
        };
        let sent = run.is_some();
        let end = end(run, result).await?;
        Ok(self.once_more(target, sent, end).await)
    }

    /// Makes sure of the ledger and the collection, and that they belong together.
    async fn prepare(&mut self, target: &Target) -> Result<Bound, PassError> {
        let prepared = target.prepare(&self.config.export.duplicate_key).await?;
        if let Indexes::Missing(failure) = &prepared.indexes
            && !std::mem::replace(&mut self.said.missing_index, true)
        {
            tracing::warn!(
                event = "index_missing",
                reason = failure.reason.as_str(),
                detail = failure.detail.as_str(),
                "An index for duplicates can't be made: they are looked up all the same, slower, and two hosts at the \
                 same moment might both insert a person"
            );
        }
        if !prepared.has_uuid && !std::mem::replace(&mut self.said.no_uuid, true) {
            tracing::warn!(
                event = "collection_uuid_unknown",
                "Without the right to list collections, a dropped collection isn't noticed"
            );
        }
        let (store, source) = (Arc::clone(&self.store), self.source_id.clone());
        self.collection = Some(prepared.id.clone());
        let bound = blocking(move || {
            store.refresh()?;
            store.bind(&source, &prepared.id)
        })
        .await;
        self.show_ledger();
        self.owe_if_lost();
        let bound = bound?;
        if let Bound::Forgotten { entries } = bound {
            tracing::warn!(
                event = "target_changed",
                entries,
                "The collection or the table is another one than before: every row is sent that isn't there"
            );
            self.comparisons.owe();
        }
        Ok(bound)
    }

    /// Opens the table and decides where to begin.
    async fn open(&mut self, scope: Scope, request: &RunRequest, depth: Depth) -> Result<Opened, PassError> {
        let config = Arc::clone(&self.config);
        let store = Arc::clone(&self.store);
        let provenance = Provenance {
            export_id: String::new(),
            source: self.source_id.clone(),
            exported_at: String::new(),
        };
        let skip_duplicates = request.skip_duplicates;
        let go_on_behind = match &self.broken_off {
            Some((broken_off, position)) if scope == Scope::Everything && broken_off == request => {
                Some(position.clone())
            }
            _ => None,
        };
        let opened = blocking(move || {
            let mut reader = Reader::open(&config.sqlite, &config.export.duplicate_key)?;
            let missing = reader.missing_duplicate_columns().to_vec();
            let highest = store.with(|ledger| ledger.highest_rowid())?;
            let has_tail = reader.has_growing_rowids();
            let after = if scope == Scope::Pending && depth == Depth::Tail && has_tail {
                // The table's end before the ledger's: it was emptied, or ids were given again.
                let end = reader.highest_rowid()?;
                highest.filter(|highest| end.is_some_and(|end| end >= *highest))
            } else {
                None
            };
            // Where rowids move, a place in the table says nothing after a while.
            let go_on_behind = go_on_behind.filter(|_| reader.has_lasting_rowids());
            let after = after.map(Position::Rowid).or(go_on_behind);
            let from_start = after.is_none();
            let counted = match (scope, &after) {
                (_, Some(Position::Rowid(after))) => reader.count(Some(*after)),
                (Scope::Everything, _) => reader.count(None),
                (Scope::Pending, _) => reader.count(highest),
            };
            // A busy database may leave no time to count a large table; its pages are read all the same.
            let total = counted.or_else(|error| if error.is_transient() { Ok(0) } else { Err(error) })?;
            let lookout = (scope == Scope::Pending && depth == Depth::Full && has_tail)
                .then(|| Lookout::new(config.sqlite.path.clone()));
            let scan = Scan::new(reader, store, provenance, scope, skip_duplicates, after)?;
            let opened = Opened { scan: Some(scan), lookout, total, from_start, has_tail };
            Ok::<_, ScanError>((opened, missing))
        })
        .await?;
        let (opened, missing) = opened;
        if !missing.is_empty() && !std::mem::replace(&mut self.said.missing_columns, true) {
            tracing::warn!(
                event = "duplicate_columns_missing",
                columns = missing.join(", "),
                "The table lacks columns of the duplicate key: no row is taken for a duplicate"
            );
        }
        Ok(opened)
    }

    /// Carries batch after batch. The run begins with the first row that has to be sent; a manual one begins at once.
    async fn carry(
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
            let (stop, mut lookout) = (Arc::clone(&self.stop), opened.lookout.take());
            let (returned, batch, interrupted);
            (returned, opened.lookout, batch, interrupted) = blocking(move || {
                scan.set_provenance(provenance);
                let (began, mut interrupted) = (Instant::now(), false);
                let batch = scan.next_batch(size, &mut || {
                    interrupted |= lookout.as_mut().is_some_and(Lookout::sees_change);
                    interrupted || stop.load(Ordering::Relaxed) || began.elapsed() >= SLICE
                })?;
                Ok::<_, PassError>((scan, lookout, batch, interrupted))
            })
            .await?;
            scan = returned;
            self.step(false);
            if run.is_none() && (manual.is_some() || !batch.candidates.is_empty()) {
                *run = self.begin(request, &export_id, opened.total).await?;
            }
            if self.stop.load(Ordering::Relaxed) || (run.is_none() && !batch.candidates.is_empty()) {
                return Ok(Leg::Stopped);
            }
            let Batch { candidates, done } = batch;
            if !candidates.is_empty() {
                let verdicts = deliver(target, &rules, &candidates, &|| self.step(true)).await?;
                let mut carried = run.take().ok_or(PassError::Internal)?;
                let (carried, result) = blocking(move || {
                    let result = carried.record(&candidates, &verdicts, &exported_at.to_string());
                    Ok::<_, PassError>((carried, result))
                })
                .await?;
                *run = Some(carried);
                self.released += result?;
                self.pulse.send_modify(|pulse| pulse.recorded += 1);
                if manual.is_some() {
                    self.broken_off = scan.position().map(|position| (*request, position));
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

    fn step(&self, answered: bool) {
        self.pulse.send_modify(|pulse| {
            pulse.steps += 1;
            pulse.answers += u64::from(answered);
        });
    }

    async fn begin(
        &self,
        request: &RunRequest,
        export_id: &str,
        total: u64,
    ) -> Result<Option<Run>, PassError> {
        let (store, status) = (Arc::clone(&self.store), self.status.clone());
        let (request, export_id) = (*request, export_id.to_owned());
        blocking(move || Run::begin(&store, &status, &request, &export_id, total)).await
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

/// How a part of a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leg {
    /// The table's end was reached.
    Done,
    /// The table changed; the scan can go on.
    Interrupted,
    /// It was asked to stop.
    Stopped,
}

/// What a look at the table's tail came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    /// There is nothing new behind the last known row any more.
    Done,
    /// It was asked to stop.
    Stopped,
    /// New rows may stand anywhere in this table.
    None,
    /// The table isn't what it was: it was emptied, or nothing of it is known.
    Reset,
}

/// A scan, ready to begin or to go on.
struct Opened {
    scan: Option<Scan>,
    /// Interrupts a comparison.
    lookout: Option<Lookout>,
    /// Whether new rows come behind the others.
    has_tail: bool,
    /// Rows to look at, as far as is known.
    total: u64,
    /// Whether every row will be looked at.
    from_start: bool,
}

/// Shows a running export as failed that can't tell it itself any more.
pub fn abandon(status: &watch::Sender<ExportStatus>, reason: Option<Reason>, error: &str) {
    status.send_if_modified(|status| {
        if status.status != RunState::Running {
            return false;
        }
        status.status = RunState::Failed;
        status.end_time = Some(Timestamp::now());
        status.reason = reason;
        status.error_message = Some(error.to_owned());
        true
    });
}

/// Ends the run, if one had begun, as the pass has ended.
async fn end(run: Option<Run>, result: Result<PassEnd, PassError>) -> Result<PassEnd, PassError> {
    if let Some(run) = run {
        let ended = match &result {
            Ok(PassEnd::Complete { .. }) => Ok(()),
            Ok(PassEnd::Stopped) => Err((None, "stopped by request".to_owned())),
            Err(error) => Err((error.reason(), error.to_string())),
        };
        finish(run, ended).await?;
    }
    result
}

/// Now; but later than the batch before, whatever the clock does: the ledger tells batches of an export apart by that.
fn after(before: Option<Timestamp>) -> Timestamp {
    let now = Timestamp::now();
    before.map_or(now, |before| now.max(before.after(Duration::from_millis(1))))
}

/// Ends a run, on a blocking thread.
async fn finish(run: Run, ended: Result<(), (Option<Reason>, String)>) -> Result<(), PassError> {
    blocking(move || {
        run.end(ended);
        Ok::<_, PassError>(())
    })
    .await
}

fn rules(config: &Config, scan: &Scan) -> Rules {
    let shape = scan.shape();
    let duplicate_columns = shape.duplicate.iter().map(|&column| shape.name(column).to_owned()).collect();
    let updated_column = shape.updated.map(|column| shape.name(column).to_owned());
    let config::Export { updates, .. } = config.export;
    Rules { duplicate_columns, updated_column, updates }
}

/// Runs blocking work on its own thread.
async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, PassError>
where
    T: Send + 'static,
    E: Send + 'static,
    PassError: From<E>,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(PassError::from),
        Err(_) => Err(PassError::Internal),
    }
}
