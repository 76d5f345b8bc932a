//! A scan at its beginning: where it begins, and how much is before it.

use std::sync::Arc;

use super::comparison::Lookout;
use super::exporter::Exporter;
use super::pass::{Depth, PassError, blocking};
use super::scan::{Scan, ScanError, Scope};
use crate::record::Position;
use crate::report::RunRequest;
use crate::source::Reader;

/// A scan, ready to begin or to go on.
pub(super) struct Opened {
    pub(super) scan: Option<Scan>,
    /// Interrupts a comparison.
    pub(super) lookout: Option<Lookout>,
    /// Whether new rows come behind the others.
    pub(super) has_tail: bool,
    /// Rows to look at, as far as is known.
    pub(super) total: u64,
    /// Whether every row will be looked at.
    pub(super) from_start: bool,
}

impl Exporter {
    /// Opens the table and decides where to begin.
    pub(super) async fn open(
        &mut self,
        scope: Scope,
        request: &RunRequest,
        depth: Depth,
    ) -> Result<Opened, PassError> {
        let config = Arc::clone(&self.config);
        let store = Arc::clone(&self.store);
        let source = self.source_id.clone();
        let skip_duplicates = request.skip_duplicates;
        // What was dealt with before it broke off counts only as long as it is in this collection.
        let go_on_behind = match &self.broken_off {
            Some(broken_off)
                if scope == Scope::Everything
                    && broken_off.request == *request
                    && broken_off.collection == self.collection =>
            {
                Some(broken_off.position.clone())
            }
            _ => None,
        };
        let opened = blocking(move || {
            let mut reader = Reader::open(&config.sqlite, &config.export.duplicate_key)?;
            let missing = reader.missing_duplicate_columns().to_vec();
            let missing_mapped = reader.missing_mapped_columns().to_vec();
            let highest = store.with(|ledger| ledger.highest_rowid())?;
            let has_tail = reader.has_growing_rowids();
            let after = if scope == Scope::Pending && depth == Depth::Tail && has_tail {
                let end = reader.highest_rowid()?;
                match (end, highest) {
                    (Some(end), Some(highest)) if end >= highest => Some(highest),
                    // The last rows were deleted. Where many are gone, the table may have been emptied and filled anew.
                    (Some(end), Some(highest)) if highest.abs_diff(end) <= end.unsigned_abs() / 10 => {
                        store.with(|ledger| ledger.forget_behind(Some(end)))?;
                        Some(end)
                    }
                    _ => None,
                }
            } else {
                None
            };
            // Where rowids move, a place in the table says nothing after a while.
            let go_on_behind = go_on_behind.filter(|_| reader.has_lasting_rowids());
            let after = after.map(Position::Rowid).or(go_on_behind);
            let from_start = after.is_none();
            let counted = match (scope, &after) {
                (_, Some(Position::Rowid(after))) => reader.count(Some(*after)),
                (Scope::Everything, _) => reader.count(None),
                (Scope::Pending, _) => reader.count(highest),
            };
            // A busy database may leave no time to count a large table; its pages are read all the same.
            let total = counted.or_else(|error| if error.is_transient() { Ok(0) } else { Err(error) })?;
            let lookout = (scope == Scope::Pending && depth == Depth::Full && has_tail)
                .then(|| Lookout::new(config.sqlite.path.clone()));
            let scan = Scan::new(reader, store, &source, scope, skip_duplicates, after)?;
            let opened = Opened { scan: Some(scan), lookout, total, from_start, has_tail };
            Ok::<_, ScanError>((opened, missing, missing_mapped))
        })
        .await?;
        let (opened, missing, missing_mapped) = opened;
        if missing_mapped != self.said.missing_mapped {
            self.said.missing_mapped.clone_from(&missing_mapped);
            if !missing_mapped.is_empty() {
                tracing::warn!(
                    event = "columns_missing",
                    columns = missing_mapped.join(", "),
                    "The table lacks columns that the configuration names: what it says of them has no effect"
                );
            }
        }
        if !missing.is_empty() && !std::mem::replace(&mut self.said.missing_columns, true) {
            tracing::warn!(
                event = "duplicate_columns_missing",
                columns = missing.join(", "),
                "The table lacks columns of the duplicate key: no row is taken for a duplicate"
            );
        }
        Ok(opened)
    }
}
