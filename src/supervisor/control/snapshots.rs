//! What is known without asking anybody.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use super::{Changes, Control};
use crate::metrics::{self, Metrics};
use crate::report::{Backlog, ExportStatus, Link, LinkPast, Transition};

/// What can be looked at without asking anybody.
#[derive(Clone, Debug)]
pub struct Snapshots {
    /// The running or the last export.
    pub status: watch::Receiver<ExportStatus>,
    /// The connectivity to MongoDB.
    pub link: watch::Receiver<Link>,
    /// Its last day.
    pub past: watch::Receiver<LinkPast>,
    /// The rows that wait.
    pub backlog: watch::Receiver<Backlog>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl Control {
    /// The running or the last export.
    #[must_use]
    pub fn status(&self) -> ExportStatus {
        let status = self.shared.snapshots.status.borrow().clone();
        self.with_backlog(status)
    }

    pub(super) fn with_backlog(&self, status: ExportStatus) -> ExportStatus {
        self.shared.snapshots.backlog.borrow().told_in(status, Instant::now())
    }

    /// The connectivity to MongoDB.
    #[must_use]
    pub fn link(&self) -> Link {
        self.shared.snapshots.link.borrow().clone()
    }

    /// The connectivity of the last day, the earliest first.
    #[must_use]
    pub fn link_past(&self) -> Vec<Transition> {
        self.shared.snapshots.past.borrow().told(Instant::now())
    }

    /// What is counted, in Prometheus's text format, and the format's content type.
    ///
    /// # Errors
    /// A mistake of our own.
    pub fn metrics(&self, listeners: usize) -> Result<(String, &'static str), metrics::EncodeError> {
        let (status, link, backlog) = (self.status(), self.link(), *self.shared.snapshots.backlog.borrow());
        self.shared.snapshots.metrics.encode(metrics::Snapshots {
            status: &status,
            link: &link,
            oldest: backlog.oldest,
            listeners,
        })
    }

    /// Changes from now on.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes::of(&self.shared.snapshots)
    }

    /// Waits until the loop is gone.
    pub async fn gone(&self) {
        self.shared.commands.closed().await;
    }
}
