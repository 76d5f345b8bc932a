//! Calls of the command line: it asks by a file in the state directory for every row to be compared once more.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::{AbortHandle, spawn_blocking};

use crate::ledger::{call_path, was_called};
use crate::source::Watch;

/// Hears of calls from its start until it is dropped.
pub(super) struct Calls {
    heard: Arc<Notify>,
    task: AbortHandle,
}

impl Calls {
    /// Listens in this state directory; a call from before is heard, too.
    pub(super) fn listen(directory: &Path) -> Self {
        let heard = Arc::new(Notify::new());
        let task = tokio::spawn(hear(directory.to_owned(), Arc::clone(&heard))).abort_handle();
        Self { heard, task }
    }

    /// Waits for the next call, or takes note of one since the last time. May be dropped at any time.
    pub(super) async fn heard(&self) {
        self.heard.notified().await;
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn hear(directory: PathBuf, heard: Arc<Notify>) {
    let file = Watch::quietly(&call_path(&directory));
    loop {
        file.changed().await;
        let directory = directory.clone();
        // A disk that hangs must not hold up the loop.
        if spawn_blocking(move || was_called(&directory)).await.unwrap_or(false) {
            heard.notify_one();
        }
    }
}
