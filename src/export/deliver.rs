//! One batch: from candidates to one verdict for each.
//!
//! What holds: each round decides about a row, or brings one nearer to the end of its patience: no row, and no copy that
//! somebody made unusable, keeps the others back for long.
//!
//! It goes in rounds. A round looks up what is there, decides what that decides, sends updates and inserts for the
//! rest, and judges the replies document by document. What is still open after that (a race with another host, a copy
//! to be read back) goes into the next round. Sending a batch twice can't write twice, as the `_id`s are the same.

use std::borrow::Cow;
use std::collections::HashMap;

use mongodb::bson::Bson;
use mongodb::bson::oid::ObjectId;

use super::candidate::{Candidate, Verdict};
use crate::config::Updates;
use crate::record::{is_older, without_duplicate_key};
use crate::report::{Failure, Reason};
use crate::target::{Copy, HolderQuery, InsertOutcome, Target, Update, UpdateOutcome};

/// How often a row may be found changed under our hands.
const PATIENCE: u8 = 5;

/// WriteConflict.
const CONFLICT: i32 = 112;

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
    /// How often the unique index on the duplicate key refused it.
    refused: u8,
    /// Whether it is written without a place in that index, as another document holds it.
    keyless: bool,
    /// Whether an update was sent, and if so, whether it gives the copy another duplicate key.
    sent: Option<bool>,
}

impl<'a> Open<'a> {
    fn new(candidate: &'a Candidate) -> Self {
        let refusal = candidate.refusal.as_ref();
        let verdict = refusal.map(|why| Verdict::Rejected { code: why.code(), detail: why.to_string() });
        Self { candidate, verdict, tries: 0, refused: 0, keyless: false, sent: None }
    }

    fn key(&self) -> Option<[u8; 16]> {
        self.candidate.duplicate.as_ref().map(|key| key.hash)
    }
}

/// Delivers the candidates. The answer has one verdict for each, in their order. `answered` is told of each round that
/// MongoDB took part in.
///
/// # Errors
/// A failure means that the outcome of every candidate is unknown.
pub(super) async fn deliver(
    target: &Target,
    rules: &Rules,
    candidates: &[Candidate],
    answered: &(dyn Fn() + Sync),
) -> Result<Vec<Verdict>, Failure> {
    let mut rows: Vec<Open<'_>> = candidates.iter().map(Open::new).collect();
    while rows.iter().any(|row| row.verdict.is_none()) {
        round(target, rules, &mut rows).await?;
        answered();
        for row in rows.iter_mut().filter(|row| row.verdict.is_none() && row.tries > PATIENCE) {
            if row.sent.is_none() {
                return Err(Failure::new(Reason::Server, "what it refuses to insert is not to be seen"));
            }
            row.verdict = Some(Verdict::Rejected {
                code: CONFLICT,
                detail: "its copy changes all the time, or can't be written over".to_owned(),
            });
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

    let mut updates = Vec::new();
    for (at, row) in rows.iter_mut().enumerate().filter(|(_, row)| row.verdict.is_none()) {
        if let Some(copy) = copies.get(&row.candidate.id) {
            row.verdict = judge_copy(row, copy, rules.updates);
            if row.verdict.is_none() {
                row.sent = Some(copy.duplicate_key != row.key());
                updates.push((at, copy));
            }
        }
    }
    // A copy that is about to be somebody else holds its old key no longer: who has that key is decided afterwards.
    let leaving: HashMap<ObjectId, Option<[u8; 16]>> =
        updates.iter().map(|&(at, _)| (rows[at].candidate.id, rows[at].key())).collect();
    let leaves = |of: &Bson, key: [u8; 16]| {
        of.as_object_id().and_then(|id| leaving.get(&id)).is_some_and(|next| *next != Some(key))
    };
    let mut inserts = Vec::new();
    let mut leaders: HashMap<[u8; 16], usize> = HashMap::new();
    let mut followers = Vec::new();
    for (at, row) in rows.iter_mut().enumerate() {
        if row.verdict.is_some() || copies.contains_key(&row.candidate.id) {
            continue;
        }
        let Some(key) = row.key() else {
            inserts.push(at);
            continue;
        };
        if let Some(of) = holders.get(&key) {
            if !leaves(of, key) {
                row.verdict = Some(Verdict::Duplicate { of: of.clone() });
            }
        } else if let Some(&leader) = leaders.get(&key) {
            followers.push((at, leader));
        } else {
            leaders.insert(key, at);
            inserts.push(at);
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

/// What the row's own copy decides; `None`: it is to be written over. Of two times that are equal, or can't be compared,
/// none is older: then the row wins, as a second change within the clock's resolution must not be lost.
fn judge_copy(row: &Open<'_>, copy: &Copy, updates: Updates) -> Option<Verdict> {
    let candidate = row.candidate;
    if copy.has_content(&candidate.content) {
        let updated = copy.updated_by.is_some();
        let writer = copy.updated_by.clone().or_else(|| copy.inserted_by.clone());
        // Found as an update of before, nobody knows what it was until then.
        return Some(Verdict::There { writer, updated, moved: updated && row.sent != Some(false) });
    }
    match updates {
        Updates::Never => Some(Verdict::Kept),
        Updates::Newer if is_older(&candidate.updated, &copy.updated) => Some(Verdict::Kept),
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
        row.tries += 1;
        match outcome {
            // Read back in the next round.
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
            InsertOutcome::SameDuplicateKey => {
                row.tries += 1;
                row.refused += 1;
                // The next round's look-up finds most holders, all at once.
                if row.refused > 1 {
                    judge_holder(target, rules, row).await?;
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
async fn judge_holder(target: &Target, rules: &Rules, row: &mut Open<'_>) -> Result<(), Failure> {
    let Some(key) = &row.candidate.duplicate else { return Ok(()) };
    match target.holder_of_hash(&rules.duplicate_columns, key.hash).await? {
        Some((of, true)) => row.verdict = Some(Verdict::Duplicate { of }),
        Some((_, false)) => row.keyless = true,
        None => {}
    }
    Ok(())
}
