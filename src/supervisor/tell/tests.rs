//! What the log really says of an outage.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::backoff::Schedule;
use crate::report::{Failure, Reason};
use crate::supervisor::machine::{Event, Machine, PassEnd, Timing};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Lines of JSON, kept.
#[derive(Clone, Default)]
pub(in crate::supervisor) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Lines {
    /// The fields of each line.
    pub(in crate::supervisor) fn events(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = String::from_utf8(bytes).expect("the log is text");
        let line = |line| serde_json::from_str::<Value>(line).expect("each line is JSON")["fields"].take();
        text.lines().map(line).collect()
    }
}

/// The machine as it is by default, and time that passes as told.
struct Host {
    machine: Machine,
    now: Instant,
    rng: fastrand::Rng,
}

impl Host {
    fn start() -> Self {
        let timing = Timing {
            retry: Schedule::new(SECOND, 60 * SECOND, 2.0, 0.5).expect("valid"),
            probe_timeout: 5 * SECOND,
            online_interval: 300 * SECOND,
            full_interval: 900 * SECOND,
            source_retry: Schedule::new(SECOND, 10 * SECOND, 2.0, 0.5).expect("valid"),
            min_pass_interval: SECOND / 20,
            stall: 60 * SECOND,
            automatic: true,
        };
        let now = Instant::now();
        let mut host = Self { machine: Machine::start(timing, now).0, now, rng: fastrand::Rng::with_seed(7) };
        host.on(Event::ProbeSucceeded);
        host.on(Event::PassEnded(PassEnd::Complete { more_at: None }));
        host
    }

    fn on(&mut self, event: Event) {
        for effect in self.machine.on(event, self.now, self.rng.f64()) {
            log(&effect, self.now);
        }
    }

    /// Probes fail for this long, whenever one is due.
    fn outage(&mut self, length: Duration, reason: impl Fn(u32) -> Reason) {
        let end = self.now + length;
        for attempt in 0.. {
            self.on(Event::Timer);
            self.on(Event::ProbeFailed(Failure::new(reason(attempt), "nobody is there")));
            let due = self.machine.deadline().expect("it never gives up");
            if due > end {
                break;
            }
            self.now = due;
        }
        self.now = self.machine.deadline().expect("it never gives up");
        self.on(Event::Timer);
    }

    fn recover(&mut self) {
        self.on(Event::ProbeSucceeded);
        self.on(Event::PassEnded(PassEnd::Complete { more_at: None }));
    }
}

fn logged(story: impl FnOnce(&mut Host)) -> Vec<Value> {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().json().with_writer(lines.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        let mut host = Host::start();
        // Online until the next re-check.
        host.now = host.machine.deadline().expect("it goes on");
        story(&mut host);
    });
    let mut events = lines.events();
    assert_eq!(events.remove(0)["event"], "connectivity_established");
    events
}

#[test]
fn an_outage_of_a_day_is_at_most_fifty_lines_from_the_first_failure_to_the_recovery() {
    let events = logged(|host| {
        host.outage(DAY, |_| Reason::Refused);
        host.recover();
    });
    assert!(events.len() <= 50, "{} lines", events.len());
    assert!(events.len() >= 24, "it says each hour that it goes on: {} lines", events.len());
    assert_eq!(events[0]["event"], "connectivity_lost");
    assert_eq!(events[0]["reason"], "refused");
    let counts: Vec<_> = events[1..4].iter().map(|event| event["attempts"].as_u64()).collect();
    assert_eq!(counts, [Some(2), Some(4), Some(8)], "rarely, and with the count");
    let recovery = events.last().expect("there are some");
    assert_eq!(recovery["event"], "connectivity_restored");
    let (attempts, seconds) = (recovery["attempts"].as_u64(), recovery["down_seconds"].as_u64());
    assert!(attempts.is_some_and(|attempts| attempts > 1000), "how many attempts: {attempts:?}");
    let day = DAY.as_secs();
    assert!(seconds.is_some_and(|down| (day - 300..day + 300).contains(&down)), "how long: {seconds:?}");
}

#[test]
fn a_short_outage_is_told_in_two_lines() {
    let events = logged(|host| {
        host.outage(Duration::ZERO, |_| Reason::Dns);
        host.recover();
    });
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!(events[1]["attempts"], 1);
}

#[test]
fn a_cause_that_alternates_for_a_day_does_not_fill_the_log() {
    let events = logged(|host| {
        host.outage(DAY, |attempt| if attempt.is_multiple_of(2) { Reason::Dns } else { Reason::Timeout });
    });
    assert!(events.len() < 24 * 60, "at most one a minute: {} lines", events.len());
}
