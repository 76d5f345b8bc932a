//! The checks that are answered beside the loop.

use std::fmt;
use std::sync::Arc;

use super::control::{Answer, Connected, LedgerRefusal, RollbackRefusal, Services, SourceUnavailable};
use super::rollback::take_back;
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::ledger::{Cursor, InvalidCursor, Ledger, LedgerError, Store};
use crate::report::{Failure, PastExport, RemarkQuery, Remarks, Rollback, RollbackRequest, Summary};
use crate::source;
use crate::target::Ways;

/// The real thing: a connection of its own, a read of the table, the daemon's ledger.
pub struct Checks {
    config: Arc<Config>,
    ways: Ways,
    store: Arc<Store>,
    /// Whose turn it is to count: until that is really over, though nobody may wait for it any more.
    counting: Arc<Semaphore>,
}

impl Checks {
    /// Checks by this configuration.
    #[must_use]
    pub fn new(config: Arc<Config>, ways: Ways, store: Arc<Store>) -> Self {
        Self { config, ways, store, counting: Arc::new(Semaphore::new(1)) }
    }

    /// Works with the ledger on a blocking thread.
    async fn ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerRefusal> {
        let store = Arc::clone(&self.store);
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => result.map_err(|error| LedgerRefusal::Unavailable(error.to_string())),
            Err(_) => Err(LedgerRefusal::Unavailable("an internal error".to_owned())),
        }
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checks").finish_non_exhaustive()
    }
}

impl Services for Checks {
    fn test_connection(&self) -> Answer<'_, Result<Connected, Failure>> {
        Box::pin(async {
            let target = self.ways.connect(self.config.probe.timeout).await?;
            let count = target.estimated_count().await;
            target.close().await;
            Ok(Connected {
                database: self.config.mongodb.database.clone(),
                collection: self.config.mongodb.collection.clone(),
                existing_records: count?,
            })
        })
    }

    fn summary(&self) -> Answer<'_, Result<Summary, SourceUnavailable>> {
        let (sqlite, counting) = (self.config.sqlite.clone(), Arc::clone(&self.counting));
        Box::pin(async move {
            // Never closed.
            let turn = counting.acquire_owned().await;
            let read = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                source::summary(&sqlite)
            });
            match read.await {
                Ok(summary) => summary.map_err(|error| SourceUnavailable::new(error.to_string())),
                Err(_) => Err(SourceUnavailable::new("an internal error")),
            }
        })
    }
    fn history(&self, limit: u16) -> Answer<'_, Result<Vec<PastExport>, LedgerRefusal>> {
        Box::pin(self.ledger(move |store| store.history(limit)))
    }

    fn records(&self, query: RemarkQuery) -> Answer<'_, Result<Remarks, LedgerRefusal>> {
        Box::pin(async move {
            let RemarkQuery { outcome, after, limit } = query;
            let after: Option<Cursor> = after
                .map(|text| {
                    let refused =
                        |_: InvalidCursor| LedgerRefusal::InvalidCursor(text.chars().take(40).collect());
                    text.parse().map_err(refused)
                })
                .transpose()?;
            let look = move |ledger: &mut Ledger| ledger.remarks(outcome, after.as_ref(), limit);
            self.ledger(move |store| store.with(look)).await
        })
    }

    fn release(&self) -> Answer<'_, Result<u64, LedgerRefusal>> {
        Box::pin(self.ledger(|store| store.with(Ledger::release)))
    }

    fn rollback(&self, request: RollbackRequest) -> Answer<'_, Result<Rollback, RollbackRefusal>> {
        let (config, ways, store) = (Arc::clone(&self.config), self.ways.clone(), Arc::clone(&self.store));
        let runtime = tokio::runtime::Handle::current();
        Box::pin(async move {
            let work = move || runtime.block_on(take_back(&config, &ways, &store, &request));
            match tokio::task::spawn_blocking(work).await {
                Ok(result) => result.map_err(RollbackRefusal::Unavailable),
                Err(_) => Err(RollbackRefusal::Unavailable("an internal error".to_owned())),
            }
        })
    }
}
