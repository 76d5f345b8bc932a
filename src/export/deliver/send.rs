//! Sending updates and inserts, in commands that the link carries, and judging the replies.

use std::collections::HashMap;
use std::sync::Arc;

use super::Way;
use super::row::{Open, refused};
use crate::export::candidate::{Candidate, Verdict};
use crate::export::pipeline::{Marks, may_be_changing};
use crate::record::{Encoder, Provenance, Row};
use crate::report::Failure;
use crate::target::{Copy, Documents, InsertOutcome, MAX_DOCUMENT_BYTES, Update, UpdateOutcome};

/// What fits into one command of so many bytes, from the first on: at least one.
pub(super) fn fitting(weights: impl Iterator<Item = usize>, limit: usize) -> (usize, usize) {
    let (mut count, mut bytes) = (0, 0);
    for weight in weights {
        if count > 0 && bytes + weight > limit {
            break;
        }
        count += 1;
        bytes += weight;
    }
    (count, bytes)
}

/// The documents of these rows, and the rows that have one: the others are refused.
fn encode(
    way: &Way<'_>,
    rows: &mut [Open<'_>],
    places: impl Iterator<Item = usize>,
    provenance: &Provenance,
    bytes: usize,
) -> (Documents, Vec<usize>) {
    let mut encoder = Encoder::new(&way.rules.shape, provenance, MAX_DOCUMENT_BYTES);
    let count = places.size_hint().0;
    let (mut documents, mut encoded) = (way.target.room_for(count, bytes), Vec::with_capacity(count));
    for at in places {
        let row = &mut rows[at];
        let Candidate { id, key, content, row: Ok(values), .. } = row.candidate else { continue };
        let duplicate_key = row.candidate.duplicate_key.filter(|_| !row.keyless);
        match encoder.encode(Row { id: *id, key, content, duplicate_key, values }, |document| {
            documents.push(document);
            document.as_bytes().len()
        }) {
            Ok(bytes) => {
                row.encoded = bytes;
                encoded.push(at);
            }
            Err(refusal) => row.verdict = Some(refused(&refusal)),
        }
    }
    (documents, encoded)
}

/// Refuses the rows that need not be sent and couldn't be: as the others that have no document, they are told with the
/// reason, and not as duplicates or as kept only because somebody else was there first.
pub(super) fn refuse(way: &Way<'_>, rows: &mut [Open<'_>], provenance: &Provenance) {
    // As they are, values make no document larger than it was counted.
    let converts = way.rules.shape.converts();
    let is_doubtful = |row: &Open<'_>| {
        matches!(row.verdict, Some(Verdict::Duplicate { .. } | Verdict::Kept))
            && (converts || row.candidate.bytes > MAX_DOCUMENT_BYTES)
    };
    let mut encoder = Encoder::new(&way.rules.shape, provenance, MAX_DOCUMENT_BYTES);
    for row in rows.iter_mut().filter(|row| is_doubtful(row)) {
        let Candidate { id, key, content, duplicate_key, row: Ok(values), .. } = row.candidate else {
            continue;
        };
        let encoded = Row { id: *id, key, content, duplicate_key: *duplicate_key, values };
        if let Err(refusal) = encoder.encode(encoded, |_| ()) {
            row.verdict = Some(refused(&refusal));
        }
    }
}

pub(super) async fn send_updates(
    way: &Way<'_>,
    rows: &mut [Open<'_>],
    mut updates: &[(usize, &Copy)],
    provenance: &Provenance,
) -> Result<(), Failure> {
    while !updates.is_empty() {
        let weights = updates.iter().take(way.road.pace().rows()).map(|&(at, _)| rows[at].candidate.bytes);
        let (count, bytes) = fitting(weights, way.road.command());
        let (part, rest) = updates.split_at(count);
        send_some_updates(way, rows, part, provenance, bytes).await?;
        updates = rest;
    }
    Ok(())
}

async fn send_some_updates(
    way: &Way<'_>,
    rows: &mut [Open<'_>],
    updates: &[(usize, &Copy)],
    provenance: &Provenance,
    counted_on: usize,
) -> Result<(), Failure> {
    let (documents, encoded) = encode(way, rows, updates.iter().map(|&(at, _)| at), provenance, counted_on);
    if encoded.is_empty() {
        return Ok(());
    }
    let seen: HashMap<usize, &Copy> = updates.iter().copied().collect();
    let slices = documents.slices()?;
    let commands: Vec<_> = encoded
        .iter()
        .zip(&slices)
        .filter_map(|(at, document)| {
            let row = &rows[*at];
            Some(Update {
                id: row.candidate.id,
                document,
                seen: seen.get(at)?,
                updated_column: way.rules.updated_column.as_deref(),
                with_duplicate_key: row.candidate.duplicate_key.is_some() && !row.keyless,
            })
        })
        .collect();
    let (bytes, counted_on) = (documents.bytes(), counted_on.max(documents.bytes()));
    let deadline = way.road.pace().deadline(commands.len(), counted_on);
    let outcomes = way.patiently(counted_on, bytes, way.target.update_within(deadline, &commands)).await?;
    (way.answered)(bytes);
    for (at, outcome) in encoded.into_iter().zip(outcomes) {
        let row = &mut rows[at];
        row.tries += 1;
        // Read back in the next round.
        row.look = true;
        match outcome {
            UpdateOutcome::Sent => {}
            // It is its own document all the same: it only gets no place in the unique index, unless that was only for
            // the moment, as two rows of this batch change places.
            UpdateOutcome::SameDuplicateKey => {
                row.refused += 1;
                row.keyless = row.refused > 1;
            }
            UpdateOutcome::Rejected { code, detail } => {
                row.verdict = Some(Verdict::Rejected { code, detail });
            }
        }
    }
    Ok(())
}

pub(super) async fn send_inserts(
    way: &Way<'_>,
    rows: &mut [Open<'_>],
    mut inserts: &[usize],
    ahead: &[Arc<Marks>],
    provenance: &Provenance,
) -> Result<(), Failure> {
    while !inserts.is_empty() {
        let weights = inserts.iter().take(way.road.pace().rows()).map(|&at| rows[at].candidate.bytes);
        let (count, bytes) = fitting(weights, way.road.command());
        let (part, rest) = inserts.split_at(count);
        send_some_inserts(way, rows, part, ahead, provenance, bytes).await?;
        inserts = rest;
    }
    Ok(())
}

async fn send_some_inserts(
    way: &Way<'_>,
    rows: &mut [Open<'_>],
    inserts: &[usize],
    ahead: &[Arc<Marks>],
    provenance: &Provenance,
    counted_on: usize,
) -> Result<(), Failure> {
    let (documents, encoded) = encode(way, rows, inserts.iter().copied(), provenance, counted_on);
    if encoded.is_empty() {
        return Ok(());
    }
    let bytes = documents.bytes();
    let counted_on = counted_on.max(bytes);
    let deadline = way.road.pace().deadline(documents.len(), counted_on);
    let again = || encode(way, rows, encoded.iter().copied(), provenance, bytes).0;
    let insert = way.target.insert_within(deadline, documents, again);
    let outcomes = way.patiently(counted_on, bytes, insert).await?;
    (way.answered)(bytes);
    for (at, outcome) in encoded.into_iter().zip(outcomes) {
        let row = &mut rows[at];
        match outcome {
            InsertOutcome::Inserted => row.verdict = Some(Verdict::Inserted),
            InsertOutcome::SameId => {
                row.tries += 1;
                if !std::mem::replace(&mut row.look, true) {
                    way.road.surprised();
                }
            }
            InsertOutcome::SameDuplicateKey => {
                row.tries += 1;
                row.refused += 1;
                row.look = true;
                // The next round's look-up finds most holders, all at once.
                if row.refused > 1 {
                    judge_holder(way, row, ahead).await?;
                }
            }
            InsertOutcome::Rejected { code, detail } => {
                row.verdict = Some(Verdict::Rejected { code, detail });
            }
        }
    }
    Ok(())
}

/// The unique index refused the row again. Its holder has the same duplicate key in its columns: then the row is its
/// duplicate. Or only in its metadata, because somebody changed the columns since: then the row is somebody else, and is
/// inserted without a place in the index. Or it isn't to be seen (any more): then the next round tells.
async fn judge_holder(way: &Way<'_>, row: &mut Open<'_>, ahead: &[Arc<Marks>]) -> Result<(), Failure> {
    let Some(hash) = row.candidate.duplicate_key else { return Ok(()) };
    let holder = way.target.holder_of_hash(&way.rules.duplicate_columns, hash).await?;
    if let Some(before) = holder.as_ref().and_then(|(of, _)| may_be_changing(ahead, of)) {
        row.behind = Some(before);
        return Ok(());
    }
    match holder {
        Some((of, true)) => row.verdict = Some(Verdict::Duplicate { of }),
        Some((_, false)) => row.keyless = true,
        None => {}
    }
    Ok(())
}
