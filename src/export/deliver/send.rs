//! Sending updates and inserts, in commands that the link carries, and judging the replies.

use std::borrow::Cow;
use std::sync::Arc;

use super::Way;
use super::row::Open;
use crate::export::candidate::Verdict;
use crate::export::pipeline::{Marks, may_be_changing};
use crate::record::without_duplicate_key;
use crate::report::Failure;
use crate::target::{Copy, InsertOutcome, Update, UpdateOutcome};

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

pub(super) async fn send_updates(
    way: &Way<'_>,
    rows: &mut [Open<'_>],
    mut updates: &[(usize, &Copy)],
) -> Result<(), Failure> {
    while !updates.is_empty() {
        let weights = updates.iter().map(|&(at, _)| rows[at].candidate.bytes);
        let (count, bytes) = fitting(weights, way.road.command());
        let (part, rest) = updates.split_at(count);
        send_some_updates(way, rows, part, bytes).await?;
        updates = rest;
    }
    Ok(())
}

async fn send_some_updates(
    way: &Way<'_>,
    rows: &mut [Open<'_>],
    updates: &[(usize, &Copy)],
    bytes: usize,
) -> Result<(), Failure> {
    let commands: Vec<_> = updates
        .iter()
        .filter_map(|&(at, seen)| {
            let row = &rows[at];
            Some(Update {
                id: row.candidate.id,
                document: row.candidate.document.as_ref().ok()?,
                seen,
                updated_column: way.rules.updated_column.as_deref(),
                with_duplicate_key: row.candidate.duplicate.is_some() && !row.keyless,
            })
        })
        .collect();
    let deadline = way.road.pace().deadline(commands.len(), bytes);
    let outcomes = way.patiently(bytes, way.target.update_within(deadline, &commands)).await?;
    (way.answered)(bytes);
    for (&(at, _), outcome) in updates.iter().zip(outcomes) {
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
) -> Result<(), Failure> {
    while !inserts.is_empty() {
        let weights = inserts.iter().map(|&at| rows[at].candidate.bytes);
        let (count, bytes) = fitting(weights, way.road.command());
        let (part, rest) = inserts.split_at(count);
        send_some_inserts(way, rows, part, ahead, bytes).await?;
        inserts = rest;
    }
    Ok(())
}

async fn send_some_inserts(
    way: &Way<'_>,
    rows: &mut [Open<'_>],
    inserts: &[usize],
    ahead: &[Arc<Marks>],
    bytes: usize,
) -> Result<(), Failure> {
    let documents: Vec<_> = inserts
        .iter()
        .filter_map(|&at| {
            let document = rows[at].candidate.document.as_ref().ok()?;
            Some(if rows[at].keyless {
                Cow::Owned(without_duplicate_key(document))
            } else {
                Cow::Borrowed(document.as_ref())
            })
        })
        .collect();
    let deadline = way.road.pace().deadline(documents.len(), bytes);
    let outcomes = way.patiently(bytes, way.target.insert_within(deadline, &documents)).await?;
    (way.answered)(bytes);
    for (&at, outcome) in inserts.iter().zip(outcomes) {
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
    let Some(key) = &row.candidate.duplicate else { return Ok(()) };
    let holder = way.target.holder_of_hash(&way.rules.duplicate_columns, key.hash).await?;
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
