//! Probes, hints and the backoff.

use super::*;

const HINT: Event = Event::Hint(HintKind::Network);

/// Fails the probe under way and those after it.
fn fail(bench: &mut Bench, times: u32) {
    for _ in 0..times {
        bench.on(probe_failed());
        assert_eq!(bench.timer(), [Effect::StartProbe]);
    }
}

#[test]
fn delays_grow_to_the_cap_and_the_loop_never_gives_up() {
    let mut bench = Bench::probing();
    let mut waits = Vec::new();
    for _ in 0..1000 {
        bench.on(probe_failed());
        waits.push(bench.wait().as_secs());
        assert_eq!(bench.timer(), [Effect::StartProbe]);
    }
    assert_eq!(waits[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
    assert!(waits[6..].iter().all(|&wait| wait == 60));
}

#[test]
fn a_success_resets_the_backoff() {
    let mut bench = Bench::probing();
    fail(&mut bench, 10);
    bench.on(Event::ProbeSucceeded);
    bench.on(COMPLETE);
    assert_eq!(bench.timer(), [Effect::StartProbe], "the re-check");
    bench.on(probe_failed());
    assert_eq!(bench.wait(), SECOND);
}

#[test]
fn a_hint_probes_at_once_at_the_cap_and_never_resets_the_backoff() {
    let mut bench = Bench::probing();
    fail(&mut bench, 10);
    bench.on(probe_failed());
    assert_eq!(bench.wait(), 60 * SECOND);
    assert_eq!(bench.after(10 * SECOND).on(HINT), [Effect::StartProbe]);
    bench.on(probe_failed());
    assert_eq!(bench.wait(), 60 * SECOND);
    assert_eq!(bench.machine.link().attempts, 12);
}

#[test]
fn hints_are_debounced_coalesced_and_none_is_lost() {
    let mut bench = Bench::probing();
    fail(&mut bench, 10);
    bench.after(2 * SECOND).on(probe_failed());
    assert_eq!(bench.on(HINT), [Effect::StartProbe]);
    bench.after(100 * MS).on(probe_failed());
    for _ in 0..50 {
        assert_eq!(bench.after(10 * MS).on(HINT), [], "too early");
    }
    assert_eq!(bench.wait(), 400 * MS, "honoured at the end of the interval");
    assert_eq!(bench.timer(), [Effect::StartProbe]);
    bench.on(probe_failed());
    assert_eq!(bench.wait(), 60 * SECOND, "fifty hints made one probe");
}

#[test]
fn a_hint_during_a_probe_brings_another_one_if_it_fails() {
    let mut bench = Bench::probing();
    fail(&mut bench, 10);
    assert_eq!(bench.after(200 * MS).on(HINT), []);
    bench.after(300 * MS).on(probe_failed());
    assert_eq!(bench.wait(), 500 * MS);
}

#[test]
fn a_hint_never_puts_a_probe_off() {
    let mut bench = Bench::offline();
    bench.after(900 * MS).on(HINT);
    assert_eq!(bench.wait(), 100 * MS);
}

#[test]
fn a_hint_proves_nothing() {
    let mut bench = Bench::offline();
    for kind in [HintKind::ConnectionTest, HintKind::Network, HintKind::Signal] {
        let effects = bench.after(SECOND).on(Event::Hint(kind));
        assert_eq!(effects, [Effect::StartProbe]);
        assert_eq!(bench.machine.link().state, LinkState::Offline);
        bench.on(probe_failed());
    }
}

#[test]
fn a_hint_while_online_or_exporting_is_no_work() {
    assert_eq!(Bench::online().on(HINT), []);
    assert_eq!(Bench::exporting().on(HINT), []);
}

#[test]
fn a_probe_that_never_ends_is_a_timeout() {
    let mut bench = Bench::probing();
    assert_eq!(bench.wait(), 6 * SECOND, "the probe's own timeout and a margin");
    let effects = bench.timer();
    assert_eq!(effects[0], Effect::CancelProbe);
    assert!(matches!(&effects[1], Effect::LinkDown { failure, .. } if failure.reason == Reason::Timeout));
    assert_eq!(bench.wait(), SECOND);
}

#[test]
fn an_online_link_is_checked_again_and_stays_online_meanwhile() {
    let mut bench = Bench::online();
    assert_eq!(bench.wait(), 300 * SECOND);
    assert_eq!(bench.timer(), [Effect::StartProbe]);
    assert_eq!(bench.machine.link().state, LinkState::Online);
    assert_eq!(bench.on(Event::ProbeSucceeded), [], "no transition, nothing to do");
    assert_eq!(bench.wait(), 300 * SECOND);
}

#[test]
fn passes_with_nothing_to_send_do_not_put_the_check_off() {
    let mut bench = Bench::online();
    let begin = bench.now;
    loop {
        let effects = bench.after(SECOND).on(Event::SourceChanged);
        if effects == [Effect::StartProbe] {
            break;
        }
        assert_eq!(effects, [TAIL]);
        bench.on(COMPLETE);
        assert!(bench.now - begin < 301 * SECOND);
    }
    assert_eq!(bench.on(Event::ProbeSucceeded), [TAIL], "the change is looked at after the probe");
}

#[test]
fn the_link_is_told_with_its_failures_and_its_outage() {
    let mut bench = Bench::online();
    bench.timer();
    let down_since = bench.now;
    assert_eq!(bench.on(probe_failed()), [Effect::LinkDown { failure: refused(), log: true }]);
    bench.timer();
    let again = Effect::StillDown { attempts: 2, failure: refused(), retry_in: 2 * SECOND, log: true };
    assert_eq!(bench.on(probe_failed()), [again]);
    assert_eq!(bench.machine.link().failure, Some(refused()));
    bench.timer();
    let up = Effect::LinkUp { after_failures: 2, was_down_since: Some(down_since), log: true };
    assert_eq!(bench.on(Event::ProbeSucceeded), [up, FULL]);
    assert_eq!(bench.machine.link().failure, None);
    assert_eq!(bench.machine.link().last_success, Some(bench.now));
}

#[test]
fn an_online_interval_of_zero_is_no_hot_loop() {
    let mut bench = Bench::with(Timing { online_interval: Duration::ZERO, automatic: false, ..timing() });
    bench.on(Event::ProbeSucceeded);
    assert_eq!(bench.wait(), SECOND);
}
