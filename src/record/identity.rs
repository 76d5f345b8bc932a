//! A row's `_id` and its content hash.
//!
//! The `_id` is an ObjectId. If the creation column reads as a time, its seconds are the first 4 bytes, as the
//! ObjectId specification has them, and 8 bytes of hash follow; else all 12 bytes are hash. What is hashed is the
//! source's id and the row's identity (see [`Identity`]).

use mongodb::bson::oid::ObjectId;

use super::digest::Digest;
use super::moment::created_seconds;
use super::{Identity, KeyKind, Shape, ValueRef};

/// Makes the fingerprints of one table's rows.
#[derive(Clone)]
pub struct Fingerprinter {
    shape: Shape,
    identity: Identity,
    id_seed: Digest,
    /// For all values as they are.
    values_seed: Digest,
    /// For what a mapping makes of them, if there is one.
    mapped_seed: Option<Digest>,
}

impl Fingerprinter {
    /// For the rows of `shape`, as told apart from all others by `source`.
    #[must_use]
    pub fn new(source: &str, shape: &Shape) -> Self {
        let identity = shape.identity();
        let mut id_seed = Digest::new("mongo-uplink identity 1");
        id_seed.text(source);
        id_seed.text(match identity {
            Identity::KeyAndCreation => "key and creation",
            Identity::Key => "key",
            Identity::Content => "content",
            Identity::ContentAndRank => "content and rank",
        });
        let mut values_seed = Digest::new("mongo-uplink content 1");
        for column in shape.columns() {
            values_seed.text(column.as_str());
        }
        let mapped_seed = shape.plan.changes.then(|| {
            let mut seed = Digest::new("mongo-uplink mapped content 1");
            shape.plan.feed(shape.columns(), &mut seed);
            seed
        });
        Self { shape: shape.clone(), identity, id_seed, values_seed, mapped_seed }
    }

    /// The hash of all that arrives: names, values, and what the mapping makes of them. Another one means that the row's
    /// document has to be written again. What doesn't arrive is no part of it.
    #[must_use]
    pub fn content(&self, values: &[ValueRef<'_>]) -> [u8; 16] {
        let Some(seed) = &self.mapped_seed else { return self.all(values) };
        let mut digest = seed.clone();
        for (value, field) in values.iter().zip(&self.shape.plan.fields) {
            if field.is_some() {
                digest.value(*value);
            }
        }
        digest.finish()
    }

    /// What the row's equals among the rows have in common, whatever of it arrives: what ranks are counted by. `content` is
    /// the row's own.
    #[must_use]
    pub fn equality(&self, values: &[ValueRef<'_>], content: [u8; 16]) -> [u8; 16] {
        if self.mapped_seed.is_some() { self.all(values) } else { content }
    }

    fn all(&self, values: &[ValueRef<'_>]) -> [u8; 16] {
        let mut digest = self.values_seed.clone();
        for value in values {
            digest.value(*value);
        }
        digest.finish()
    }

    /// Whether the row has no key of its own, so that only its rank tells it from equal ones: the table has no key, or
    /// the row's is NULL, which SQLite allows any number of times.
    #[must_use]
    pub fn needs_rank(&self, values: &[ValueRef<'_>]) -> bool {
        self.identity == Identity::ContentAndRank
            || (self.shape.key_kind == KeyKind::Declared
                && self.shape.key.iter().any(|&column| values[column] == ValueRef::Null))
    }

    /// The row's `_id`. `rank` is the number of equal rows before this one; only rows that need it use it.
    #[must_use]
    pub fn id(&self, values: &[ValueRef<'_>], rank: u64) -> ObjectId {
        let mut digest = self.id_seed.clone();
        let identity = if self.needs_rank(values) { Identity::ContentAndRank } else { self.identity };
        match identity {
            Identity::KeyAndCreation | Identity::Key => {
                for &column in &self.shape.key {
                    digest.value(values[column]);
                }
                if let (Identity::KeyAndCreation, Some(created)) = (identity, self.shape.created) {
                    digest.value(values[created]);
                }
            }
            Identity::Content | Identity::ContentAndRank => {
                // Without the NULLs, so that a column which is added later makes no other row of it.
                for (name, value) in self.shape.columns().iter().zip(values) {
                    if *value != ValueRef::Null {
                        digest.text(name.as_str());
                        digest.value(*value);
                    }
                }
                if identity == Identity::ContentAndRank {
                    digest.value(ValueRef::Integer(rank.cast_signed()));
                }
            }
        }
        match self.shape.created.and_then(|created| created_seconds(values[created])) {
            Some(seconds) => {
                let hash: [u8; 8] = digest.finish();
                let mut bytes = [0; 12];
                bytes[..4].copy_from_slice(&seconds.to_be_bytes());
                bytes[4..].copy_from_slice(&hash);
                ObjectId::from_bytes(bytes)
            }
            None => ObjectId::from_bytes(digest.finish()),
        }
    }
}

/// An id of this host that doesn't give away its machine id: an application-specific hash, as machine-id(5) asks for.
/// 16 hexadecimal digits.
#[must_use]
pub fn host_id(machine_id: &str) -> String {
    let mut digest = Digest::new("mongo-uplink host 1");
    digest.text(machine_id);
    let hash: [u8; 8] = digest.finish();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
