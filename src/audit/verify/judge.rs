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
        let every: Vec<usize> = (0..rows.len()).collect();
        let compared = self.compared(rows, &every).await?;
        let is_same = |at: &usize| compared[*at].as_ref().is_some_and(Vec::is_empty);
        let suspects: Vec<usize> = every.into_iter().filter(|at| !is_same(at)).collect();
        let mut findings = vec![Finding::Same; rows.len()];
        // Of these the ledger is asked first: one that is delivered between the two looks isn't taken for a lost one.
        let mut entries = HashMap::with_capacity(suspects.len());
        for &at in &suspects {
            entries.insert(at, self.entry(&rows[at])?);
        }
        let mut without_document = Vec::new();
        for (&at, found) in suspects.iter().zip(self.compared(rows, &suspects).await?) {
            match found {
                Some(columns) if columns.is_empty() => {}
                // Without a ledger that is never said.
                Some(columns) => {
                    let pending = self.around.ledger.is_some() && entries[&at].is_none();
                    findings[at] = Finding::Different { columns, pending };
                }
                None => without_document.push(at),
            }
        }
        let led = self.led(rows, &without_document).await?;
        for (at, is_led) in without_document.into_iter().zip(led) {
            findings[at] = self.absent(entries[&at].as_ref(), is_led);
        }
        Ok(findings)
    }

    /// For each of these rows the columns that differ; `None` if there is no document.
    async fn compared(&self, rows: &[Row], places: &[usize]) -> Result<Vec<Option<Vec<String>>>, AuditError> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<ObjectId> = places.iter().map(|&at| rows[at].id).collect();
        let order: HashMap<ObjectId, usize> = ids.iter().enumerate().map(|(nth, id)| (*id, nth)).collect();
        let mut found: Vec<Option<Vec<String>>> = vec![None; ids.len()];
        self.around
            .target
            .documents(&ids, |id, document| {
                if let Some(&nth) = order.get(&id) {
                    found[nth] = Some(match &rows[places[nth]].fields {
                        Some(fields) => differing_fields(fields, document),
                        // It could become a document once.
                        None => vec!["(the row can't become a document as it is)".to_owned()],
                    });
                }
            })
            .await?;
        Ok(found)
    }

    fn entry(&self, row: &Row) -> Result<Option<Entry>, AuditError> {
        let Some(ledger) = self.around.ledger else { return Ok(None) };
        let entry = ledger.entry(row.position.to_value().as_ref())?;
        // Another one that stood there, or what the row was before.
        Ok(entry.filter(|entry| entry.id == row.id && entry.content == row.content))
    }

    /// A row without a document; `is_led` tells whether a document has its duplicate key.
    fn absent(&self, entry: Option<&Entry>, is_led: bool) -> Finding {
        match entry.map(|entry| entry.outcome) {
            Some(Outcome::Rejected) => Finding::Rejected,
            Some(Outcome::Held) => Finding::Held,
            Some(Outcome::Duplicate) if is_led => Finding::Duplicate,
            Some(Outcome::Duplicate) => Finding::Missing(Cause::LeaderGone),
            Some(Outcome::Exported) => Finding::Missing(Cause::Deleted),
            None if is_led && self.around.config.export.skip_duplicates => Finding::Duplicate,
            None => Finding::Missing(Cause::Pending),
        }
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
