//! Inputs without number, for whatever reads what others wrote: none of them may make it panic.
//!
//! `UPLINK_CASES` is how many there are over all tests together; each has its share. Few by default, so that they take
//! seconds; a million take minutes.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

/// How many inputs there are by default.
const FEW: u64 = 20_000;

/// Puts each input to `check`, which panics if something is wrong with what came of it. `percent` is the test's share.
pub(crate) fn each<S: Strategy>(what: &str, percent: u64, inputs: S, check: impl Fn(S::Value)) {
    let total = std::env::var("UPLINK_CASES").map_or(FEW, |text| text.parse().expect("a number of inputs"));
    let cases = u32::try_from(total * percent / 100).expect("a number that can be waited for");
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let run = TestRunner::new(config).run(&inputs, |input| {
        check(input);
        Ok(())
    });
    if let Err(error) = run {
        panic!("{what}: {error}");
    }
    println!("{what}: {cases} inputs");
}

/// One change to a text that was right.
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    /// Bytes come in.
    Insert(Index, Vec<u8>),
    /// So many bytes go.
    Remove(Index, usize),
    /// So many bytes are written over with this one.
    Fill(Index, usize, u8),
    /// A bit is flipped.
    Flip(Index, u8),
    /// So many bytes are there once more, somewhere else.
    Repeat(Index, usize, Index),
    /// The end is missing.
    Cut(Index),
}

/// Changes; `snippets` are what is likely to be taken for something.
pub(crate) fn damage(snippets: &'static [&'static str]) -> impl Strategy<Value = Damage> {
    let inserted = prop_oneof![
        3 => prop::sample::select(snippets).prop_map(|snippet| snippet.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop_oneof![
        4 => (any::<Index>(), inserted).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        2 => (any::<Index>(), 1..40_usize).prop_map(|(at, length)| Damage::Remove(at, length)),
        1 => (any::<Index>(), 1..600_usize, any::<u8>()).prop_map(|(at, length, byte)| Damage::Fill(at, length, byte)),
        3 => (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        1 => (any::<Index>(), 1..200_usize, any::<Index>()).prop_map(|(from, length, to)| Damage::Repeat(from, length, to)),
        1 => any::<Index>().prop_map(Damage::Cut),
    ]
}

impl Damage {
    /// Does it.
    pub(crate) fn to(&self, bytes: &mut Vec<u8>) {
        let place = |index: &Index, length: usize| index.index(length + 1);
        let whole = bytes.len();
        match self {
            Self::Insert(at, inserted) => {
                let at = place(at, whole);
                bytes.splice(at..at, inserted.iter().copied());
            }
            Self::Remove(at, length) => {
                let at = place(at, whole);
                bytes.drain(at..whole.min(at + length));
            }
            Self::Fill(at, length, byte) => {
                let at = place(at, whole);
                bytes[at..whole.min(at + length)].fill(*byte);
            }
            Self::Flip(at, bit) => {
                if let Some(byte) = bytes.get_mut(place(at, whole)) {
                    *byte ^= 1 << bit;
                }
            }
            Self::Repeat(from, length, to) => {
                let from = place(from, whole);
                let again = bytes[from..whole.min(from + length)].to_vec();
                let to = place(to, whole);
                bytes.splice(to..to, again);
            }
            Self::Cut(at) => bytes.truncate(place(at, whole)),
        }
    }
}
