//! Hashing of values: unambiguous, whatever the values are.
//!
//! Each value is a tag, and for texts and blobs the length as 8 bytes big-endian, before its bytes. So no two
//! different lists of values give the same stream, and text never equals a blob or a number. The hash is SHA-256
//! (FIPS 180-4), cut to the length that is needed.

use sha2::{Digest as _, Sha256};

use super::ValueRef;

/// A running hash of one purpose.
#[derive(Clone)]
pub(super) struct Digest(Sha256);

impl Digest {
    /// Begins a hash; hashes of different purposes never meet.
    pub(super) fn new(purpose: &str) -> Self {
        let mut digest = Self(Sha256::new());
        digest.text(purpose);
        digest
    }

    pub(super) fn text(&mut self, text: &str) {
        self.value(ValueRef::Text(text.as_bytes()));
    }

    pub(super) fn value(&mut self, value: ValueRef<'_>) {
        encode(value, &mut |part| self.0.update(part));
    }

    /// A value that SQLite has no class for. The tag is none of those of [`encode`], and decides about the length.
    pub(super) fn other(&mut self, tag: u8, bytes: &[u8]) {
        self.0.update([tag]);
        self.0.update(bytes);
    }

    pub(super) fn finish<const N: usize>(self) -> [u8; N] {
        let full = self.0.finalize();
        let mut cut = [0; N];
        cut.copy_from_slice(&full[..N]);
        cut
    }
}

/// Feeds the unambiguous form of a value to `sink`.
pub(super) fn encode(value: ValueRef<'_>, sink: &mut impl FnMut(&[u8])) {
    match value {
        ValueRef::Null => sink(b"n"),
        ValueRef::Integer(i) => sized::<9>(b'i', i.to_be_bytes(), sink),
        ValueRef::Real(r) => sized::<9>(b'r', r.to_bits().to_be_bytes(), sink),
        ValueRef::Text(bytes) => {
            sized::<9>(b't', (bytes.len() as u64).to_be_bytes(), sink);
            sink(bytes);
        }
        ValueRef::Blob(bytes) => {
            sized::<9>(b'b', (bytes.len() as u64).to_be_bytes(), sink);
            sink(bytes);
        }
    }
}

/// A tag and eight bytes in one call: half the calls into the hash.
fn sized<const N: usize>(tag: u8, eight: [u8; 8], sink: &mut impl FnMut(&[u8])) {
    let mut buffer = [tag; N];
    buffer[1..].copy_from_slice(&eight);
    sink(&buffer);
}
