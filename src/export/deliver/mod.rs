//! One batch: from candidates to one verdict for each.
//!
//! What holds: each round decides about a row, waits for a batch before this one, or brings a row nearer to the end of its
//! patience: no row, and no copy that somebody made unusable, keeps the others back for long.
//!
//! It goes in rounds. A round looks up what is there, decides what that decides, sends updates and inserts for the
//! rest, and judges the replies document by document. What is still open after that (a race with another host, a copy
//! to be read back, a person whom a batch before this one may be writing) goes into the next round. Sending a batch twice
//! can't write twice, as the `_id`s are the same.

mod row;
mod send;
mod sight;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use mongodb::bson::Bson;
use mongodb::bson::oid::ObjectId;

use super::candidate::{Candidate, Verdict};
use super::pipeline::{Flights, Marks, Road};
use crate::config::Updates;
use crate::report::{Failure, Reason};
use crate::target::{Copy, Target};
use row::{Open, judge_copy};
use send::{send_inserts, send_updates};
use sight::{Held, Sight};

/// How often a row may be found changed under our hands.
const PATIENCE: u8 = 5;

/// How often it is told that a command is waited for.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

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

/// What a batch is delivered with.
pub(super) struct Way<'a> {
    pub(super) target: &'a Target,
    pub(super) rules: &'a Rules,
    /// The batches in flight.
    pub(super) flights: &'a Flights,
    /// How much is sent at a time.
    pub(super) road: &'a Road,
    /// Is told of each command that MongoDB answered, with the bytes of the documents in it.
    pub(super) answered: &'a (dyn Fn(usize) + Sync),
    /// Is told each second that a command is waited for, which has a deadline of its own.
    pub(super) waiting: &'a (dyn Fn() + Sync),
}

impl Way<'_> {
    /// Runs one command of so many bytes. A large row may take longer than a pass may be without a sign of life.
    async fn patiently<T>(
        &self,
        bytes: usize,
        command: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut command = pin!(self.road.timed(bytes, command));
        loop {
            match tokio::time::timeout(SIGN_OF_LIFE, &mut command).await {
                Ok(result) => return result,
                Err(_) => (self.waiting)(),
            }
        }
    }
}

/// Delivers the candidates. The answer has one verdict for each, in their order.
///
/// # Errors
/// A failure means that the outcome of every candidate is unknown.
pub(super) async fn deliver(
    way: &Way<'_>,
    marks: &Marks,
    candidates: &[Candidate],
) -> Result<Vec<Verdict>, Failure> {
    let look = way.road.looks();
    let mut rows: Vec<Open<'_>> =
        candidates.iter().map(|candidate| Open::new(candidate, look || candidate.known)).collect();
    let mut tells = look;
    while rows.iter().any(Open::is_open) {
        if let Some(ahead) = wait(way, marks, &mut rows).await {
            round(way, &mut rows, &ahead, std::mem::take(&mut tells)).await?;
        }
        for row in rows.iter_mut().filter(|row| row.is_open() && row.tries > PATIENCE) {
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

/// Sorts out the rows that have to wait for a batch before this one. If all have to, waits, and answers `None`; else
/// answers the batches before this one that aren't settled.
async fn wait(way: &Way<'_>, marks: &Marks, rows: &mut [Open<'_>]) -> Option<Vec<Arc<Marks>>> {
    let ahead = way.flights.ahead_of(marks.number());
    let (mut last, mut free) = (None, false);
    for row in rows.iter_mut().filter(|row| row.is_open()) {
        let by = ahead
            .iter()
            .rev()
            .find(|before| row.behind == Some(before.number()) || before.concerns(row.candidate))
            .map(|before| before.number());
        row.waits = by.is_some();
        last = last.max(by);
        free |= by.is_none();
    }
    match last {
        Some(last) if !free => {
            way.flights.settled(last).await;
            None
        }
        _ => Some(ahead),
    }
}

async fn round(
    way: &Way<'_>,
    rows: &mut [Open<'_>],
    ahead: &[Arc<Marks>],
    tells: bool,
) -> Result<(), Failure> {
    let Sight { copies, holders } = sight::look(way, rows).await?;
    if tells {
        way.road.looked(!copies.is_empty());
    }
    let mut updates = Vec::new();
    for (at, row) in rows.iter_mut().enumerate().filter(|(_, row)| row.is_active()) {
        if let Some(copy) = copies.get(&row.candidate.id) {
            row.verdict = judge_copy(row, copy, way.rules.updates);
            if row.verdict.is_none() {
                row.sent = Some(copy.duplicate_key != row.candidate.key());
                updates.push((at, copy));
            }
        }
    }
    let Sorted { inserts, suspects, followers } = sort(rows, &updates, &copies, &holders, ahead);
    let suspected: Vec<ObjectId> = suspects.iter().map(|(at, _)| rows[*at].candidate.id).collect();
    let write = async {
        send_updates(way, rows, &updates).await?;
        send_inserts(way, rows, &inserts, ahead).await
    };
    let ((), own) = tokio::try_join!(write, sight::copies(way, &suspected))?;
    for (at, of) in suspects {
        if own.contains_key(&rows[at].candidate.id) {
            rows[at].look = true;
            way.road.surprised();
        } else {
            rows[at].verdict = Some(Verdict::Duplicate { of });
        }
    }
    for (at, leader) in followers {
        // If the leader was refused, the next round finds another one.
        if rows[leader].verdict == Some(Verdict::Inserted) {
            rows[at].verdict = Some(Verdict::Duplicate { of: Bson::ObjectId(rows[leader].candidate.id) });
        }
    }
    Ok(())
}

/// What is to be done about rows that have no copy, as far as is known.
#[derive(Default)]
struct Sorted {
    inserts: Vec<usize>,
    /// Rows whose duplicate key another document has, and that weren't looked up themselves; with that document's `_id`.
    suspects: Vec<(usize, Bson)>,
    /// Rows of the same person as another row of this batch, with that one's place.
    followers: Vec<(usize, usize)>,
}

fn sort(
    rows: &mut [Open<'_>],
    updates: &[(usize, &Copy)],
    copies: &HashMap<ObjectId, Copy>,
    holders: &HashMap<[u8; 16], Bson>,
    ahead: &[Arc<Marks>],
) -> Sorted {
    // A copy that is about to be somebody else holds its old key no longer: who has that key is decided afterwards.
    let leaving: HashMap<ObjectId, Option<[u8; 16]>> =
        updates.iter().map(|&(at, _)| (rows[at].candidate.id, rows[at].candidate.key())).collect();
    let mut sorted = Sorted::default();
    let mut leaders: HashMap<[u8; 16], usize> = HashMap::new();
    for (at, row) in rows.iter_mut().enumerate() {
        if !row.is_active() || copies.contains_key(&row.candidate.id) {
            continue;
        }
        let Some(key) = row.candidate.key() else {
            sorted.inserts.push(at);
            continue;
        };
        match holders.get(&key).map(|of| (of, Held::by(of, row, &leaving, ahead))) {
            Some((_, Held::Himself)) => {
                row.tries += u8::from(row.look);
                row.look = true;
            }
            Some((_, Held::Ahead(number))) => row.behind = Some(number),
            Some((_, Held::Leaving)) => {}
            Some((of, Held::Other)) if row.look => {
                row.verdict = Some(Verdict::Duplicate { of: of.clone() });
            }
            Some((of, Held::Other)) => sorted.suspects.push((at, of.clone())),
            None => match leaders.get(&key) {
                Some(&leader) => sorted.followers.push((at, leader)),
                None => {
                    leaders.insert(key, at);
                    sorted.inserts.push(at);
                }
            },
        }
    }
    sorted
}
