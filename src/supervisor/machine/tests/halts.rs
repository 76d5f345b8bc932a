//! Pausing, resuming and stopping on request.

use super::*;

const ABORTED: Event = Event::PassEnded(PassEnd::Aborted);
const END_IT: Effect = Effect::AbortPass(AbortCause::Requested);

#[test]
fn while_paused_nothing_starts_by_itself_and_probes_go_on() {
    let mut bench = Bench::online();
    assert_eq!(bench.on(Event::Pause), []);
    for _ in 0..50 {
        assert_eq!(bench.after(SECOND).on(Event::SourceChanged), []);
    }
    assert_eq!(bench.timer(), [Effect::StartProbe], "the re-check");
    bench.on(probe_failed());
    bench.timer();
    assert!(matches!(bench.on(Event::ProbeSucceeded)[..], [Effect::LinkUp { .. }]), "no pass on reconnect");
    assert_eq!(bench.wait(), 300 * SECOND, "nothing but the next re-check");
}

#[test]
fn what_changed_while_paused_is_sent_on_resume() {
    let mut bench = Bench::online();
    bench.on(Event::Pause);
    bench.after(SECOND).on(Event::SourceChanged);
    assert_eq!(bench.after(SECOND).on(Event::Resume), [TAIL]);
}

#[test]
fn a_pause_ends_the_automatic_pass_and_resume_takes_it_up_again() {
    let mut bench = Bench::exporting();
    assert_eq!(bench.on(Event::Pause), [END_IT]);
    assert_eq!(bench.on(ABORTED), []);
    assert_eq!(*bench.machine.state(), State::Online);
    assert_eq!(bench.after(SECOND).on(Event::Resume), [FULL]);
}

#[test]
fn a_resume_before_the_paused_pass_has_ended_is_not_lost() {
    let mut bench = Bench::exporting();
    bench.on(Event::Pause);
    assert_eq!(bench.on(Event::Resume), []);
    bench.on(ABORTED);
    assert_eq!(bench.wait(), 100 * MS);
    assert_eq!(bench.timer(), [FULL]);
}

#[test]
fn a_manual_pass_starts_while_paused_and_a_pause_leaves_it_alone() {
    let mut bench = Bench::online();
    bench.on(Event::Pause);
    assert_eq!(bench.on(Event::StartRequested(by_hand(7))), [manual(7)]);
    assert_eq!(bench.on(Event::Pause), [], "paused twice");
    assert_eq!(bench.on(COMPLETE), []);
    assert!(bench.wait() > 100 * SECOND, "and nothing follows it");
}

#[test]
fn resuming_what_is_not_paused_is_no_work() {
    assert_eq!(Bench::online().on(Event::Resume), []);
    assert_eq!(Bench::offline().on(Event::Resume), []);
}

#[test]
fn after_a_stop_nothing_starts_until_something_changes() {
    let mut bench = Bench::with(Timing { online_interval: 24 * 3600 * SECOND, ..timing() });
    bench.on(Event::ProbeSucceeded);
    bench.on(Event::SourceChanged);
    assert_eq!(bench.on(Event::StopRequested), [END_IT]);
    assert_eq!(bench.on(ABORTED), []);
    assert_eq!(bench.wait(), 3600 * SECOND, "the next full look");
    assert_eq!(bench.after(SECOND).on(Event::SourceChanged), [FULL], "what was broken off is still owed");
}

#[test]
fn a_change_after_the_stop_counts() {
    let mut bench = Bench::exporting();
    bench.on(Event::StopRequested);
    bench.on(Event::SourceChanged);
    bench.on(ABORTED);
    assert_eq!(bench.timer(), [FULL]);
}

#[test]
fn a_stop_also_drops_the_manual_request_that_waits_for_mongodb() {
    let mut bench = Bench::offline();
    bench.on(Event::StartRequested(by_hand(7)));
    bench.on(pass_failed());
    assert!(bench.machine.keeps_manual());
    assert_eq!(bench.on(Event::StopRequested), []);
    assert!(!bench.machine.keeps_manual());
    bench.timer();
    assert_eq!(bench.on(Event::ProbeSucceeded)[1..], [FULL]);
}
