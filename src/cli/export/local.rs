//! An export by this process, while no daemon works with the state directory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Export, Running};
use crate::cli::CommandError;
use crate::config::Config;
use crate::export::{Exporter, PassEnd, PassError, claim};
use crate::ledger::Store;
use crate::report::{ExportStatus, RunRequest, Timestamp, Trigger};
use crate::source::source_id;
use crate::target::Ways;

/// The longest that is waited for threads that hang in a file system.
const END: Duration = Duration::from_millis(500);

/// An export of our own.
pub(super) struct Local {
    runtime: Runtime,
    work: JoinHandle<Result<PassEnd, CommandError>>,
    status: watch::Receiver<ExportStatus>,
    stop: Arc<AtomicBool>,
    ended: bool,
}

impl Local {
    /// Begins.
    pub(super) fn start(config: Config, wanted: &Export) -> Result<Self, CommandError> {
        let request = RunRequest {
            trigger: Trigger::Manual,
            batch_size: wanted.batch_size.unwrap_or(config.export.batch_size),
            skip_duplicates: wanted.skip_duplicates.unwrap_or(config.export.skip_duplicates),
        };
        let source = source_id(&config.sqlite)?;
        let directory = config.state.directory.clone();
        let store = Store::open(&directory)
            .map(Arc::new)
            .map_err(|source| CommandError::Ledger { directory, source })?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (sender, stop) = (watch::Sender::new(ExportStatus::default()), Arc::new(AtomicBool::new(false)));
        let status = sender.subscribe();
        let config = Arc::new(config);
        let exporter = Exporter::new(Arc::clone(&config), source, store, sender.clone(), Arc::clone(&stop));
        let work = runtime.spawn(carry(config, exporter, sender, request));
        Ok(Self { runtime, work, status, stop, ended: false })
    }

    /// Lets go of everything.
    pub(super) fn end(self) {
        self.work.abort();
        self.runtime.shutdown_timeout(END);
    }
}

async fn carry(
    config: Arc<Config>,
    mut exporter: Exporter,
    status: watch::Sender<ExportStatus>,
    request: RunRequest,
) -> Result<PassEnd, CommandError> {
    let ways = Ways::new(config.mongodb.clone(), config.probe.online_interval);
    let target = ways.connect(config.probe.timeout).await?;
    let export_id = exporter.new_export_id().await?;
    if !claim(&status, &request, &export_id, Timestamp::now()) {
        return Err(PassError::Internal.into());
    }
    let end = exporter.manual(Ok(&target), &request, &export_id, false).await;
    target.close().await;
    Ok(end?)
}

impl Running for Local {
    /// Before the export has begun, and if it can't: an error, or a status without an export.
    fn status(&mut self) -> Result<Value, CommandError> {
        self.ended = self.work.is_finished();
        let status = self.status.borrow().clone();
        if self.ended && status.export_id.is_none() {
            let end = self.runtime.block_on(&mut self.work).map_err(|_| CommandError::Internal)?;
            end?;
        }
        serde_json::to_value(status).map_err(|_| CommandError::Internal)
    }

    fn stop(&mut self) -> Result<(), CommandError> {
        self.stop.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn has_ended(&mut self, _status: &Value) -> bool {
        self.ended
    }
}
