//! Before a pass: the ledger, the collection and its indexes, and that they belong together.

use std::sync::Arc;

use super::exporter::Exporter;
use super::pass::{PassError, blocking};
use crate::ledger::Bound;
use crate::target::{Indexes, Target};

/// What was said already, so that it is said once.
#[derive(Default)]
pub(super) struct Said {
    pub(super) missing_columns: bool,
    /// Columns that the mapping names and the table lacked when that was said.
    pub(super) missing_mapped: Vec<String>,
    missing_index: bool,
    no_uuid: bool,
}

impl Exporter {
    /// Makes sure of the ledger and the collection, and that they belong together.
    pub(super) async fn prepare(&mut self, target: &Target) -> Result<(), PassError> {
        let prepared = target.prepare(&self.config.duplicate_fields()).await?;
        if let Indexes::Missing(failure) = &prepared.indexes
            && !std::mem::replace(&mut self.said.missing_index, true)
        {
            tracing::warn!(
                event = "index_missing",
                reason = failure.reason.as_str(),
                detail = failure.detail.as_str(),
                "An index for duplicates can't be made: they are looked up all the same, slower, and two hosts at the \
                 same moment might both insert a person"
            );
        }
        if !prepared.has_uuid && !std::mem::replace(&mut self.said.no_uuid, true) {
            tracing::warn!(
                event = "collection_uuid_unknown",
                "Without the right to list collections, a dropped collection isn't noticed"
            );
        }
        let (store, source) = (Arc::clone(&self.store), self.source_id.clone());
        self.collection = Some(prepared.id.clone());
        let bound = blocking(move || {
            store.refresh()?;
            store.bind(&source, &prepared.id)
        })
        .await;
        self.show_ledger();
        self.owe_if_lost();
        let bound = bound?;
        if let Bound::Forgotten { entries } = bound {
            tracing::warn!(
                event = "target_changed",
                entries,
                "The collection is another one than before, or the database's path, its table or the host's id: every row is \
                 sent that isn't there. If it isn't the collection, rows that are there have other _ids and are sent again"
            );
            self.comparisons.owe();
        }
        Ok(())
    }

    /// Entries that were lost are found again by comparing every row.
    pub(super) fn owe_if_lost(&mut self) -> bool {
        let lost = self.store.take_lost();
        if lost {
            self.comparisons.owe();
        }
        lost
    }

    pub(super) fn show_ledger(&self) {
        let ledger = self.store.state();
        self.status.send_if_modified(|status| std::mem::replace(&mut status.ledger, ledger) != ledger);
    }
}
