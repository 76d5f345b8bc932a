//! A look at the table and the ledger alone, before anybody connects to MongoDB: an application that writes elsewhere in
//! the same file, or nothing new, keeps no connection open.
//!
//! What holds: it sends nothing and connects to nobody. Only a tail look is made this way, by an exporter that has met
//! the collection of which the ledger speaks: that this one is still there is found out by the full looks, at
//! reconnects, and whenever there is something to send.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::comparison::Lookout;
use super::exporter::Exporter;
use super::opened::Opened;
use super::pass::{Depth, PassEnd, PassError, blocking};
use super::scan::{Scan, Scope};
use crate::ledger::Ledger;
use crate::report::RunRequest;

/// What a local look came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// A row has to be sent.
    Pending,
    /// None has to be; the end was reached.
    Nothing,
    /// The table changed meanwhile.
    Change,
    /// It was asked to stop.
    Stop,
}

impl Exporter {
    /// Looks at the table alone. `None`: there is something to send, or only MongoDB can tell.
    ///
    /// # Errors
    /// See [`PassError`]; nothing of it comes from MongoDB.
    pub async fn locally(
        &mut self,
        depth: Depth,
        request: &RunRequest,
    ) -> Result<Option<PassEnd>, PassError> {
        let store = Arc::clone(&self.store);
        if depth == Depth::Full || self.collection.is_none() || store.target() != self.collection {
            return Ok(None);
        }
        let kept = Arc::clone(&store);
        let doubts = blocking(move || {
            kept.refresh()?;
            kept.with(Ledger::settle_doubts)
        })
        .await?;
        self.show_ledger();
        if self.owe_if_lost() {
            return Ok(None);
        }
        if doubts > 0 {
            self.comparisons.owe();
        }
        let mut due = self.comparisons.wait(Instant::now()).is_zero();
        if !(due && self.comparisons.are_quick()) {
            let mut tail = self.open(Scope::Pending, request, Depth::Tail).await?;
            if tail.from_start {
                due |= tail.has_tail;
            } else {
                match self.see(&mut tail).await? {
                    Seen::Pending => return Ok(None),
                    Seen::Stop => return Ok(Some(PassEnd::Stopped)),
                    Seen::Nothing | Seen::Change => {}
                }
            }
        }
        if due {
            return self.compare_locally(request).await;
        }
        Ok(Some(PassEnd::Complete { again_in: Some(self.comparisons.wait(Instant::now())) }))
    }

    async fn compare_locally(&mut self, request: &RunRequest) -> Result<Option<PassEnd>, PassError> {
        let mut opened = self.open(Scope::Pending, request, Depth::Full).await?;
        loop {
            match self.see(&mut opened).await? {
                Seen::Pending => return Ok(None),
                Seen::Stop => return Ok(Some(PassEnd::Stopped)),
                Seen::Change => {
                    let mut tail = self.open(Scope::Pending, request, Depth::Tail).await?;
                    if !tail.from_start && self.see(&mut tail).await? == Seen::Pending {
                        return Ok(None);
                    }
                }
                Seen::Nothing => {
                    let spent = opened.scan.as_ref().map_or(Duration::ZERO, |scan| scan.spent);
                    self.comparisons.done(Instant::now(), spent);
                    self.forget_behind(&mut opened).await?;
                    return Ok(Some(PassEnd::Complete { again_in: None }));
                }
            }
        }
    }

    /// Reads until something is to be told.
    async fn see(&mut self, opened: &mut Opened) -> Result<Seen, PassError> {
        let mut scan = opened.scan.take().ok_or(PassError::Internal)?;
        let mut lookout = opened.lookout.take();
        let (stop, pulse) = (Arc::clone(&self.stop), self.pulse.clone());
        let (scan, lookout, seen) = blocking(move || {
            let (mut changed, mut stopped) = (false, false);
            let batch = scan.next_batch(1, 1, &mut || {
                pulse.send_modify(|pulse| pulse.steps += 1);
                changed |= lookout.as_mut().is_some_and(Lookout::sees_change);
                stopped |= stop.load(Ordering::Relaxed);
                changed || stopped
            })?;
            let seen = match (batch.candidates.is_empty(), batch.done, stopped) {
                (false, ..) => Seen::Pending,
                (true, true, _) => Seen::Nothing,
                (true, false, true) => Seen::Stop,
                (true, false, false) => Seen::Change,
            };
            Ok::<_, PassError>((scan, lookout, seen))
        })
        .await?;
        (opened.scan, opened.lookout) = (Some(scan), lookout);
        Ok(seen)
    }

    /// Rows that stood behind the last one are gone, as a scan of all has found.
    pub(super) async fn forget_behind(&self, opened: &mut Opened) -> Result<(), PassError> {
        if !opened.from_start {
            return Ok(());
        }
        let (store, last) = (Arc::clone(&self.store), opened.scan.as_ref().and_then(Scan::last_rowid));
        blocking(move || store.with(|ledger| ledger.forget_behind(last))).await
    }
}
