//! Every state meets every event.

use super::*;

type Entry = (&'static str, fn() -> Bench);

const STATES: [Entry; 11] = [
    ("first probe", Bench::probing),
    ("hinted probe", hinted),
    ("offline", Bench::offline),
    ("offline with a manual request kept", kept),
    ("online", Bench::online),
    ("online, source failing", source_failing),
    ("automatic pass", Bench::exporting),
    ("manual pass while the link is down", manual_offline),
    ("re-check", recheck),
    ("paused", paused),
    ("automatic pass that is to end", stopped),
];

fn hinted() -> Bench {
    let mut bench = Bench::probing();
    bench.on(Event::Hint(HintKind::Network));
    bench
}

fn kept() -> Bench {
    let mut bench = manual_offline();
    bench.on(pass_failed());
    bench
}

fn source_failing() -> Bench {
    let mut bench = Bench::exporting();
    bench.on(Event::PassEnded(PassEnd::SourceFailed));
    bench
}

fn manual_offline() -> Bench {
    let mut bench = Bench::offline();
    bench.on(Event::StartRequested(by_hand(1)));
    bench
}

fn recheck() -> Bench {
    let mut bench = Bench::online();
    assert_eq!(bench.timer(), [Effect::StartProbe]);
    bench
}

fn paused() -> Bench {
    let mut bench = Bench::online();
    assert_eq!(bench.on(Event::Pause), []);
    bench
}

fn stopped() -> Bench {
    let mut bench = Bench::exporting();
    assert_eq!(bench.on(Event::StopRequested), [Effect::AbortPass(AbortCause::Requested)]);
    bench
}

fn events() -> Vec<Event> {
    let hints = [
        HintKind::Network,
        HintKind::ConnectionTest,
        HintKind::Signal,
        HintKind::ClockJump,
        HintKind::ManualStart,
    ];
    let ends = [
        PassEnd::Complete { more_at: None },
        PassEnd::Complete { more_at: Some(Duration::ZERO) },
        PassEnd::Complete { more_at: Some(Duration::MAX) },
        PassEnd::ConnectivityFailed(refused()),
        PassEnd::SourceFailed,
        PassEnd::Aborted,
    ];
    let mut events = vec![
        Event::Timer,
        Event::ProbeSucceeded,
        probe_failed(),
        Event::SourceChanged,
        Event::CompareWanted,
        Event::StartRequested(by_hand(1)),
        Event::Progress,
        Event::Acknowledged,
        Event::Recorded,
        Event::StopRequested,
        Event::Pause,
        Event::Resume,
    ];
    events.extend(hints.map(Event::Hint));
    events.extend(ends.map(Event::PassEnded));
    events
}

#[test]
fn every_state_has_a_timer_out_of_it_after_every_event() {
    for (name, state) in STATES {
        for event in events() {
            for pause in [Duration::ZERO, MS, SECOND, 3600 * SECOND] {
                let mut bench = state();
                let effects = bench.after(pause).on(event.clone());
                assert!(effects.len() <= 3, "{name}, {event:?}: {effects:?}");
                assert!(bench.machine.deadline().is_some(), "{name}, {event:?} after {pause:?}");
                assert!(bench.wait() <= 24 * 3600 * SECOND, "{name}, {event:?} after {pause:?}");
            }
        }
    }
}

/// With nothing but its timer, and nobody answering, each state comes back to a probe.
#[test]
fn every_state_comes_to_a_probe_by_its_timers_alone() {
    for (name, state) in STATES {
        let mut bench = state();
        let probed = (0..10).any(|_| bench.timer().contains(&Effect::StartProbe));
        assert!(probed, "{name} never probes");
    }
}

#[test]
fn stopping_is_final_and_starts_nothing() {
    for event in events() {
        let mut bench = Bench::stopping();
        assert_eq!(bench.after(3600 * SECOND).on(event), []);
        assert_eq!(*bench.machine.state(), State::Stopping);
        assert_eq!(bench.machine.deadline(), None);
    }
}

#[test]
fn stopping_ends_what_is_under_way() {
    assert_eq!(Bench::probing().on(Event::Stop), [Effect::CancelProbe]);
    assert_eq!(Bench::exporting().on(Event::Stop), [Effect::AbortPass(AbortCause::Stopping)]);
    assert_eq!(Bench::online().on(Event::Stop), []);
    assert_eq!(Bench::stopping().on(Event::Stop), []);
}

#[test]
fn answers_that_nobody_waits_for_change_nothing() {
    let stray = [
        Event::ProbeSucceeded,
        probe_failed(),
        Event::Progress,
        Event::Acknowledged,
        Event::Recorded,
        pass_failed(),
    ];
    for event in stray {
        for state in [Bench::offline, Bench::online] {
            let mut bench = state();
            let (before, deadline) = (bench.machine.state().clone(), bench.machine.deadline());
            assert_eq!(bench.on(event.clone()), [], "{event:?}");
            assert_eq!((bench.machine.state(), bench.machine.deadline()), (&before, deadline), "{event:?}");
        }
    }
}

#[test]
fn an_early_timer_is_harmless() {
    for (name, state) in STATES {
        let mut bench = state();
        let deadline = bench.machine.deadline();
        if bench.wait() > Duration::ZERO {
            assert_eq!(bench.on(Event::Timer), [], "{name}");
            assert_eq!(bench.machine.deadline(), deadline, "{name}");
        }
    }
}
