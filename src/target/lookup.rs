//! Asking the collection, all that is found under one deadline.

use mongodb::Cursor;
use mongodb::bson::Document;
use mongodb::bson::raw::RawDocument;
use mongodb::options::{FindOptions, ReadConcern};

use super::Target;
use crate::report::Failure;

impl Target {
    /// Visits what is found, of which so many documents are `expected` at most.
    pub(super) async fn each(
        &self,
        what: &'static str,
        filter: Document,
        projection: Document,
        expected: usize,
        visit: impl FnMut(&RawDocument),
    ) -> Result<(), Failure> {
        let options = FindOptions::builder()
            .projection(projection)
            // All in the first reply, where the default is 101.
            .batch_size(u32::try_from(expected).unwrap_or(u32::MAX).saturating_add(1))
            .read_concern(ReadConcern::majority())
            .max_time(self.deadline)
            .build();
        self.bounded(what, async {
            visit_all(self.collection.find(filter).with_options(options).await?, visit).await.map(drop)
        })
        .await
    }
}

/// Visits what the cursor holds; answers how many documents there were.
pub(super) async fn visit_all<T>(
    mut cursor: Cursor<T>,
    mut visit: impl FnMut(&RawDocument),
) -> mongodb::error::Result<usize> {
    let mut count = 0;
    while cursor.advance().await? {
        visit(cursor.current());
        count += 1;
    }
    Ok(count)
}

/// Whether a query or projection can speak of a field of this name.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains('.') && !name.starts_with('$')
}
