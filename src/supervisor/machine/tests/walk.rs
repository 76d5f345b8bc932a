//! Random walks: whatever happens in whatever order, the invariants hold.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// Time passes; the timer fires each time that it is due.
    Wait(u32),
    Event(Event),
}

fn steps() -> impl Strategy<Value = Step> {
    let end = prop_oneof![
        prop::option::of(0..5_000_u64)
            .prop_map(|ms| PassEnd::Complete { more_at: ms.map(Duration::from_millis) }),
        Just(PassEnd::ConnectivityFailed(refused())),
        Just(PassEnd::SourceFailed),
        Just(PassEnd::Aborted),
    ];
    prop_oneof![
        5 => (0..3_000_u32).prop_map(Step::Wait),
        1 => (0..600_000_u32).prop_map(Step::Wait),
        2 => Just(Step::Event(Event::Hint(HintKind::Network))),
        3 => Just(Step::Event(Event::ProbeSucceeded)),
        3 => Just(Step::Event(probe_failed())),
        3 => Just(Step::Event(Event::SourceChanged)),
        1 => Just(Step::Event(Event::CompareWanted)),
        1 => (1..1000_u16).prop_map(|size| Step::Event(Event::StartRequested(by_hand(size)))),
        1 => Just(Step::Event(Event::StopRequested)),
        1 => Just(Step::Event(Event::Pause)),
        2 => Just(Step::Event(Event::Resume)),
        1 => Just(Step::Event(Event::Progress)),
        1 => Just(Step::Event(Event::Acknowledged)),
        1 => Just(Step::Event(Event::Recorded)),
        4 => end.prop_map(|end| Step::Event(Event::PassEnded(end))),
    ]
}

/// A driver that checks what it is asked to do.
struct Watcher {
    bench: Bench,
    rng: fastrand::Rng,
    probe: bool,
    pass: bool,
    /// The last thing that was told of the link was a failure, since the last probe.
    failed: bool,
    last_probe: Instant,
    last_pass_end: Option<Instant>,
    manual_requests: usize,
    manual_failures: usize,
    manual_starts: usize,
    /// A change that no pass has begun after.
    unseen: bool,
    paused: bool,
}

impl Watcher {
    fn new(seed: u64) -> Self {
        let bench = Bench::probing();
        Self {
            last_probe: bench.now,
            bench,
            rng: fastrand::Rng::with_seed(seed),
            probe: true,
            pass: false,
            failed: false,
            last_pass_end: None,
            manual_requests: 0,
            manual_failures: 0,
            manual_starts: 0,
            unseen: false,
            paused: false,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Event(event) => self.event(event),
            Step::Wait(ms) => {
                let until = self.bench.now + Duration::from_millis(ms.into());
                let mut fired = 0;
                while self.bench.now + self.bench.wait() <= until {
                    self.bench.now += self.bench.wait();
                    self.event(Event::Timer);
                    fired += 1;
                    assert!(fired < 10 + ms / 50, "the timer spins: {:?}", self.bench.machine);
                }
                self.bench.now = until;
            }
        }
    }

    fn event(&mut self, event: Event) {
        let now = self.bench.now;
        match &event {
            // The driver reports only what is under way.
            Event::ProbeSucceeded | Event::ProbeFailed(_) if !std::mem::take(&mut self.probe) => return,
            Event::PassEnded(_) | Event::Progress | Event::Acknowledged | Event::Recorded if !self.pass => {
                return;
            }
            Event::StartRequested(_) if self.pass => return,
            Event::PassEnded(end) => {
                self.pass_over(matches!(end, PassEnd::ConnectivityFailed(_) | PassEnd::SourceFailed));
            }
            Event::StartRequested(_) => self.manual_requests += 1,
            Event::SourceChanged | Event::CompareWanted => self.unseen = true,
            Event::StopRequested if self.pass => self.unseen = false,
            Event::Pause => self.paused = true,
            Event::Resume => self.paused = false,
            _ => {}
        }
        let random = self.rng.f64();
        let effects = self.bench.machine.on(event, now, random);
        assert!(effects.len() <= 3);
        for effect in effects {
            self.effect(effect);
        }
        self.check();
    }

    fn pass_over(&mut self, failed: bool) {
        self.pass = false;
        self.last_pass_end = Some(self.bench.now);
        self.manual_failures += usize::from(failed);
    }

    fn effect(&mut self, effect: Effect) {
        let now = self.bench.now;
        match effect {
            Effect::StartProbe => {
                assert!(!self.probe && !self.pass, "a second thing at a time");
                let least = if self.failed { SECOND / 2 } else { Duration::ZERO };
                assert!(now - self.last_probe >= least, "{:?} after a failure", now - self.last_probe);
                (self.probe, self.failed, self.last_probe) = (true, false, now);
            }
            Effect::CancelProbe => assert!(std::mem::take(&mut self.probe), "no probe to cancel"),
            Effect::StartPass(request) => {
                assert!(!self.probe && !self.pass, "a second thing at a time");
                self.pass = true;
                match request {
                    PassRequest::Manual(_) => self.manual_starts += 1,
                    PassRequest::Automatic(_) => {
                        assert!(!self.paused, "it started by itself");
                        self.unseen = false;
                        let rested = self.last_pass_end.is_none_or(|end| now - end >= 100 * MS);
                        assert!(rested, "too soon after the last pass");
                        assert_eq!(self.bench.machine.link().state, LinkState::Online);
                    }
                }
            }
            Effect::AbortPass(AbortCause::Requested) => assert!(self.pass, "no pass to stop"),
            Effect::AbortPass(_) => {
                assert!(self.pass, "no pass to abort");
                self.pass_over(true);
            }
            Effect::LinkUp { .. } => assert_eq!(self.bench.machine.link().state, LinkState::Online),
            Effect::LinkDown { .. } | Effect::StillDown { .. } => self.failed = true,
        }
    }

    fn check(&self) {
        let machine = &self.bench.machine;
        assert!(machine.deadline().is_some());
        match machine.state() {
            State::Probing { .. } => assert!(self.probe && !self.pass),
            State::Exporting { .. } => assert!(self.pass && !self.probe),
            State::Online | State::Offline { .. } => assert!(!self.pass && !self.probe),
            State::Stopping => unreachable!("the walk never stops it"),
        }
        if self.unseen && !self.paused && *machine.state() == State::Online {
            assert!(self.bench.wait() <= 1500 * MS, "a change waits for {:?}", self.bench.wait());
        }
        assert!(self.manual_starts <= self.manual_requests + self.manual_failures);
    }

    /// From now on everything works, and nothing else comes from outside.
    fn heal(&mut self) -> Duration {
        let begin = self.bench.now;
        self.event(Event::Resume);
        for _ in 0..10_000 {
            if self.probe {
                self.event(Event::ProbeSucceeded);
            } else if self.pass {
                self.event(COMPLETE);
            } else if self.bench.wait() > 100 * SECOND {
                break;
            } else {
                self.bench.now += self.bench.wait();
                self.event(Event::Timer);
            }
        }
        assert_eq!(*self.bench.machine.state(), State::Online, "settled");
        assert!(!self.unseen);
        self.bench.now - begin
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_order_of_events_breaks_an_invariant_and_it_always_heals(
        seed in any::<u64>(),
        steps in prop::collection::vec(steps(), 1..400),
    ) {
        let mut watcher = Watcher::new(seed);
        for step in steps {
            watcher.step(step);
        }
        // The longest delays of both backoffs with their jitter, and what follows them.
        let healed_in = watcher.heal();
        prop_assert!(healed_in <= 300 * SECOND, "{healed_in:?}");
    }
}
