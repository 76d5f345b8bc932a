//! One batch: from candidates to one verdict for each.
//!
//! What holds: each round decides about a row, waits for a batch before this one, or brings a row nearer to the end of its
//! patience: no row, and no copy that somebody made unusable, keeps the others back for long. A row that has no document is
//! refused, whatever else could be said of it.
//!
//! It goes in rounds. A round looks up what is there, decides what that decides, sends updates and inserts for the
//! rest, and judges the replies document by document. What is still open after that (a race with another host, a copy
//! to be read back, a person whom a batch before this one may be writing) goes into the next round. Sending a batch twice
//! can't write twice, as the `_id`s are the same.

mod encode;
mod row;
mod send;
mod sight;
mod sort;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mongodb::bson::Bson;
use mongodb::bson::oid::ObjectId;

use super::candidate::{Candidate, Verdict};
use super::pipeline::{Flights, Marks, Place, Road, Turn, inserted};
use crate::config::Updates;
use crate::hashed::HashedMap;
use crate::record::{Provenance, Shape};
use crate::report::{Failure, Reason};
use crate::target::Target;
use encode::refuse;
use row::{Open, judge_copy};
use send::{send_inserts, send_updates};
use sight::{Held, Sight};
use sort::{Sorted, leaving, sort, waiting};

/// How often a row may be found changed under our hands.
const PATIENCE: u8 = 5;

/// How often it is told that a command is waited for.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// WriteConflict.
const CONFLICT: i32 = 112;

/// The rules of this run.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// What becomes of the table's columns.
    pub(super) shape: Shape,
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
    /// Waits until it is this batch's turn to write, and for the first place. What others do until then isn't the link's fault,
    /// nor the server's.
    async fn may_write(&self, waited: &mut Duration) -> (Turn<'_>, Place<'_>) {
        let began = Instant::now();
        let turn = self.road.turn().await;
        let place = turn.place().await;
        *waited += began.elapsed();
        (turn, place)
    }

    /// Runs one command that writes so many bytes, of which that many were counted on before. A large row may take longer than
    /// a pass may be without a sign of life.
    async fn patiently<T>(
        &self,
        counted_on: usize,
        bytes: usize,
        command: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        let mut command = pin!(self.road.timed(counted_on, bytes, command, |_| bytes));
        loop {
            match tokio::time::timeout(SIGN_OF_LIFE, &mut command).await {
                Ok(result) => {
                    if result.is_ok() {
                        self.road.wrote(began.elapsed());
                    }
                    return result;
                }
                Err(_) => (self.waiting)(),
            }
        }
    }
}

/// What became of a batch.
pub(super) struct Delivered {
    /// One for each candidate, in their order.
    pub(super) verdicts: Vec<Verdict>,
    /// The bytes of the documents that were inserted.
    pub(super) inserted_bytes: usize,
}

/// Delivers the candidates, in documents that say that they come from there. What was `waited` for other batches is told.
///
/// # Errors
/// A failure means that the outcome of every candidate is unknown.
pub(super) async fn deliver(
    way: &Way<'_>,
    number: u64,
    candidates: &[Candidate],
    provenance: &Provenance,
    waited: &mut Duration,
) -> Result<Delivered, Failure> {
    let look = way.road.looks();
    let mut rows: Vec<Open<'_>> =
        candidates.iter().map(|candidate| Open::new(candidate, look || candidate.known)).collect();
    let mut tells = look;
    let mut told = rows.len();
    while rows.iter().any(Open::is_open) {
        if let Some(ahead) = wait(way, number, &mut rows, waited).await {
            round(way, &mut rows, &ahead, provenance, std::mem::take(&mut tells), waited).await?;
        }
        let open = rows.iter().filter(|row| row.is_open()).count();
        if open > 0 && std::mem::replace(&mut told, open) != open {
            let undecided = rows.iter().filter(|row| row.is_open()).map(|row| row.candidate);
            way.flights.decided(number, undecided, whom_inserted(&rows));
        }
        for row in rows.iter_mut().filter(|row| row.is_open() && row.tries > PATIENCE) {
            if !row.sent {
                return Err(Failure::new(Reason::Server, "what it refuses to insert is not to be seen"));
            }
            row.verdict = Some(Verdict::Rejected {
                code: CONFLICT,
                detail: "its copy changes all the time, or can't be written over".to_owned(),
            });
        }
    }
    refuse(way, &mut rows, provenance);
    way.flights.settle(number, whom_inserted(&rows));
    let inserted = rows.iter().filter(|row| row.verdict == Some(Verdict::Inserted));
    let inserted_bytes = inserted.map(|row| row.encoded).sum();
    Ok(Delivered { verdicts: rows.into_iter().filter_map(|row| row.verdict).collect(), inserted_bytes })
}

/// Sorts out the rows that have to wait for a batch before this one. If no other is left, waits until more is known, and
/// answers `None`; else answers the batches before this one that aren't settled.
async fn wait(
    way: &Way<'_>,
    number: u64,
    rows: &mut [Open<'_>],
    waited: &mut Duration,
) -> Option<Vec<Arc<Marks>>> {
    let mut news = way.flights.news();
    let ahead = way.flights.ahead_of(number);
    let (mut waits, mut free) = (false, false);
    for row in rows.iter_mut().filter(|row| row.is_open()) {
        let is_behind = |before: &Arc<Marks>| {
            (row.behind == Some(before.number()) && !before.is_settled()) || before.concerns(row.candidate)
        };
        row.waits = ahead.iter().any(is_behind);
        if !row.waits && row.is_alone() {
            // The batch that inserted it saw that nobody else has this key.
            let holder = row.candidate.duplicate_key.and_then(|key| inserted(&ahead, key));
            row.verdict = holder.map(|of| Verdict::Duplicate { of: Bson::ObjectId(of) });
        }
        waits |= row.waits;
        free |= row.is_active();
    }
    if waits && !free {
        let began = Instant::now();
        // The sender is the flights' own.
        let _gone = news.changed().await;
        *waited += began.elapsed();
    }
    free.then_some(ahead)
}

/// The documents that were inserted with a place in the unique index, by their keys.
fn whom_inserted(rows: &[Open<'_>]) -> HashedMap<[u8; 16], ObjectId> {
    let inserted = rows.iter().filter(|row| row.verdict == Some(Verdict::Inserted) && !row.keyless);
    inserted.filter_map(|row| Some((row.candidate.duplicate_key?, row.candidate.id))).collect()
}

async fn round(
    way: &Way<'_>,
    rows: &mut [Open<'_>],
    ahead: &[Arc<Marks>],
    provenance: &Provenance,
    tells: bool,
    waited: &mut Duration,
) -> Result<(), Failure> {
    let waiting = waiting(rows, ahead);
    let Sight { copies, holders } = sight::look(way, rows, &waiting, !tells).await?;
    let mut updates = Vec::new();
    for (at, row) in rows.iter_mut().enumerate().filter(|(_, row)| row.is_active()) {
        if let Some(copy) = copies.get(&row.candidate.id) {
            row.verdict = judge_copy(row, copy, way.rules);
            if row.verdict.is_none() {
                row.sent = true;
                updates.push((at, copy));
            }
        }
    }
    let Sorted { inserts, mut suspects, followers } = sort(rows, &updates, &copies, &holders, ahead);
    let suspected: Vec<ObjectId> = suspects.iter().map(|(at, _)| rows[*at].candidate.id).collect();
    let leaving = leaving(rows, &updates);
    let (seen, unseen): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|&at| rows[at].look);
    for &at in &seen {
        rows[at].alone = Some(!copies.contains_key(&rows[at].candidate.id));
    }
    for &at in seen.iter().chain(&unseen) {
        // Whoever has the key already has it whatever becomes of the rows before.
        let holder = rows[at].candidate.duplicate_key.and_then(|key| holders.get(&key));
        if let Some(of) = holder
            && matches!(Held::by(of, &rows[at], &leaving, ahead), Held::Other)
        {
            if rows[at].is_alone() {
                rows[at].verdict = Some(Verdict::Duplicate { of: of.clone() });
            } else if !rows[at].look {
                suspects.push((at, of.clone()));
            }
        }
    }
    // Nobody follows another row who has a copy of his own.
    let unsure = followers.iter().map(|&(at, _)| at).filter(|&at| !rows[at].look && !rows[at].is_alone());
    let unseen: Vec<usize> = unseen.into_iter().chain(unsure).collect();
    let sought: Vec<ObjectId> = unseen.iter().map(|at| rows[*at].candidate.id).chain(suspected).collect();
    let write = async {
        if !updates.is_empty() {
            let (turn, _place) = way.may_write(waited).await;
            drop(turn);
            send_updates(way, rows, &updates, provenance).await?;
        }
        if inserts.is_empty() {
            return Ok(());
        }
        let turn = way.may_write(waited).await;
        send_inserts(way, rows, &inserts, ahead, provenance, turn).await
    };
    let ((), own) = tokio::try_join!(write, sight::copies(way, &sought))?;
    for at in unseen {
        rows[at].alone = Some(!own.contains_key(&rows[at].candidate.id));
        if !rows[at].is_alone() {
            rows[at].look = true;
            way.road.surprised();
        }
    }
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
        if rows[leader].verdict == Some(Verdict::Inserted) && !own.contains_key(&rows[at].candidate.id) {
            rows[at].verdict = Some(Verdict::Duplicate { of: Bson::ObjectId(rows[leader].candidate.id) });
        }
    }
    Ok(())
}
