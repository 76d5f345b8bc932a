//! Taking an export back, on request.

use std::sync::Arc;

use super::{Control, Late, RollbackRefusal, bring_to_its_end};
use crate::report::{Rollback, RollbackMode, RollbackRequest, RunState};

impl Control {
    /// Takes an export back, or tells what that would do. No export writes meanwhile, and as rows are held before their
    /// documents are deleted, no automatic one sends them again afterwards.
    ///
    /// # Errors
    /// See [`RollbackRefusal`].
    pub async fn rollback(&self, request: RollbackRequest) -> Result<Rollback, RollbackRefusal> {
        if request.mode == RollbackMode::Perform
            && self.shared.snapshots.status.borrow().status == RunState::Running
        {
            return Err(RollbackRefusal::ExportRunning);
        }
        let services = Arc::clone(&self.shared.services);
        let limit = self.shared.deadlines.rollback;
        let work = async move { services.rollback(request).await };
        bring_to_its_end(&self.shared.rolling_back, limit, work).await.unwrap_or_else(|Late| {
            Err(RollbackRefusal::Unavailable(format!("no result within {} s: try again", limit.as_secs())))
        })
    }
}
