//! The proof of "exactly once in effect".
//!
//! - `campaign`: the program itself, a real MongoDB, an application that writes all the time, and fault upon fault.
//!   `UPLINK_CYCLES=1000 UPLINK_SEED=7 cargo test --test invariants campaign -- --nocapture`
//! - `model`: stories drawn at random, played with the real exporter in this process, against rules that know nothing
//!   of its code: `UPLINK_CASES=10000 cargo test --test invariants model`

#[expect(dead_code, unused_imports, reason = "not everything that the support offers is needed here")]
#[path = "../support/mod.rs"]
mod support;

mod campaign;
mod model;
