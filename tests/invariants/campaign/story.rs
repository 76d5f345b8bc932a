//! What happened, for the report and for whoever wants to see it happen again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fault::Fault;
use super::stage::End;

/// How many of the last faults a failure shows.
const SHOWN: usize = 40;

/// The faults of a run. If the test fails, it is told with the seed.
pub(super) struct Story {
    seed: u64,
    faults: Vec<(u64, Fault)>,
}

impl Story {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, faults: Vec::new() }
    }

    pub(super) fn tell(&mut self, cycle: u64, fault: Fault) {
        self.faults.push((cycle, fault));
    }

    /// The run in one line.
    pub(super) fn report(&self, end: &End, took: Duration) -> String {
        let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
        for (_, fault) in &self.faults {
            *kinds.entry(fault.kind()).or_default() += 1;
        }
        let kinds: Vec<String> = kinds.iter().map(|(kind, times)| format!("{kind} {times}")).collect();
        format!(
            "campaign: {} cycles ({}); {} rows, {} documents, {} updates; lost {}, doubled {}, altered {}; \
             counted {} of {} written; {:.0} s; seed {}",
            self.faults.len(),
            kinds.join(", "),
            end.rows,
            end.written,
            end.updates,
            end.difference.lost.len(),
            end.difference.doubled.len(),
            end.difference.altered.len(),
            end.counted,
            end.written,
            took.as_secs_f64(),
            self.seed,
        )
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let skipped = self.faults.len().saturating_sub(SHOWN);
            eprintln!("the campaign of UPLINK_SEED={}, its last faults:", self.seed);
            for (cycle, fault) in &self.faults[skipped..] {
                eprintln!("  {cycle}: {fault:?}");
            }
        }
    }
}
