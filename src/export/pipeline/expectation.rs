//! Whether rows' own copies may be in the collection before they were sent.
//!
//! What holds: it only saves work. A copy that wasn't looked for is met by the unique `_id`, which costs the server more
//! than to look it up; so it isn't looked for as long as none is to be found.

/// Batches for which copies are looked up after one was met by surprise, at least and at most.
const AFTER_SURPRISE: (u32, u32) = (2, 64);

/// What the last batches tell about the next.
#[derive(Clone, Copy, Debug)]
pub(in crate::export) struct Expectation {
    /// Batches without a copy until copies aren't looked up any more.
    looks: u32,
    /// What a surprise costs next time.
    surprise: u32,
    /// Whether no batch has told anything yet.
    fresh: bool,
}

impl Default for Expectation {
    fn default() -> Self {
        Self { looks: 1, surprise: AFTER_SURPRISE.0, fresh: true }
    }
}

impl Expectation {
    /// Whether copies of all rows are to be looked up.
    pub(in crate::export) fn looks(self) -> bool {
        self.looks > 0
    }

    /// Whether no batch has told yet whether there are copies.
    pub(in crate::export) fn is_fresh(self) -> bool {
        self.fresh
    }

    /// Copies were looked up for a batch.
    pub(in crate::export) fn looked(&mut self, found: bool) {
        self.fresh = false;
        self.looks = if found { self.looks.max(1) } else { self.looks.saturating_sub(1) };
    }

    /// A copy was met that wasn't looked for.
    pub(in crate::export) fn surprised(&mut self) {
        if !self.looks() {
            self.looks = self.surprise;
            self.surprise = (self.surprise * 2).min(AFTER_SURPRISE.1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_looked_up_until_there_are_none_and_again_after_a_surprise() {
        let mut expectation = Expectation::default();
        assert!(expectation.looks() && expectation.is_fresh(), "nobody knows yet");
        expectation.looked(true);
        assert!(expectation.looks() && !expectation.is_fresh());
        expectation.looked(false);
        assert!(!expectation.looks());
        for batches in [2, 4, 8] {
            expectation.surprised();
            for _ in 0..batches {
                assert!(expectation.looks());
                expectation.looked(false);
            }
            assert!(!expectation.looks());
        }
    }
}
