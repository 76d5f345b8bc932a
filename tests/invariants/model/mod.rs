//! The model: stories of everything that may happen to a table, a collection and what is between them, drawn at
//! random; each look that the real exporter takes is held against [`rules`], which know nothing of its code.
//!
//! A failure is shrunk and told as a [`Script`]: copy it into [`regressions`]. `UPLINK_CASES=10000` makes
//! a long run of it.

mod application;
mod daemon;
mod gate;
mod play;
mod progress;
mod regressions;
mod rules;
mod script;
mod world;

use std::thread;

use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestError, TestRunner};

use script::Script;

use crate::support::mongo::Mongo;
use crate::support::mongod::shared_mongod;

/// Cases unless `UPLINK_CASES` says otherwise.
const CASES: u32 = 200;

/// Cases in progress at a time: most of a case's time goes by waiting for MongoDB's journal.
const WORKERS: u32 = 3;

#[test]
fn every_row_ends_as_one_of_exported_duplicate_or_rejected_whatever_happens() {
    let cases = std::env::var("UPLINK_CASES").map_or(CASES, |text| text.parse().expect("a number of cases"));
    let mongo = shared_mongod().client();
    let outcomes: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> =
            (0..WORKERS).map(|_| scope.spawn(|| run(cases.div_ceil(WORKERS), &mongo))).collect();
        workers.into_iter().map(|worker| worker.join().expect("a case's panic is its failure")).collect()
    });
    for outcome in outcomes {
        match outcome {
            Ok(()) => {}
            Err(TestError::Fail(why, script)) => panic!("{why}\nin {script:#?}"),
            Err(TestError::Abort(why)) => panic!("{why}"),
        }
    }
}

fn run(cases: u32, mongo: &Mongo) -> Result<(), TestError<Script>> {
    let seeds = FileFailurePersistence::Direct("tests/invariants/model/seeds.txt");
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: Some(Box::new(seeds)),
        max_shrink_iters: 1_000,
        max_shrink_time: 60_000,
        ..Config::default()
    });
    runner.run(&script::scripts(), |script| play::play(&script, mongo).map_err(TestCaseError::fail))
}
