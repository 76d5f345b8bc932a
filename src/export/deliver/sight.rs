//! What a round sees of the collection: the rows' own copies, where they are looked for, and who holds the duplicate keys
//! of the others.

use std::collections::HashMap;
use std::sync::Arc;

use mongodb::bson::Bson;
use mongodb::bson::oid::ObjectId;

use super::Way;
use super::row::Open;
use crate::export::pipeline::{Marks, may_be_changing};
use crate::record::DuplicateKey;
use crate::report::Failure;
use crate::target::{Copy, HolderQuery, chunks};

/// The bytes of a copy in a reply, roughly.
const COPY: usize = 400;

/// The bytes of a holder in a reply, and what else there is around a key in a query, roughly.
const HOLDER: usize = 150;

/// What a round sees.
pub(super) struct Sight {
    pub(super) copies: HashMap<ObjectId, Copy>,
    /// By duplicate key, for rows without a copy.
    pub(super) holders: HashMap<[u8; 16], Bson>,
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
        leaving: &HashMap<ObjectId, Option<[u8; 16]>>,
        ahead: &[Arc<Marks>],
    ) -> Self {
        let Some(id) = of.as_object_id() else { return Self::Other };
        if id == row.candidate.id {
            Self::Himself
        } else if let Some(before) = may_be_changing(ahead, of) {
            Self::Ahead(before)
        } else if leaving.get(&id).is_some_and(|next| *next != row.candidate.key()) {
            Self::Leaving
        } else {
            Self::Other
        }
    }
}

/// Looks up what this round is about.
pub(super) async fn look(way: &Way<'_>, rows: &[Open<'_>]) -> Result<Sight, Failure> {
    let active = || rows.iter().filter(|row| row.is_active());
    let sought: Vec<_> = active().filter(|row| row.look).map(|row| row.candidate.id).collect();
    let copies = copies(way, &sought).await?;
    let keys: Vec<_> = active()
        .filter(|row| !copies.contains_key(&row.candidate.id))
        .filter_map(|row| row.candidate.duplicate.as_ref())
        .collect();
    let holders = holders(way, &keys).await?;
    Ok(Sight { copies, holders })
}

/// The copies that are there, of these.
pub(super) async fn copies(way: &Way<'_>, ids: &[ObjectId]) -> Result<HashMap<ObjectId, Copy>, Failure> {
    let mut found = HashMap::new();
    for part in chunks(ids, way.road.command(), |_| COPY) {
        let bytes = part.len() * COPY;
        let part = way.target.copies(&ids[part], way.rules.updated_column.as_deref());
        found.extend(way.road.timed(bytes, part).await?);
        (way.answered)(0);
    }
    Ok(found)
}

async fn holders(way: &Way<'_>, keys: &[&DuplicateKey]) -> Result<HashMap<[u8; 16], Bson>, Failure> {
    let mut found = HashMap::new();
    let columns = way.rules.duplicate_columns.as_slice();
    let weight = |key: &&DuplicateKey| key.weight() + HOLDER;
    for part in chunks(keys, way.road.command(), weight) {
        let keys = &keys[part];
        let bytes = keys.iter().map(weight).sum();
        found.extend(way.road.timed(bytes, way.target.holders(HolderQuery { columns, keys })).await?);
        (way.answered)(0);
    }
    Ok(found)
}
