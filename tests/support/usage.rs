//! What a process costs, from `/proc`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::time::Duration;

/// Clock ticks a second in `/proc`: `USER_HZ`, the same on every architecture that matters here.
const TICKS: u64 = 100;

/// CPU time that the process has used so far, in the kernel and outside of it.
#[track_caller]
pub fn cpu_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is running");
    // The name, in parentheses, may hold blanks. After it come the fields from the third on.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 =
        fields[11..13].iter().map(|field| field.parse::<u64>().expect("a number of ticks")).sum();
    Duration::from_millis(ticks * 1_000 / TICKS)
}

/// The most memory of the process that was resident since it started, in KiB.
#[track_caller]
pub fn peak_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is running");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a process has memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number of kB")
}

/// How often each thread of a process has gone to sleep by itself: each time something had woken it.
pub struct Sleeps(BTreeMap<OsString, u64>);

impl Sleeps {
    /// Of the process's threads now.
    #[track_caller]
    pub fn of(pid: u32) -> Self {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the process is running");
        // A thread that ends in this moment has nothing to tell.
        let counts = threads.filter_map(|thread| {
            let thread = thread.ok()?;
            let status = fs::read_to_string(thread.path().join("status")).ok()?;
            let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
            Some((thread.file_name(), count.trim().parse().expect("a number")))
        });
        Self(counts.collect())
    }

    /// How many there were since then; those of a thread that has ended are gone with it.
    pub fn since(&self, earlier: &Self) -> u64 {
        let before = |thread| earlier.0.get(thread).copied().unwrap_or(0);
        self.0.iter().map(|(thread, count)| count - before(thread)).sum()
    }
}
