//! Taking an export back while the daemon runs: beside the loop, by a connection of its own.
//!
//! What holds: no export is under way meanwhile, and none sends the rows right back afterwards, as the ledger holds them.

use std::time::Duration;

use crate::audit::{self, AuditError};
use crate::config::Config;
use crate::ledger::Store;
use crate::report::{LedgerState, Reason, Rollback, RollbackMode, RollbackRequest};
use crate::source::source_id;
use crate::target::{Target, Ways, Written};

/// How long a look at the table that is under way may take to end.
const TURN: Duration = Duration::from_secs(5);

/// Plans or performs it; an error is told as it is. Blocks now and then.
pub(super) async fn take_back(
    config: &Config,
    ways: &Ways,
    store: &Store,
    request: &RollbackRequest,
) -> Result<Rollback, String> {
    let _turn = match request.mode {
        RollbackMode::DryRun => None,
        RollbackMode::Perform => match tokio::time::timeout(TURN, store.turn().lock_owned()).await {
            Ok(turn) => Some(turn),
            Err(_) => {
                return Err(
                    "an export operation is in progress: stop it first, or wait for its end".to_owned()
                );
            }
        },
    };
    let source = source_id(&config.sqlite).map_err(|error| error.to_string())?;
    let target = ways.connect(config.probe.timeout).await.map_err(|failure| failure.to_string())?;
    let result = with(&target, config, store, &source, request).await;
    target.close().await;
    if let Ok(Rollback::Done(done)) = &result {
        tracing::warn!(
            event = "export_rolled_back",
            export_id = request.export_id.as_str(),
            deleted = done.deleted,
            kept = done.kept,
            held = done.held,
            "An export was taken back: its documents are deleted, its rows are held until they are released"
        );
    }
    result
}

async fn with(
    target: &Target,
    config: &Config,
    store: &Store,
    source: &str,
    request: &RollbackRequest,
) -> Result<Rollback, String> {
    let written = Written { source, export_id: Some(&request.export_id) };
    let told = |error: AuditError| match error {
        AuditError::Target(failure) if failure.reason == Reason::NotAuthorized => {
            format!("{failure}; a rollback needs the right to remove documents")
        }
        error => error.to_string(),
    };
    if request.mode == RollbackMode::DryRun {
        return audit::plan(config, target, written).await.map(Rollback::Planned).map_err(told);
    }
    if store.state() == LedgerState::Temporary {
        return Err("the state directory can't be used: rows could not be held".to_owned());
    }
    let collection = target.current_id().await.map_err(|failure| failure.to_string())?;
    if collection.is_none() || collection != store.target() {
        return Err(
            "this collection isn't the one that was last exported to: export first, or try again in a moment"
                .to_owned(),
        );
    }
    audit::rollback(config, target, store, written, request.extent).await.map(Rollback::Done).map_err(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;
    use crate::report::Extent;

    #[tokio::test(start_paused = true)]
    async fn nothing_is_taken_back_while_an_export_has_its_turn() {
        let directory = tempfile::tempdir().unwrap();
        let config = Config::load(&Sources::default()).unwrap();
        let ways = Ways::new(config.mongodb.clone(), config.probe.online_interval);
        let store = Store::open(directory.path()).unwrap();
        let request = RollbackRequest {
            export_id: "export_20240101_000000".to_owned(),
            extent: Extent::ChangedToo,
            mode: RollbackMode::Perform,
        };
        let turn = store.turn().lock_owned().await;
        let refused = take_back(&config, &ways, &store, &request).await.unwrap_err();
        assert!(refused.contains("in progress"), "{refused}");
        drop(turn);
    }
}
