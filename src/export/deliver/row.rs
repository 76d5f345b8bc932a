//! A candidate in the course of the rounds.

use super::Rules;
use crate::config::Updates;
use crate::export::candidate::{Candidate, Verdict};
use crate::record::{Refusal, is_older};
use crate::target::Copy;

/// A candidate in the course of the rounds.
pub(super) struct Open<'a> {
    pub(super) candidate: &'a Candidate,
    pub(super) verdict: Option<Verdict>,
    /// The bytes of its document, as it was sent.
    pub(super) encoded: usize,
    /// Rounds that decided nothing about it.
    pub(super) tries: u8,
    /// How often the unique index on the duplicate key refused it.
    pub(super) refused: u8,
    /// Whether it is written without a place in that index, as another document holds it.
    pub(super) keyless: bool,
    /// Whether an update was sent.
    pub(super) sent: bool,
    /// Whether its copy is looked up before it is sent.
    pub(super) look: bool,
    /// Whether this round has to leave it to a batch before this one.
    pub(super) waits: bool,
    /// If its copy was looked for while it waited: whether there is none.
    pub(super) alone: Option<bool>,
    /// The batch that may be changing the document which holds its duplicate key.
    pub(super) behind: Option<u64>,
}

impl<'a> Open<'a> {
    pub(super) fn new(candidate: &'a Candidate, look: bool) -> Self {
        let verdict = candidate.row.as_ref().err().map(refused);
        Self {
            candidate,
            verdict,
            encoded: 0,
            tries: 0,
            refused: 0,
            keyless: false,
            sent: false,
            look,
            waits: false,
            alone: None,
            behind: None,
        }
    }

    /// Whether nothing is decided about it.
    pub(super) fn is_open(&self) -> bool {
        self.verdict.is_none()
    }

    /// Whether its copy was looked for while it waited, and there is none.
    pub(super) fn is_alone(&self) -> bool {
        self.alone == Some(true)
    }

    /// Whether this round is about it.
    pub(super) fn is_active(&self) -> bool {
        self.is_open() && !self.waits
    }
}

/// A row without a document.
pub(super) fn refused(refusal: &Refusal) -> Verdict {
    Verdict::Rejected { code: refusal.code(), detail: refusal.to_string() }
}

/// What the row's own copy decides; `None`: it is to be written over. Of two times that are equal, or can't be compared,
/// none is older: then the row wins, as a second change within the clock's resolution must not be lost.
pub(super) fn judge_copy(row: &Open<'_>, copy: &Copy, rules: &Rules) -> Option<Verdict> {
    let candidate = row.candidate;
    if copy.has_content(&candidate.content) {
        let updated = copy.updated_by.is_some();
        let writer = copy.updated_by.clone().or_else(|| copy.inserted_by.clone());
        return Some(Verdict::There { writer, updated });
    }
    match rules.updates {
        Updates::Never => Some(Verdict::Kept),
        Updates::Newer => {
            let updated = rules.shape.updated_value(&candidate.values(&rules.shape));
            is_older(&updated, &copy.updated).then_some(Verdict::Kept)
        }
        Updates::Always => None,
    }
}
