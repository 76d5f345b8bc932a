//! Hosts that lose their cluster for an hour, in simulated time: the daemon's own loop, without its network.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use mongo_uplink::backoff::Schedule;
use mongo_uplink::report::{Failure, Reason};
use mongo_uplink::supervisor::machine::{Effect, Event, Machine, PassEnd, Timing};

const SECOND: Duration = Duration::from_secs(1);

/// When the cluster goes away; before, all hosts have started.
const LOST: Duration = Duration::from_secs(600);

/// Until when the hosts have started.
const BOOT: Duration = Duration::from_secs(300);

/// Every host has rows to send, so that each notices the loss within this time.
const NOTICED_WITHIN: Duration = Duration::from_secs(1);

/// What a probe, and a pass, takes.
const ANSWER: Duration = Duration::from_millis(20);

/// How long the cluster is away.
const OUTAGE: Duration = Duration::from_secs(3600);

/// After its return, the longest that is looked at.
const AFTER: Duration = Duration::from_secs(600);

/// What the cluster sees.
pub(crate) struct Seen {
    /// Probes a second in the last ten minutes of the outage.
    pub(crate) mean_while_away: f64,
    /// Probes in the busiest second of these.
    pub(crate) peak_while_away: u64,
    /// Probes a second from the return until the last host was back.
    pub(crate) mean_after: f64,
    /// Probes in the busiest second of these.
    pub(crate) peak_after: u64,
    /// From the return to the last host's first good probe; `None` if one never came back.
    pub(crate) last_back: Option<Duration>,
}

/// The delays of `config.toml`, but for the jitter.
fn timing(randomization_factor: f64) -> Timing {
    let schedule = |max: Duration| {
        Schedule::new(SECOND, max, 2.0, randomization_factor).expect("the defaults are valid")
    };
    Timing {
        retry: schedule(60 * SECOND),
        probe_timeout: 5 * SECOND,
        online_interval: 300 * SECOND,
        full_interval: 900 * SECOND,
        source_retry: schedule(10 * SECOND),
        min_pass_interval: Duration::from_millis(50),
        stall: 60 * SECOND,
        automatic: true,
    }
}

/// What a host waits for besides its own timer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UnderWay {
    Nothing,
    Probe(Instant),
    Pass(Instant),
}

struct Host {
    machine: Machine,
    under_way: UnderWay,
    /// When the application writes next.
    writes: Option<Instant>,
    back: Option<Instant>,
}

impl Host {
    fn next(&self) -> Instant {
        let timer = self.machine.deadline().expect("nobody stops it");
        let answer = match self.under_way {
            UnderWay::Nothing => timer,
            UnderWay::Probe(at) | UnderWay::Pass(at) => at,
        };
        self.writes.map_or(answer, |writes| writes.min(answer)).min(timer)
    }
}

struct Fleet {
    begin: Instant,
    hosts: Vec<Host>,
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    rng: fastrand::Rng,
    /// Probes begun in each second.
    probes: Vec<u64>,
}

impl Fleet {
    fn start(count: usize, randomization_factor: f64) -> Self {
        let begin = Instant::now();
        let length = usize::try_from((LOST + OUTAGE + AFTER).as_secs()).expect("hours");
        let mut fleet = Self {
            begin,
            hosts: Vec::with_capacity(count),
            due: BinaryHeap::with_capacity(2 * count),
            rng: fastrand::Rng::with_seed(29),
            probes: vec![0; length],
        };
        for number in 0..count {
            let booted = begin + BOOT.mul_f64(fleet.rng.f64());
            let (machine, _) = Machine::start(timing(randomization_factor), booted);
            let writes = begin + LOST + NOTICED_WITHIN.mul_f64(fleet.rng.f64());
            let under_way = UnderWay::Probe(booted + ANSWER);
            fleet.hosts.push(Host { machine, under_way, writes: Some(writes), back: None });
            fleet.due.push(Reverse((fleet.hosts[number].next(), number)));
        }
        fleet
    }

    fn is_away(&self, now: Instant) -> bool {
        (LOST..LOST + OUTAGE).contains(&(now - self.begin))
    }

    /// Lets the time go on to the next thing that happens; `false` at the end.
    fn step(&mut self) -> bool {
        let Some(Reverse((now, number))) = self.due.pop() else { return false };
        if now - self.begin >= LOST + OUTAGE + AFTER {
            return false;
        }
        let host = &self.hosts[number];
        if host.next() == now {
            let event = self.event(number, now);
            self.on(number, event, now);
            self.due.push(Reverse((self.hosts[number].next().max(now), number)));
        }
        true
    }

    /// What happens to the host now.
    fn event(&mut self, number: usize, now: Instant) -> Event {
        let failure = self.is_away(now).then(|| Failure::new(Reason::Refused, "away"));
        let host = &mut self.hosts[number];
        if host.writes == Some(now) {
            host.writes = None;
            return Event::SourceChanged;
        }
        match std::mem::replace(&mut host.under_way, UnderWay::Nothing) {
            UnderWay::Probe(at) if at == now => failure.map_or(Event::ProbeSucceeded, Event::ProbeFailed),
            UnderWay::Pass(at) if at == now => {
                let complete = PassEnd::Complete { more_at: None };
                Event::PassEnded(failure.map_or(complete, PassEnd::ConnectivityFailed))
            }
            under_way => {
                host.under_way = under_way;
                Event::Timer
            }
        }
    }

    fn on(&mut self, number: usize, event: Event, now: Instant) {
        let host = &mut self.hosts[number];
        for effect in host.machine.on(event, now, self.rng.f64()) {
            match effect {
                Effect::StartProbe => {
                    host.under_way = UnderWay::Probe(now + ANSWER);
                    let second = usize::try_from((now - self.begin).as_secs()).expect("hours");
                    self.probes[second] += 1;
                }
                Effect::StartPass(_) => host.under_way = UnderWay::Pass(now + ANSWER),
                Effect::CancelProbe | Effect::AbortPass(_) => host.under_way = UnderWay::Nothing,
                Effect::LinkUp { was_down_since: Some(_), .. } => host.back = Some(now),
                Effect::LinkUp { .. } | Effect::LinkDown { .. } | Effect::StillDown { .. } => {}
            }
        }
    }
}

/// Simulates `hosts` hosts whose delays have this jitter.
pub(crate) fn run(hosts: usize, randomization_factor: f64) -> Seen {
    let mut fleet = Fleet::start(hosts, randomization_factor);
    while fleet.step() {}
    let returned = LOST + OUTAGE;
    let last_back = fleet.hosts.iter().map(|host| host.back).max().flatten();
    let all_back = fleet.hosts.iter().all(|host| host.back.is_some());
    let last_back = last_back.filter(|_| all_back).map(|last| last - fleet.begin - returned);
    let second = |at: Duration| usize::try_from(at.as_secs()).expect("hours");
    let away = &fleet.probes[second(returned) - 600..second(returned)];
    let until = second(returned + last_back.unwrap_or(AFTER)) + 1;
    let after = &fleet.probes[second(returned)..until.min(fleet.probes.len())];
    let mean = |counts: &[u64]| counts.iter().sum::<u64>() as f64 / counts.len().max(1) as f64;
    let peak = |counts: &[u64]| counts.iter().copied().max().unwrap_or(0);
    Seen {
        mean_while_away: mean(away),
        peak_while_away: peak(away),
        mean_after: mean(after),
        peak_after: peak(after),
        last_back,
    }
}
