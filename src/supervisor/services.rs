//! The checks that are answered beside the loop.

use std::sync::Arc;

use super::control::{Answer, Connected, Services, SourceUnavailable};
use crate::config::Config;
use crate::report::{Failure, Summary};
use crate::source;
use crate::target::Ways;

/// The real thing: a connection of its own, a read of the table.
#[derive(Debug)]
pub struct Checks {
    config: Arc<Config>,
    ways: Ways,
}

impl Checks {
    /// Checks by this configuration.
    #[must_use]
    pub fn new(config: Arc<Config>, ways: Ways) -> Self {
        Self { config, ways }
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
        let sqlite = self.config.sqlite.clone();
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || source::summary(&sqlite)).await;
            match read {
                Ok(summary) => summary.map_err(|error| SourceUnavailable::new(error.to_string())),
                Err(_) => Err(SourceUnavailable::new("an internal error")),
            }
        })
    }
}
