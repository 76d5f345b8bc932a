//! A quick "no" to the question whether a hash is among those of a batch: asked for each row and each batch before it.
//!
//! What holds: whatever was added may be there; of what wasn't, a small part may be there, too.

/// Bits, as a power of two: a batch of a thousand rows, with a document and a person each, sets one in eight.
const BITS: u32 = 14;

/// Hashes that may be there.
#[derive(Clone, Debug, Default)]
pub(super) struct Sieve(Vec<u64>);

impl Sieve {
    /// Takes in a hash, of whose last bytes nobody can choose the bits.
    pub(super) fn add(&mut self, hash: &[u8]) {
        if self.0.is_empty() {
            self.0 = vec![0; 1 << (BITS - u64::BITS.ilog2())];
        }
        let (word, bit) = place(hash);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    /// Whether this hash may have been added.
    pub(super) fn may_have(&self, hash: &[u8]) -> bool {
        let (word, bit) = place(hash);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

/// The word of a hash's bit, and the bit.
fn place(hash: &[u8]) -> (usize, u64) {
    let last = hash.last_chunk().map_or(0, |last| u16::from_le_bytes(*last));
    let place = last & ((1 << BITS) - 1);
    (usize::from(place / 64), 1 << (place % 64))
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn what_was_added_may_be_there_and_most_of_the_rest_may_not() {
        let hashes: Vec<_> = (0..10_000_u32).map(|number| Sha256::digest(number.to_le_bytes())).collect();
        let (added, others) = hashes.split_at(2_000);
        let mut sieve = Sieve::default();
        assert!(!sieve.may_have(&added[0]), "nothing is there");
        added.iter().for_each(|hash| sieve.add(hash));
        assert!(added.iter().all(|hash| sieve.may_have(hash)));
        let wrong = others.iter().filter(|hash| sieve.may_have(hash)).count();
        assert!(wrong < others.len() / 6, "{wrong}");
    }
}
