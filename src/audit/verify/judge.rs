//! What is to be said of a row.

use std::collections::HashMap;

use mongodb::bson::oid::ObjectId;

use super::Surroundings;
use super::compare::differing_fields;
use crate::audit::AuditError;
use crate::audit::walk::{Row, Walk};
use crate::ledger::Entry;
use crate::record::DuplicateKey;
use crate::report::Outcome;
use crate::target::HolderQuery;

/// What was found of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Same,
    Duplicate,
    Rejected,
    Held,
    Missing(Cause),
    Different {
        columns: Vec<String>,
        /// Whether the row waits to be sent.
        pending: bool,
    },
}

/// What is known of a row that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// It waits to be sent.
    Pending,
    /// The ledger calls it exported.
    Deleted,
    /// The ledger calls it a duplicate; no document has its duplicate key.
    LeaderGone,
}

impl Cause {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Pending => "it isn't sent yet",
            Self::Deleted => "it was exported, and its document is gone",
            Self::LeaderGone => {
                "it was left out as a duplicate, and no document has its duplicate key any more"
            }
        }
    }
}

impl Finding {
    /// Whether nobody has to look at it.
    pub(super) fn is_fine(&self) -> bool {
        !matches!(self, Self::Missing(_) | Self::Different { .. })
    }

    /// Whether it may be well soon, without anybody doing anything.
    pub(super) fn is_pending(&self) -> bool {
        matches!(self, Self::Missing(Cause::Pending) | Self::Different { pending: true, .. })
    }
}

/// Judges rows by what is in MongoDB and in the ledger.
pub(super) struct Judge<'a> {
    around: &'a Surroundings<'a>,
    /// The names that the duplicate key's columns have in documents.
    duplicate_fields: Vec<String>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(around: &'a Surroundings<'a>, walk: &Walk) -> Self {
        Self { around, duplicate_fields: walk.shape().duplicate_fields() }
    }

    /// One finding for each row, in their order.
    pub(super) async fn all(&self, rows: &[Row]) -> Result<Vec<Finding>, AuditError> {
        let ids: Vec<ObjectId> = rows.iter().map(|row| row.id).collect();
        let places: HashMap<ObjectId, usize> = ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
        let mut found: Vec<Option<Vec<String>>> = vec![None; rows.len()];
        self.around
            .target
            .documents(&ids, |id, document| {
                if let Some(&at) = places.get(&id) {
                    found[at] = Some(match &rows[at].fields {
                        Some(fields) => differing_fields(fields, document),
                        // It could become a document once.
                        None => vec!["(the row can't become a document as it is)".to_owned()],
                    });
                }
            })
            .await?;
        let mut findings = Vec::with_capacity(rows.len());
        let mut without_document = Vec::new();
        for (at, found) in found.into_iter().enumerate() {
            findings.push(match found {
                Some(columns) if columns.is_empty() => Finding::Same,
                Some(columns) => Finding::Different { columns, pending: self.is_pending(&rows[at])? },
                None => {
                    without_document.push(at);
                    Finding::Missing(Cause::Pending)
                }
            });
        }
        let led = self.led(rows, &without_document).await?;
        for (at, is_led) in without_document.into_iter().zip(led) {
            findings[at] = self.absent(&rows[at], is_led)?;
        }
        Ok(findings)
    }

    fn entry(&self, row: &Row) -> Result<Option<Entry>, AuditError> {
        let Some(ledger) = self.around.ledger else { return Ok(None) };
        let entry = ledger.entry(row.position.to_value().as_ref())?;
        // Another one that stood there, or what the row was before.
        Ok(entry.filter(|entry| entry.id == row.id && entry.content == row.content))
    }

    /// Whether the ledger doesn't know the row as it is now. Without a ledger that is never said.
    fn is_pending(&self, row: &Row) -> Result<bool, AuditError> {
        Ok(self.around.ledger.is_some() && self.entry(row)?.is_none())
    }

    /// A row without a document; `is_led` tells whether a document has its duplicate key.
    fn absent(&self, row: &Row, is_led: bool) -> Result<Finding, AuditError> {
        Ok(match self.entry(row)?.map(|entry| entry.outcome) {
            Some(Outcome::Rejected) => Finding::Rejected,
            Some(Outcome::Held) => Finding::Held,
            Some(Outcome::Duplicate) if is_led => Finding::Duplicate,
            Some(Outcome::Duplicate) => Finding::Missing(Cause::LeaderGone),
            Some(Outcome::Exported) => Finding::Missing(Cause::Deleted),
            None if is_led && self.around.config.export.skip_duplicates => Finding::Duplicate,
            None => Finding::Missing(Cause::Pending),
        })
    }

    /// For each of these rows, whether a document has its duplicate key.
    async fn led(&self, rows: &[Row], places: &[usize]) -> Result<Vec<bool>, AuditError> {
        let keys: Vec<Option<&DuplicateKey>> = places.iter().map(|&at| rows[at].duplicate.as_ref()).collect();
        let asked: Vec<&DuplicateKey> = keys.iter().copied().flatten().collect();
        let query = HolderQuery { columns: &self.duplicate_fields, keys: &asked };
        let holders = self.around.target.holders(query).await?;
        Ok(keys.iter().map(|key| key.is_some_and(|key| holders.contains_key(&key.hash))).collect())
    }
}
