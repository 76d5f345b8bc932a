//! The looks of an automatic pass: at the table's tail, and at all of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::exporter::Exporter;
use super::pass::{Depth, PassEnd, PassError, blocking};
use super::pipeline::Leg;
use super::run::Run;
use super::scan::Scope;
use crate::report::RunRequest;
use crate::target::Target;

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

impl Exporter {
    /// Looks at the table's tail, then at all of it if a comparison is due.
    pub(super) async fn look(
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
                    let store = Arc::clone(&self.store);
                    blocking(move || {
                        store.compared();
                        Ok::<_, PassError>(())
                    })
                    .await?;
                    return Ok(Leg::Done);
                }
            }
        }
    }
}
