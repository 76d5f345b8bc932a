//! The model: stories of everything that may happen to a table, a collection and what is between them, drawn at
//! random; each look that the real exporter takes is held against [`rules`], which know nothing of its code.
//!
//! A failure is shrunk and told as a [`Script`](script::Script): copy it into [`regressions`]. `UPLINK_CASES=10000` makes
//! a long run of it.

mod application;
mod daemon;
mod gate;
mod play;
mod regressions;
mod rules;
mod script;
mod world;

use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestError, TestRunner};

use crate::support::mongod::shared_mongod;

/// Cases unless `UPLINK_CASES` says otherwise.
const CASES: u32 = 250;

#[test]
fn every_row_ends_as_one_of_exported_duplicate_or_rejected_whatever_happens() {
    let cases = std::env::var("UPLINK_CASES").map_or(CASES, |text| text.parse().expect("a number of cases"));
    let mongo = shared_mongod().client();
    let mut runner = TestRunner::new(Config {
        cases,
        source_file: Some(file!()),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/invariants/model/seeds.txt",
        ))),
        max_shrink_iters: 2_000,
        ..Config::default()
    });
    let outcome = runner.run(&script::scripts(), |script| {
        play::play(&script, &mongo).map_err(|broken| TestCaseError::fail(broken))
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, script)) => panic!("{why}\nin {script:#?}"),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}
