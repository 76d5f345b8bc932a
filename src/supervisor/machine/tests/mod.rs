//! The machine without a clock: time is what the test says it is.

mod halts;
mod log;
mod passes;
mod probes;
mod retimed;
mod table;
mod walk;

use std::time::{Duration, Instant};

use super::*;
use crate::backoff::Schedule;
use crate::report::{LinkState, Trigger};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MIDDLE: f64 = 0.5;
const FULL: Effect = Effect::StartPass(PassRequest::Automatic(PassKind::Full));
const TAIL: Effect = Effect::StartPass(PassRequest::Automatic(PassKind::Tail));
const COMPLETE: Event = Event::PassEnded(PassEnd::Complete { more_at: None });

fn timing() -> Timing {
    Timing {
        retry: Schedule::new(SECOND, 60 * SECOND, 2.0, 0.5).expect("valid"),
        probe_timeout: 5 * SECOND,
        online_interval: 300 * SECOND,
        full_interval: 3600 * SECOND,
        source_retry: Schedule::new(SECOND, 60 * SECOND, 2.0, 0.5).expect("valid"),
        min_pass_interval: 100 * MS,
        stall: 30 * SECOND,
        automatic: true,
    }
}

fn refused() -> Failure {
    Failure::new(Reason::Refused, "nothing listens")
}

fn probe_failed() -> Event {
    Event::ProbeFailed(refused())
}

fn pass_failed() -> Event {
    Event::PassEnded(PassEnd::ConnectivityFailed(refused()))
}

fn by_hand(batch_size: u16) -> RunRequest {
    RunRequest { trigger: Trigger::Manual, batch_size, skip_duplicates: true }
}

fn manual(batch_size: u16) -> Effect {
    Effect::StartPass(PassRequest::Manual(by_hand(batch_size)))
}

/// A machine and its clock.
struct Bench {
    machine: Machine,
    now: Instant,
}

impl Bench {
    /// The first probe is under way.
    fn probing() -> Self {
        Self::with(timing())
    }

    fn with(timing: Timing) -> Self {
        let now = Instant::now();
        let (machine, effects) = Machine::start(timing, now);
        assert_eq!(effects, [Effect::StartProbe]);
        Self { machine, now }
    }

    /// The first probe failed.
    fn offline() -> Self {
        let mut bench = Self::probing();
        bench.on(probe_failed());
        bench
    }

    /// The first full pass is under way.
    fn exporting() -> Self {
        let mut bench = Self::probing();
        assert!(bench.on(Event::ProbeSucceeded).contains(&FULL));
        bench
    }

    /// The first full pass is complete.
    fn online() -> Self {
        let mut bench = Self::exporting();
        assert_eq!(bench.on(COMPLETE), []);
        assert_eq!(*bench.machine.state(), State::Online);
        bench
    }

    fn stopping() -> Self {
        let mut bench = Self::offline();
        assert_eq!(bench.on(Event::Stop), []);
        bench
    }

    fn on(&mut self, event: Event) -> Vec<Effect> {
        self.machine.on(event, self.now, MIDDLE)
    }

    fn after(&mut self, pause: Duration) -> &mut Self {
        self.now += pause;
        self
    }

    /// How long until the timer.
    fn wait(&self) -> Duration {
        let deadline = self.machine.deadline().expect("not stopping");
        deadline.saturating_duration_since(self.now)
    }

    /// Goes to the timer and fires it.
    fn timer(&mut self) -> Vec<Effect> {
        self.now += self.wait();
        self.on(Event::Timer)
    }
}
