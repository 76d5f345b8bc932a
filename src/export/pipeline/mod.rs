//! Carrying batch after batch: read, deliver, record, all three at once.
//!
//! What holds:
//! - batches are recorded in the order in which they were read, each after a majority has acknowledged it: where an export
//!   breaks off, whatever a later batch has written is found by the next one, and counted there;
//! - while some batches are on their way, the next one is read: bounded by their number and by the bytes of their
//!   documents, what is read ahead included;
//! - after a failure nothing more is sent; what was sent before it is waited for and recorded.

mod expectation;
mod flights;
mod limits;
mod line;
mod pace;
mod packet;
mod places;
mod reading;
mod recording;
mod road;
mod sieve;

use std::sync::Arc;

use super::deliver::Rules;
use super::exporter::Exporter;
use super::opened::Opened;
use super::pass::{PassError, blocking};
use super::run::{Run, Shown};
use super::scan::Scan;
use crate::config::{self, Config};
use crate::report::{RunRequest, Timestamp};
use crate::target::Target;
pub(super) use flights::{Flights, Marks, inserted, may_be_changing};
pub(super) use limits::Limits;
use line::Line;
pub(super) use pace::{AT_WORK, Pace};
pub(super) use places::Place;
pub(super) use road::{Road, Turn};

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
        let scan = opened.scan.as_ref().ok_or(PassError::Internal)?;
        let rules = rules(&self.config, scan);
        let export_id = match (manual, run.as_ref()) {
            (Some(id), _) => id.to_owned(),
            (None, Some(run)) => run.export_id.clone(),
            (None, None) => self.new_export_id().await?,
        };
        self.road.pace().set_limits(Limits::of(&self.config, request));
        let flights = Flights::default();
        Line::new(self, target, &rules, &flights, request, &export_id, opened, run).carry().await
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

fn rules(config: &Config, scan: &Scan) -> Rules {
    let shape = scan.shape();
    let (duplicate_columns, updated_column) = (shape.duplicate_fields(), shape.updated_field());
    let config::Export { updates, .. } = config.export;
    Rules { shape: shape.clone(), duplicate_columns, updated_column, updates }
}
