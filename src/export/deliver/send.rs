//! Sending updates and inserts, in commands that the link carries, and judging the replies.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::Way;
use super::encode::{Encoded, encode, refuse_some};
use super::row::Open;
use crate::export::candidate::Verdict;
use crate::export::pipeline::{Marks, Place, Turn, may_be_changing};
use crate::record::Provenance;
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
    let Encoded { documents, rows: encoded, refused } =
        encode(way, rows, updates.iter().map(|&(at, _)| at), provenance, counted_on);
    refuse_some(rows, refused);
    if encoded.is_empty() {
        return Ok(());
    }
    let seen: HashMap<usize, &Copy> = updates.iter().copied().collect();
    let slices = documents.slices()?;
    let commands: Vec<_> = encoded
        .iter()
        .zip(&slices)
        .filter_map(|((at, _), document)| {
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
    for ((at, bytes), outcome) in encoded.into_iter().zip(outcomes) {
        let row = &mut rows[at];
        row.encoded = bytes;
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

/// Sends what is to be inserted, and judges the replies.
pub(super) async fn send_inserts(
    way: &Way<'_>,
    rows: &mut [Open<'_>],
    inserts: &[usize],
    ahead: &[Arc<Marks>],
    provenance: &Provenance,
    turn: (Turn<'_>, Place<'_>),
) -> Result<(), Failure> {
    for Sent { rows: sent, refused, outcomes } in send_in_parts(way, rows, inserts, provenance, turn).await? {
        refuse_some(rows, refused);
        for ((at, encoded), outcome) in sent.into_iter().zip(outcomes) {
            rows[at].encoded = encoded;
            judge(way, &mut rows[at], outcome, ahead).await?;
        }
    }
    Ok(())
}

/// Sends as many commands at a time as there are places. How large one may be is asked when it has got its place. After a failure
/// no more are sent; those under way are waited for, as each has a connection that would be lost.
async fn send_in_parts(
    way: &Way<'_>,
    rows: &[Open<'_>],
    mut inserts: &[usize],
    provenance: &Provenance,
    (turn, first): (Turn<'_>, Place<'_>),
) -> Result<Vec<Sent>, Failure> {
    let (mut sent, mut failure) = (Vec::new(), None);
    let mut under_way = FuturesUnordered::new();
    let mut next = Some(first);
    while !inserts.is_empty() && failure.is_none() {
        let place = match next.take() {
            Some(place) => place,
            None => tokio::select! {
                place = turn.place() => place,
                Some(part) = under_way.next() => {
                    land(part, &mut sent, &mut failure);
                    continue;
                }
            },
        };
        let weights = inserts.iter().take(way.road.pace().rows()).map(|&at| rows[at].candidate.bytes);
        let (count, bytes) = fitting(weights, way.road.command());
        let (part, rest) = inserts.split_at(count);
        under_way.push(send_some_inserts(way, rows, part, provenance, bytes, place));
        inserts = rest;
    }
    drop((turn, next));
    while let Some(part) = under_way.next().await {
        land(part, &mut sent, &mut failure);
    }
    failure.map_or(Ok(sent), Err)
}

fn land(part: Result<Sent, Failure>, sent: &mut Vec<Sent>, failure: &mut Option<Failure>) {
    match part {
        Ok(part) => sent.push(part),
        Err(first) => {
            failure.get_or_insert(first);
        }
    }
}

/// What became of a command that inserts.
struct Sent {
    /// The rows whose documents were in it, with their bytes, and what became of each.
    rows: Vec<(usize, usize)>,
    outcomes: Vec<InsertOutcome>,
    /// The rows that have no document.
    refused: Vec<(usize, Verdict)>,
}

async fn send_some_inserts(
    way: &Way<'_>,
    rows: &[Open<'_>],
    inserts: &[usize],
    provenance: &Provenance,
    counted_on: usize,
    _place: Place<'_>,
) -> Result<Sent, Failure> {
    // Between large commands others come to their turn: all that waits is in one thread.
    tokio::task::yield_now().await;
    let Encoded { documents, rows: sent, refused } =
        encode(way, rows, inserts.iter().copied(), provenance, counted_on);
    if sent.is_empty() {
        return Ok(Sent { rows: sent, outcomes: Vec::new(), refused });
    }
    let bytes = documents.bytes();
    let counted_on = counted_on.max(bytes);
    let deadline = way.road.pace().deadline(documents.len(), counted_on);
    let again = || encode(way, rows, sent.iter().map(|&(at, _)| at), provenance, bytes).documents;
    let insert = way.target.insert_within(deadline, documents, again);
    let outcomes = way.patiently(counted_on, bytes, insert).await?;
    (way.answered)(bytes);
    Ok(Sent { rows: sent, outcomes, refused })
}

/// Judges what became of one document.
async fn judge(
    way: &Way<'_>,
    row: &mut Open<'_>,
    outcome: InsertOutcome,
    ahead: &[Arc<Marks>],
) -> Result<(), Failure> {
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
    Ok(())
}

/// The unique index refused the row again. Its holder has the same duplicate key in its columns: then the row is its
/// duplicate. Or only in its metadata, because somebody changed the columns since: then the row is somebody else, and is
/// inserted without a place in the index. Or it isn't to be seen (any more): then the next round tells.
async fn judge_holder(way: &Way<'_>, row: &mut Open<'_>, ahead: &[Arc<Marks>]) -> Result<(), Failure> {
    let Some(hash) = row.candidate.duplicate_key else { return Ok(()) };
    let holder = way.target.holder_of_hash(&way.rules.duplicate_columns, hash).await?;
    (way.answered)(0);
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
