//! Taking back what one export inserted.
//!
//! What holds:
//! - a document is deleted only if that export inserted it and not a byte of it has changed since, unless changed ones
//!   are asked for, too; that is asked of the server by the command that deletes it, so that no change can come between;
//! - its row is held in the ledger before, so that no automatic export sends it right back; if the document stays after
//!   all, the row is let go;
//! - broken off at any point, it can be begun again.

use std::collections::HashMap;

use mongodb::bson::Document;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::{RawDocument, RawDocumentBuf};

use super::AuditError;
use super::scratch::{Noted, Scratch, fingerprint};
use super::walk::Walk;
use crate::config::Config;
use crate::ledger::{LedgerError, Record, Store};
use crate::record::{field_bytes, inserted_content, is_as_inserted};
use crate::report::{Extent, Outcome, Planned, RolledBack, Timestamp};
use crate::target::{Deletion, Slices, Target, Written};

/// Documents that are deleted at once, by number and by bytes: each goes there whole.
const AT_ONCE: usize = 500;
const AT_ONCE_BYTES: usize = 4 * 1024 * 1024;

/// One of the export's documents.
struct Found {
    id: ObjectId,
    bytes: usize,
    /// `None`: its row has to be asked.
    unchanged: Option<bool>,
}

/// Looks what there is to take back. Changes nothing.
///
/// # Errors
/// See [`AuditError`].
pub async fn plan(config: &Config, target: &Target, written: Written<'_>) -> Result<Planned, AuditError> {
    let mut originals: Option<Originals> = None;
    let (mut slices, mut planned) = (Slices::default(), Planned::default());
    while let Some(found) = target.next_slice(&mut slices, written, Document::new(), found).await? {
        planned.documents += found.len() as u64;
        let (unknown, known): (Vec<Found>, Vec<Found>) =
            found.into_iter().partition(|found| found.unchanged.is_none());
        planned.changed += known.iter().filter(|found| found.unchanged == Some(false)).count() as u64;
        for part in parts(unknown) {
            let originals = match &mut originals {
                Some(originals) => originals,
                none => none.insert(Originals::read(config, written.source)?),
            };
            let unchanged = originals.unchanged(target, &part).await?;
            planned.changed += (part.len() - unchanged.len()) as u64;
        }
    }
    Ok(planned)
}

/// Takes back what the export inserted. The ledger must speak of this table and collection.
///
/// # Errors
/// See [`AuditError`]; what was done until then stays done.
pub async fn rollback(
    config: &Config,
    target: &Target,
    store: &Store,
    written: Written<'_>,
    extent: Extent,
) -> Result<RolledBack, AuditError> {
    // Which row is whose, so that it can be held.
    let originals = Originals::read(config, written.source)?;
    let job = Job { target, store, originals, written, extent };
    let (mut slices, mut done) = (Slices::default(), RolledBack::default());
    while let Some(found) = target.next_slice(&mut slices, written, Document::new(), found).await? {
        let (meant, kept): (Vec<Found>, Vec<Found>) = found
            .into_iter()
            .partition(|found| found.unchanged != Some(false) || extent == Extent::ChangedToo);
        done.kept += kept.len() as u64;
        for part in parts(meant) {
            job.take_back(&part, &mut done).await?;
        }
    }
    Ok(done)
}

fn found(id: ObjectId, document: &RawDocument) -> Option<Found> {
    let unchanged = if is_as_inserted(document) {
        Some(true)
    } else {
        inserted_content(document).is_none().then_some(false)
    };
    Some(Found { id, bytes: document.as_bytes().len(), unchanged })
}

/// Cut so that each part stays within the bounds; one document may be larger.
fn parts(found: Vec<Found>) -> Vec<Vec<ObjectId>> {
    let (mut parts, mut part, mut bytes) = (Vec::new(), Vec::new(), 0);
    for Found { id, bytes: size, .. } in found {
        if part.len() == AT_ONCE || (!part.is_empty() && bytes + size > AT_ONCE_BYTES) {
            parts.push(std::mem::take(&mut part));
            bytes = 0;
        }
        bytes += size;
        part.push(id);
    }
    parts.extend((!part.is_empty()).then_some(part));
    parts
}

/// The rows, as they are found again by their documents.
struct Originals {
    scratch: Scratch,
    is_mapped: bool,
}

impl Originals {
    fn read(config: &Config, source: &str) -> Result<Self, AuditError> {
        let scratch = Scratch::new()?;
        let mut walk = Walk::new(&config.sqlite, &config.export.duplicate_key, source)?;
        while walk.next(&scratch)?.is_some() {}
        let is_mapped = walk.shape().is_mapped();
        Ok(Self { scratch, is_mapped })
    }

    /// Those of these documents that are still as they were inserted, whole.
    async fn unchanged(&self, target: &Target, ids: &[ObjectId]) -> Result<Vec<RawDocumentBuf>, AuditError> {
        let mut documents: Vec<(ObjectId, RawDocumentBuf)> = Vec::with_capacity(ids.len());
        target.documents(ids, |id, document| documents.push((id, document.to_owned()))).await?;
        let mut unchanged = Vec::with_capacity(documents.len());
        for (id, document) in documents {
            if is_as_inserted(&document) || self.is_as_its_row(id, &document)? {
                unchanged.push(document);
            }
        }
        Ok(unchanged)
    }

    /// Where columns are mapped, only the row can tell what was written; if it is another one by now, nobody can.
    fn is_as_its_row(&self, id: ObjectId, document: &RawDocument) -> Result<bool, AuditError> {
        let (true, Some(content)) = (self.is_mapped, inserted_content(document)) else { return Ok(false) };
        let noted = self.scratch.noted(id)?.filter(|noted| noted.content == content);
        let fields = field_bytes(document).map(fingerprint);
        Ok(noted.is_some_and(|noted| fields.is_some_and(|fields| noted.fields == Some(fields))))
    }
}

struct Job<'a> {
    target: &'a Target,
    store: &'a Store,
    originals: Originals,
    written: Written<'a>,
    extent: Extent,
}

impl Job<'_> {
    async fn take_back(&self, found: &[ObjectId], done: &mut RolledBack) -> Result<(), AuditError> {
        let (ids, deletions): (Vec<ObjectId>, Vec<Deletion>) = match self.extent {
            Extent::ChangedToo => found.iter().map(|id| (*id, Deletion::Whatever(*id))).unzip(),
            Extent::Unchanged => {
                let unchanged = self.originals.unchanged(self.target, found).await?;
                let id = |document: &RawDocumentBuf| document.get_object_id("_id").ok();
                let with_ids = unchanged.into_iter().filter_map(|document| Some((id(&document)?, document)));
                with_ids.map(|(id, document)| (id, Deletion::Unchanged(document))).unzip()
            }
        };
        // Changed since they were found, or not known by their rows.
        done.kept += (found.len() - ids.len()) as u64;
        let mut rows: HashMap<ObjectId, Noted> = HashMap::new();
        for &id in &ids {
            rows.extend(self.originals.scratch.noted(id)?.map(|row| (id, row)));
        }
        self.in_ledger(&rows, |ledger, records| ledger.hold(records, Timestamp::now()))?;
        let deleted = self.target.delete(&deletions, self.written).await;
        // After a failure it is all there is to know.
        let there = self.target.there(&ids).await;
        if let Ok(there) = &there {
            let stayed = rows.iter().filter(|(id, _)| there.contains(id));
            let stayed = stayed.map(|(id, row)| (*id, row.clone())).collect();
            self.in_ledger(&stayed, |ledger, records| ledger.let_go(records, Timestamp::now()))?;
            let gone = |id: &&ObjectId| !there.contains(id);
            done.deleted += ids.iter().filter(gone).count() as u64;
            done.held += rows.keys().filter(gone).count() as u64;
            done.kept += there.len() as u64;
        }
        // The first failure tells more than what followed from it.
        deleted?;
        there?;
        Ok(())
    }

    fn in_ledger(
        &self,
        rows: &HashMap<ObjectId, Noted>,
        change: impl Fn(&mut crate::ledger::Ledger, &[Record<'_>]) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let detail = format!("{} was rolled back", self.written.export_id.unwrap_or("its export"));
        let records: Vec<Record<'_>> = rows
            .iter()
            .map(|(id, row)| Record {
                position: row.position.as_ref(),
                key: &row.key,
                id: *id,
                content: row.content,
                outcome: Outcome::Held,
                code: None,
                detail: &detail,
                duplicate_of: None,
                moved: false,
            })
            .collect();
        if records.is_empty() {
            return Ok(());
        }
        self.store.with(|ledger| change(ledger, &records))
    }
}
