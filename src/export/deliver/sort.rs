//! Sorting a round's rows by what is to be done about them.

use std::sync::Arc;

use mongodb::bson::Bson;
use mongodb::bson::oid::ObjectId;

use super::row::Open;
use super::sight::Held;
use crate::export::candidate::Verdict;
use crate::export::pipeline::Marks;
use crate::hashed::{HashedMap, HashedSet};
use crate::target::Copy;

/// The rows that wait for what becomes of their person, and of which it isn't known whether they have a copy: nobody may be
/// writing that. To look for it meanwhile spares a round of their own.
pub(super) fn waiting(rows: &[Open<'_>], ahead: &[Arc<Marks>]) -> Vec<usize> {
    let is_sought = |row: &Open<'_>| {
        row.is_open()
            && row.waits
            && row.alone.is_none()
            && !ahead.iter().any(|before| before.has_id(&row.candidate.id))
    };
    rows.iter().enumerate().filter(|(_, row)| is_sought(row)).map(|(at, _)| at).collect()
}

/// What is to be done about rows that have no copy, as far as is known.
#[derive(Default)]
pub(super) struct Sorted {
    pub(super) inserts: Vec<usize>,
    /// Rows whose duplicate key another document has, and that weren't looked up themselves; with that document's `_id`.
    pub(super) suspects: Vec<(usize, Bson)>,
    /// Rows of the same person as another row of this batch, with that one's place.
    pub(super) followers: Vec<(usize, usize)>,
}

/// Copies that are about to be somebody else, with the keys that they get: they hold their old ones no longer, and who has
/// those is decided afterwards.
pub(super) fn leaving(
    rows: &[Open<'_>],
    updates: &[(usize, &Copy)],
) -> HashedMap<ObjectId, Option<[u8; 16]>> {
    updates.iter().map(|&(at, _)| (rows[at].candidate.id, rows[at].candidate.duplicate_key)).collect()
}

pub(super) fn sort(
    rows: &mut [Open<'_>],
    updates: &[(usize, &Copy)],
    copies: &HashedMap<ObjectId, Copy>,
    holders: &HashedMap<[u8; 16], Bson>,
    ahead: &[Arc<Marks>],
) -> Sorted {
    let leaving = leaving(rows, updates);
    let arriving: HashedSet<[u8; 16]> = leaving.values().copied().flatten().collect();
    let mut sorted = Sorted::default();
    let mut leaders: HashedMap<[u8; 16], (usize, ObjectId)> = HashedMap::default();
    for (at, row) in rows.iter_mut().enumerate() {
        if !row.is_active() || copies.contains_key(&row.candidate.id) {
            continue;
        }
        let Some(key) = row.candidate.duplicate_key else {
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
            Some((of, Held::Other)) if row.look || row.is_alone() => {
                row.verdict = Some(Verdict::Duplicate { of: of.clone() });
            }
            Some((of, Held::Other)) => sorted.suspects.push((at, of.clone())),
            // A copy is about to be this person: who has it is decided afterwards.
            None if arriving.contains(&key) => {}
            None => match leaders.get(&key) {
                // The same row once more, which moved while its batch was read: it is written over its own copy.
                Some(&(_, id)) if id == row.candidate.id => row.look = true,
                Some(&(leader, _)) => sorted.followers.push((at, leader)),
                None => {
                    leaders.insert(key, (at, row.candidate.id));
                    sorted.inserts.push(at);
                }
            },
        }
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::candidate::Candidate;
    use crate::record::{PackedRow, Value};

    fn candidate(rowid: i64, id: u8) -> Candidate {
        Candidate {
            position: Value::Integer(rowid),
            key: rowid.to_string(),
            id: ObjectId::from_bytes([id; 12]),
            content: [0; 16],
            duplicate_key: Some([1; 16]),
            row: Ok(PackedRow::default()),
            bytes: 0,
            grown: 0,
            known: false,
            unchanged: false,
        }
    }

    #[test]
    fn a_row_follows_others_of_its_person_but_not_itself() {
        let candidates = [candidate(1, 1), candidate(2, 2), candidate(3, 1)];
        let mut rows: Vec<_> = candidates.iter().map(|candidate| Open::new(candidate, false)).collect();
        let sorted = sort(&mut rows, &[], &HashedMap::default(), &HashedMap::default(), &[]);
        assert_eq!((sorted.inserts, sorted.followers), (vec![0], vec![(1, 0)]));
        assert!(sorted.suspects.is_empty());
        assert!(rows[2].is_open() && rows[2].look, "its copy is looked for in the next round");
    }
}
