//! What a round sees of the collection: the rows' own copies, where they are looked for, and who holds the duplicate keys
//! of the others.

use std::hash::Hash;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use mongodb::bson::Bson;
use mongodb::bson::oid::ObjectId;

use super::Way;
use super::row::Open;
use super::send::fitting;
use crate::export::pipeline::{Marks, may_be_changing};
use crate::hashed::{HashedMap, HashedSet};
use crate::record::DuplicateKey;
use crate::report::Failure;
use crate::target::{Copy, HolderQuery};

/// The bytes of a copy in a reply, and of an `_id` in a query, roughly.
const COPY: usize = 400;
const ID: usize = 24;

/// The bytes of an `_id` in a query at least.
const BARE_ID: usize = 16;

/// The bytes of a holder in a reply, and of what there is around a key in a query, roughly.
const HOLDER: usize = 150;
const KEY: usize = 24;

/// So many copies are looked up at the same time as the holders of keys.
const FEW: usize = 100;

/// Commands of one look-up at a time.
const AT_A_TIME: usize = 2;

/// What a round sees.
pub(super) struct Sight {
    pub(super) copies: HashedMap<ObjectId, Copy>,
    /// By duplicate key, for rows without a copy, and for some that have one.
    pub(super) holders: HashedMap<[u8; 16], Bson>,
}

/// Who holds a row's duplicate key.
pub(super) enum Held {
    /// Its own copy, for which nobody has looked, or which has only just come.
    Himself,
    /// A document that a batch before this one may be changing.
    Ahead(u64),
    /// A document that this round makes somebody else.
    Leaving,
    /// Another document.
    Other,
}

impl Held {
    pub(super) fn by(
        of: &Bson,
        row: &Open<'_>,
        leaving: &HashedMap<ObjectId, Option<[u8; 16]>>,
        ahead: &[Arc<Marks>],
    ) -> Self {
        let Some(id) = of.as_object_id() else { return Self::Other };
        if id == row.candidate.id {
            Self::Himself
        } else if let Some(before) = may_be_changing(ahead, of) {
            Self::Ahead(before)
        } else if leaving.get(&id).is_some_and(|next| *next != row.candidate.duplicate_key) {
            Self::Leaving
        } else {
            Self::Other
        }
    }
}

/// Looks up what this round is about, and the same of the rows that are `waiting`. Where copies are looked for only as nobody
/// `knows` whether there are any, the first ones stand for the others: of a pass's first batches, whose rows are mostly new,
/// they are looked up together with the holders of their keys. Whoever is to be looked for afterwards still was looked for.
pub(super) async fn look(
    way: &Way<'_>,
    rows: &mut [Open<'_>],
    waiting: &[usize],
    knows: bool,
) -> Result<Sight, Failure> {
    let concerned: Vec<_> =
        (0..rows.len()).filter(|&at| rows[at].is_active()).chain(waiting.iter().copied()).collect();
    let sought: Vec<_> =
        concerned.iter().filter(|&&at| rows[at].look).map(|&at| rows[at].candidate.id).collect();
    if knows && sought.len() <= FEW {
        // Both at once: a way there and back takes longer than to look some up in vain.
        let keys = keys(way, rows, waiting, |_| true);
        let keys: Vec<_> = keys.iter().collect();
        let (copies, holders) = tokio::try_join!(copies(way, &sought), holders(way, &keys))?;
        return Ok(Sight { copies, holders });
    }
    let first = if knows { sought.len() } else { (way.road.command() / COPY).clamp(1, sought.len().max(1)) };
    let first = first.min(sought.len());
    let together = if knows || !way.road.is_fresh() {
        0
    } else if way.road.is_long_and_wide() {
        sought.len()
    } else {
        FEW
    };
    let asked: HashedSet<_> = sought.iter().take(together).copied().collect();
    let (waiting_first, waiting) =
        if together > 0 { (waiting, [].as_slice()) } else { ([].as_slice(), waiting) };
    let first_keys = keys(way, rows, waiting_first, |row| asked.contains(&row.candidate.id));
    let first_keys: Vec<_> = first_keys.iter().collect();
    let (first, others) = sought.split_at(first);
    let (mut copies, mut holders) = tokio::try_join!(copies(way, first), holders(way, &first_keys))?;
    if copies.is_empty() && !knows {
        let first: HashedSet<_> = first.iter().collect();
        let mut known = Vec::new();
        for at in concerned {
            let row = &mut rows[at];
            if !first.contains(&row.candidate.id) {
                row.look = row.candidate.known;
                known.extend(row.look.then_some(row.candidate.id));
            }
        }
        copies.extend(self::copies(way, &known).await?);
    } else {
        copies.extend(self::copies(way, others).await?);
    }
    if !knows {
        // At once: the next batches wait for nothing else.
        way.road.looked(!copies.is_empty());
    }
    let keys = keys(way, rows, waiting, |row| {
        !asked.contains(&row.candidate.id) && !copies.contains_key(&row.candidate.id)
    });
    let keys: Vec<_> = keys.iter().collect();
    holders.extend(self::holders(way, &keys).await?);
    Ok(Sight { copies, holders })
}

/// The duplicate keys, each once, of the rows that are `waiting`, and of those that this round is about, of which some are `wanted`.
fn keys(
    way: &Way<'_>,
    rows: &[Open<'_>],
    waiting: &[usize],
    wanted: impl Fn(&Open<'_>) -> bool,
) -> Vec<DuplicateKey> {
    let shape = &way.rules.shape;
    let mut asked = HashedSet::default();
    let active = rows.iter().filter(|row| row.is_active() && wanted(row));
    active
        .chain(waiting.iter().map(|&at| &rows[at]))
        .filter_map(|row| {
            let hash = row.candidate.duplicate_key.filter(|key| asked.insert(*key))?;
            let values = shape.duplicate_values(&row.candidate.values(shape))?;
            Some(DuplicateKey { hash, values })
        })
        .collect()
}

/// The copies that are there, of these.
pub(super) async fn copies(way: &Way<'_>, ids: &[ObjectId]) -> Result<HashedMap<ObjectId, Copy>, Failure> {
    in_parts(
        way,
        ids,
        |_| COPY,
        |part, bytes| async move {
            let ask = way.target.copies(part, way.rules.updated_column.as_deref());
            let carried = |found: &HashedMap<_, _>| part.len() * ID + found.len() * COPY;
            way.road.timed(bytes, part.len() * BARE_ID, ask, carried).await
        },
    )
    .await
}

async fn holders(way: &Way<'_>, keys: &[&DuplicateKey]) -> Result<HashedMap<[u8; 16], Bson>, Failure> {
    let columns = way.rules.duplicate_columns.as_slice();
    in_parts(
        way,
        keys,
        |key| key.weight() + HOLDER,
        |keys, bytes| async move {
            let ask = way.target.holders(HolderQuery { columns, keys });
            let sent: usize = keys.iter().map(|key| key.weight() + KEY).sum();
            let carried = |found: &HashedMap<_, _>| sent + found.len() * HOLDER;
            let least = keys.iter().map(|key| key.least()).sum();
            way.road.timed(bytes, least, ask, carried).await
        },
    )
    .await
}

/// Asks about all of them, in commands that the link carries: several at a time, unless it is a slow one.
async fn in_parts<'i, I, K: Eq + Hash, V, F>(
    way: &Way<'_>,
    items: &'i [I],
    weight: impl Fn(&I) -> usize,
    ask: impl Fn(&'i [I], usize) -> F,
) -> Result<HashedMap<K, V>, Failure>
where
    F: Future<Output = Result<HashedMap<K, V>, Failure>>,
{
    let (mut found, mut rest, mut failure) = (HashedMap::default(), items, None);
    let mut asked = FuturesUnordered::new();
    loop {
        let at_a_time = if way.road.is_narrow() { 1 } else { AT_A_TIME };
        while !rest.is_empty() && failure.is_none() && asked.len() < at_a_time {
            let (count, bytes) = fitting(rest.iter().map(&weight), way.road.command());
            let (part, others) = rest.split_at(count);
            asked.push(ask(part, bytes));
            rest = others;
        }
        match asked.next().await {
            Some(Ok(part)) => {
                found.extend(part);
                (way.answered)(0);
            }
            // Those under way are waited for: each has a connection that would be lost.
            Some(Err(first)) => {
                failure.get_or_insert(first);
            }
            None => return failure.map_or(Ok(found), Err),
        }
    }
}
