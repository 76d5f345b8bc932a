//! One batch: from candidates to one verdict for each.
//!
//! It goes in rounds. A round looks up what is there, decides what that decides, sends updates and inserts for the
//! rest, and judges the replies document by document. What is still open after that (a race with another host, a copy
//! to be read back) goes into the next round. Sending a batch twice can't write twice, as the `_id`s are the same.

use std::borrow::Cow;
use std::collections::HashMap;

use mongodb::bson::Bson;

use super::candidate::{Candidate, Verdict};
use crate::config::Updates;
use crate::record::{is_older, without_duplicate_key};
use crate::report::{Failure, Reason};
use crate::target::{Copy, HolderQuery, InsertOutcome, Target, Update, UpdateOutcome};

/// How often a row may be found changed under our hands before the batch is given up for now.
const PATIENCE: u8 = 5;

/// BSONObjectTooLarge.
const TOO_LARGE: i32 = 10_334;

/// The rules of this run.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// The duplicate key's columns; empty: no row is a duplicate.
    pub(super) duplicate_columns: Vec<String>,
    /// The column of the last change.
    pub(super) updated_column: Option<String>,
    /// What happens to changed rows.
    pub(super) updates: Updates,
}

/// A candidate in the course of the rounds.
struct Open<'a> {
    candidate: &'a Candidate,
    verdict: Option<Verdict>,
    /// Rounds that decided nothing about it.
    tries: u8,
    /// Whether it is written without a place in the unique index on the duplicate key, as another document holds it.
    keyless: bool,
}

/// Delivers the candidates. The answer has one verdict for each, in their order.
///
/// # Errors
/// A failure means that the outcome of every candidate is unknown.
pub(super) async fn deliver(
    target: &Target,
    rules: &Rules,
    candidates: &[Candidate],
) -> Result<Vec<Verdict>, Failure> {
    let mut rows: Vec<Open<'_>> = candidates
        .iter()
        .map(|candidate| Open {
            candidate,
            verdict: candidate.document.is_none().then(|| Verdict::Rejected {
                code: TOO_LARGE,
                detail: "it is larger than MongoDB's limit of 16 MiB".to_owned(),
            }),
            tries: 0,
            keyless: false,
        })
        .collect();
    while rows.iter().any(|row| row.verdict.is_none()) {
        round(target, rules, &mut rows).await?;
        if rows.iter().any(|row| row.verdict.is_none() && row.tries > PATIENCE) {
            return Err(Failure::new(Reason::Server, "documents change faster than they can be written"));
        }
    }
    Ok(rows.into_iter().filter_map(|row| row.verdict).collect())
}

async fn round(target: &Target, rules: &Rules, rows: &mut [Open<'_>]) -> Result<(), Failure> {
    let open = || rows.iter().filter(|row| row.verdict.is_none());
    let ids: Vec<_> = open().map(|row| row.candidate.id).collect();
    let keys: Vec<_> = open().filter_map(|row| row.candidate.duplicate.as_ref()).collect();
    let (copies, holders) = tokio::try_join!(
        target.copies(&ids, rules.updated_column.as_deref()),
        target.holders(HolderQuery { columns: &rules.duplicate_columns, keys: &keys }),
    )?;

    let mut inserts = Vec::new();
    let mut updates = Vec::new();
    let mut leaders: HashMap<[u8; 16], usize> = HashMap::new();
    let mut followers = Vec::new();
    for (at, row) in rows.iter_mut().enumerate().filter(|(_, row)| row.verdict.is_none()) {
        if let Some(copy) = copies.get(&row.candidate.id) {
            row.verdict = judge_copy(row.candidate, copy, rules.updates);
            if row.verdict.is_none() {
                updates.push((at, copy));
            }
            continue;
        }
        match &row.candidate.duplicate {
            Some(key) => {
                if let Some(of) = holders.get(&key.hash) {
                    row.verdict = Some(Verdict::Duplicate { of: of.clone() });
                } else if let Some(&leader) = leaders.get(&key.hash) {
                    followers.push((at, leader));
                } else {
                    leaders.insert(key.hash, at);
                    inserts.push(at);
                }
            }
            None => inserts.push(at),
        }
    }
    send_updates(target, rules, rows, &updates).await?;
    send_inserts(target, rules, rows, &inserts).await?;
    for (at, leader) in followers {
        // If the leader was refused, the next round finds another one.
        if rows[leader].verdict == Some(Verdict::Inserted) {
            rows[at].verdict = Some(Verdict::Duplicate { of: Bson::ObjectId(rows[leader].candidate.id) });
        }
    }
    Ok(())
}

/// What the row's own copy decides; `None`: it is to be written over.
fn judge_copy(candidate: &Candidate, copy: &Copy, updates: Updates) -> Option<Verdict> {
    if copy.content == Some(candidate.content) {
        let updated = copy.updated_by.is_some();
        let writer = copy.updated_by.clone().or_else(|| copy.export_id.clone());
        return Some(Verdict::There { writer, updated });
    }
    match updates {
        Updates::Never => Some(Verdict::Kept),
        Updates::Newer if is_older(candidate.updated.as_ref(), &copy.updated) => Some(Verdict::Kept),
        Updates::Newer | Updates::Always => None,
    }
}

async fn send_updates(
    target: &Target,
    rules: &Rules,
    rows: &mut [Open<'_>],
    updates: &[(usize, &Copy)],
) -> Result<(), Failure> {
    let commands: Vec<_> = updates
        .iter()
        .filter_map(|&(at, seen)| {
            let row = &rows[at];
            Some(Update {
                id: row.candidate.id,
                document: row.candidate.document.as_ref()?,
                seen,
                updated_column: rules.updated_column.as_deref(),
                with_duplicate_key: row.candidate.duplicate.is_some() && !row.keyless,
            })
        })
        .collect();
    let outcomes = target.update(&commands).await?;
    for (&(at, _), outcome) in updates.iter().zip(outcomes) {
        let row = &mut rows[at];
        match outcome {
            // Read back in the next round.
            UpdateOutcome::Sent => row.tries += 1,
            // It is its own document all the same: it only gets no place in the unique index.
            UpdateOutcome::SameDuplicateKey => {
                row.keyless = true;
                row.tries += 1;
            }
            UpdateOutcome::Rejected { code, detail } => {
                row.verdict = Some(Verdict::Rejected { code, detail });
            }
        }
    }
    Ok(())
}

async fn send_inserts(
    target: &Target,
    rules: &Rules,
    rows: &mut [Open<'_>],
    inserts: &[usize],
) -> Result<(), Failure> {
    let documents: Vec<_> = inserts
        .iter()
        .filter_map(|&at| {
            let document = rows[at].candidate.document.as_ref()?;
            Some(if rows[at].keyless {
                Cow::Owned(without_duplicate_key(document))
            } else {
                Cow::Borrowed(document.as_ref())
            })
        })
        .collect();
    let outcomes = target.insert(&documents).await?;
    for (&at, outcome) in inserts.iter().zip(outcomes) {
        let row = &mut rows[at];
        match outcome {
            InsertOutcome::Inserted => row.verdict = Some(Verdict::Inserted),
            InsertOutcome::SameId => row.tries += 1,
            InsertOutcome::SameDuplicateKey => judge_holder(target, rules, row).await?,
            InsertOutcome::Rejected { code, detail } => {
                row.verdict = Some(Verdict::Rejected { code, detail });
            }
        }
    }
    Ok(())
}

/// The unique index refused the row. Its holder has the same duplicate key in its columns: then the row is its
/// duplicate. Or only in its metadata, because somebody changed the columns since: then the row is somebody else, and is
/// inserted without a place in the index. Or it isn't to be seen (any more): then the next round tells.
async fn judge_holder(target: &Target, rules: &Rules, row: &mut Open<'_>) -> Result<(), Failure> {
    row.tries += 1;
    let Some(key) = &row.candidate.duplicate else { return Ok(()) };
    match target.holder_of_hash(&rules.duplicate_columns, key.hash).await? {
        Some((of, true)) => row.verdict = Some(Verdict::Duplicate { of }),
        Some((_, false)) => row.keyless = true,
        None => {}
    }
    Ok(())
}
