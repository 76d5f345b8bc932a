//! Going through the collection in slices of its `_id`s.
//!
//! What holds: each operation looks at a limited number of documents, however large the collection is and whoever else
//! writes into it, so that the deadline of one operation is enough for each. Only `_id`s that are ObjectIds are looked
//! at: rows have no others.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::{RawBsonRef, RawDocument};
use mongodb::bson::{Document, doc};
use mongodb::options::{FindOptions, ReadConcern};

use super::Target;
use crate::report::{Failure, Reason};

/// Documents that one operation looks at, at first and at least: fewer, where these take too long.
const FIRST: u32 = 8_000;
const LEAST: u32 = 64;

/// Whose documents are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    /// Of this host and table.
    pub source: &'a str,
    /// Inserted by this export; `None`: by any.
    pub export_id: Option<&'a str>,
}

/// How far it has got.
#[derive(Clone, Copy, Debug)]
pub struct Slices {
    after: Option<ObjectId>,
    size: u32,
    done: bool,
}

impl Default for Slices {
    fn default() -> Self {
        Self { after: None, size: FIRST, done: false }
    }
}

impl Written<'_> {
    /// The condition on a document.
    pub(super) fn filter(&self) -> Document {
        let mut filter = doc! { "export_metadata.source": self.source };
        if let Some(export_id) = self.export_id {
            filter.insert("export_metadata.export_id", export_id);
        }
        filter
    }
}

impl Target {
    /// What `take` makes of the wanted documents of the next slice; `None` behind the last one. `projection` is empty for
    /// whole documents.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn next_slice<T>(
        &self,
        slices: &mut Slices,
        wanted: Written<'_>,
        projection: Document,
        mut take: impl FnMut(ObjectId, &RawDocument) -> Option<T>,
    ) -> Result<Option<Vec<T>>, Failure> {
        while !slices.done {
            match self.slice(*slices, wanted, projection.clone(), &mut take).await {
                Ok((found, end)) => {
                    slices.after = end;
                    slices.done = end.is_none();
                    return Ok(Some(found));
                }
                Err(failure) if failure.reason == Reason::Timeout && slices.size > LEAST => {
                    slices.size = (slices.size / 4).max(LEAST);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(None)
    }

    async fn slice<T>(
        &self,
        slices: Slices,
        wanted: Written<'_>,
        projection: Document,
        take: &mut impl FnMut(ObjectId, &RawDocument) -> Option<T>,
    ) -> Result<(Vec<T>, Option<ObjectId>), Failure> {
        let mut range = match slices.after {
            Some(after) => doc! { "$gt": after },
            None => doc! { "$gte": ObjectId::from_bytes([0; 12]) },
        };
        let end = self.end_of_slice(&range, slices.size).await?;
        if let Some(end) = end {
            range.insert("$lte", end);
        }
        let mut filter = doc! { "_id": range };
        filter.extend(wanted.filter());
        let mut found = Vec::new();
        let expected = usize::try_from(slices.size).unwrap_or(usize::MAX);
        self.each("look through the collection", filter, projection, expected, |document| {
            if let Ok(Some(RawBsonRef::ObjectId(id))) = document.get("_id") {
                found.extend(take(id, document));
            }
        })
        .await?;
        Ok((found, end))
    }

    /// The last `_id` of a slice, out of the index alone; `None` if the collection ends before.
    async fn end_of_slice(&self, range: &Document, size: u32) -> Result<Option<ObjectId>, Failure> {
        let options = FindOptions::builder()
            .projection(doc! { "_id": 1 })
            .sort(doc! { "_id": 1 })
            .skip(u64::from(size) - 1)
            .limit(1)
            .read_concern(ReadConcern::majority())
            .max_time(self.deadline)
            .build();
        self.bounded("look through the collection", async {
            let mut cursor =
                self.collection.find(doc! { "_id": range.clone() }).with_options(options).await?;
            if !cursor.advance().await? {
                return Ok(None);
            }
            match cursor.current().get("_id") {
                Ok(Some(RawBsonRef::ObjectId(id))) => Ok(Some(id)),
                _ => Ok(None),
            }
        })
        .await
    }

    /// Visits the whole documents of these `_id`s, if they are there.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn documents(
        &self,
        ids: &[ObjectId],
        mut visit: impl FnMut(ObjectId, &RawDocument),
    ) -> Result<(), Failure> {
        if ids.is_empty() {
            return Ok(());
        }
        let filter = doc! { "_id": { "$in": ids } };
        self.each("read documents", filter, Document::new(), ids.len(), |document| {
            if let Ok(Some(RawBsonRef::ObjectId(id))) = document.get("_id") {
                visit(id, document);
            }
        })
        .await
    }
}
