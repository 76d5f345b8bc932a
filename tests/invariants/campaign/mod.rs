//! The campaign: the program itself lives through one fault after another while the application writes; then
//! everything heals, and SQLite and the collection are compared row by row.
//!
//! What must hold at the end: each person's first row is in the collection exactly once with the values that SQLite
//! has; a person's later rows aren't; and the exports counted no document more often than it was written. In between,
//! every few cycles: a row that was written after a fault was healed arrives.

mod compare;
mod fault;
mod stage;
mod story;
mod writer;

use std::time::{Duration, Instant};

use fault::Fault;
use stage::Stage;
use story::Story;

/// Cycles unless `UPLINK_CYCLES` says otherwise: a few dozen seconds.
const CYCLES: u64 = 15;

#[test]
fn campaign_nothing_is_lost_or_doubled_whatever_breaks() {
    let cycles = number("UPLINK_CYCLES").unwrap_or(CYCLES);
    let limit = number("UPLINK_SECONDS").map_or(Duration::MAX, Duration::from_secs);
    let seed = number("UPLINK_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut story = Story::new(seed);
    let mut stage = Stage::set(&mut rng);
    let begun = Instant::now();
    for cycle in 1..=cycles {
        if begun.elapsed() > limit {
            break;
        }
        let fault = Fault::draw(&mut rng);
        story.tell(cycle, fault);
        stage.suffer(fault, &mut rng);
        // Not each time: faults that follow each other at once are cases of their own.
        if rng.u8(..3) == 0 {
            stage.wait_for_arrival();
        }
    }
    let end = stage.heal_and_compare();
    println!("{}", story.report(&end, begun.elapsed()));
    assert!(end.difference.is_empty(), "{:#?}", end.difference);
    assert!(end.counted <= end.written, "the exports count more documents than were written: {end:?}");
}

#[track_caller]
fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")))
}
