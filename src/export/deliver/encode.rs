//! The documents of rows, and what becomes of rows that have none.

use super::Way;
use super::row::{Open, refused};
use crate::export::candidate::{Candidate, Verdict};
use crate::record::{Encoder, Provenance, Row};
use crate::target::{Documents, MAX_DOCUMENT_BYTES};

/// The documents of some rows.
pub(super) struct Encoded {
    pub(super) documents: Documents,
    /// The rows that have one, in their order, each with its bytes.
    pub(super) rows: Vec<(usize, usize)>,
    /// The others.
    pub(super) refused: Vec<(usize, Verdict)>,
}

/// Encodes the rows at these places, of so many bytes together.
pub(super) fn encode(
    way: &Way<'_>,
    rows: &[Open<'_>],
    places: impl Iterator<Item = usize>,
    provenance: &Provenance,
    bytes: usize,
) -> Encoded {
    let mut encoder = Encoder::new(&way.rules.shape, provenance, MAX_DOCUMENT_BYTES);
    let count = places.size_hint().0;
    let (mut documents, mut encoded) = (way.target.room_for(count, bytes), Vec::with_capacity(count));
    let mut without = Vec::new();
    for at in places {
        let row = &rows[at];
        let Candidate { id, key, content, row: Ok(values), .. } = row.candidate else { continue };
        let duplicate_key = row.candidate.duplicate_key.filter(|_| !row.keyless);
        match encoder.encode(Row { id: *id, key, content, duplicate_key, values }, |document| {
            documents.push(document);
            document.as_bytes().len()
        }) {
            Ok(bytes) => encoded.push((at, bytes)),
            Err(refusal) => without.push((at, refused(&refusal))),
        }
    }
    Encoded { documents, rows: encoded, refused: without }
}

/// Refuses the rows that have no document.
pub(super) fn refuse_some(rows: &mut [Open<'_>], refused: Vec<(usize, Verdict)>) {
    for (at, verdict) in refused {
        rows[at].verdict = Some(verdict);
    }
}

/// Refuses the rows that need not be sent and couldn't be: as the others that have no document, they are told with the
/// reason, and not as duplicates or as kept only because somebody else was there first.
pub(super) fn refuse(way: &Way<'_>, rows: &mut [Open<'_>], provenance: &Provenance) {
    // As they are, values make no document larger than it was counted.
    let converts = way.rules.shape.converts();
    let is_doubtful = |row: &Open<'_>| {
        matches!(row.verdict, Some(Verdict::Duplicate { .. } | Verdict::Kept))
            && (converts || row.candidate.bytes > MAX_DOCUMENT_BYTES)
    };
    let mut encoder = Encoder::new(&way.rules.shape, provenance, MAX_DOCUMENT_BYTES);
    for row in rows.iter_mut().filter(|row| is_doubtful(row)) {
        let Candidate { id, key, content, duplicate_key, row: Ok(values), .. } = row.candidate else {
            continue;
        };
        let encoded = Row { id: *id, key, content, duplicate_key: *duplicate_key, values };
        if let Err(refusal) = encoder.encode(encoded, |_| ()) {
            row.verdict = Some(refused(&refusal));
        }
    }
}
