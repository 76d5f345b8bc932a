//! Waiting for snapshots to change.

use tokio::sync::watch;

use super::Snapshots;
use crate::report::{Backlog, ExportStatus, Link};

/// Which snapshots have changed since they were last asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// What [`Control::status`](super::Control::status) tells.
    pub status: bool,
    /// What [`Control::link`](super::Control::link) tells.
    pub link: bool,
}

/// Changes since it was made.
#[derive(Debug)]
pub struct Changes {
    status: watch::Receiver<ExportStatus>,
    backlog: watch::Receiver<Backlog>,
    link: watch::Receiver<Link>,
}

impl Changes {
    pub(super) fn of(snapshots: &Snapshots) -> Self {
        let Snapshots { status, backlog, link, .. } = snapshots;
        let mut changes = Self { status: status.clone(), backlog: backlog.clone(), link: link.clone() };
        let _until_now = changes.take();
        changes
    }

    /// Waits for the next change; for ever if nobody is left to make one. May be dropped at any time.
    pub async fn any(&mut self) {
        let Self { status, backlog, link } = self;
        tokio::select! {
            Ok(()) = status.changed() => status.mark_changed(),
            Ok(()) = backlog.changed() => backlog.mark_changed(),
            Ok(()) = link.changed() => link.mark_changed(),
            else => std::future::pending().await,
        }
    }

    /// What has changed, which counts as asked about from now on.
    pub fn take(&mut self) -> Change {
        fn took<T>(changes: &mut watch::Receiver<T>) -> bool {
            let has_changed = changes.has_changed().unwrap_or(false);
            changes.mark_unchanged();
            has_changed
        }
        let (status, backlog) = (took(&mut self.status), took(&mut self.backlog));
        Change { status: status || backlog, link: took(&mut self.link) }
    }
}
