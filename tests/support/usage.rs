//! What a process costs, from `/proc`.

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

/// How often threads of the process have gone to sleep by themselves: each time something had woken them.
#[track_caller]
pub fn sleeps(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process is running");
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok())
        .map(|status| {
            let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            count.and_then(|count| count.trim().parse::<u64>().ok()).expect("the kernel counts them")
        })
        .sum()
}
