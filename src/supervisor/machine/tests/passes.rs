//! Passes: one at a time, none forgotten, none too soon.

use super::*;

/// The first pass is under way, and no re-check comes in between.
fn exporting_unchecked() -> Bench {
    let mut bench = Bench::with(Timing { online_interval: 24 * 3600 * SECOND, ..timing() });
    bench.on(Event::ProbeSucceeded);
    bench
}

#[test]
fn a_full_pass_follows_the_start_and_each_reconnect() {
    let mut bench = Bench::online();
    bench.timer();
    bench.on(probe_failed());
    bench.timer();
    assert!(bench.on(Event::ProbeSucceeded).contains(&FULL));
}

#[test]
fn a_change_is_looked_at_at_once() {
    let mut bench = Bench::online();
    assert_eq!(bench.after(SECOND).on(Event::SourceChanged), [TAIL]);
}

#[test]
fn a_change_during_a_pass_is_looked_at_right_after_it() {
    let mut bench = Bench::exporting();
    for _ in 0..100 {
        assert_eq!(bench.on(Event::SourceChanged), [], "one pass at a time");
    }
    assert_eq!(bench.on(COMPLETE), [], "not hotter than the shortest interval");
    assert_eq!(bench.wait(), 100 * MS);
    assert_eq!(bench.timer(), [TAIL]);
    bench.on(COMPLETE);
    assert!(bench.wait() > SECOND, "a hundred changes made one pass");
}

#[test]
fn a_change_during_any_other_state_is_looked_at_too() {
    let mut bench = Bench::online();
    bench.timer();
    bench.on(Event::SourceChanged);
    assert_eq!(bench.on(Event::ProbeSucceeded), [TAIL], "during the re-check");

    let mut bench = Bench::offline();
    bench.on(Event::SourceChanged);
    bench.timer();
    assert!(bench.on(Event::ProbeSucceeded).contains(&FULL), "while offline");
}

#[test]
fn what_is_left_to_do_has_its_time() {
    let mut bench = Bench::exporting();
    bench.on(Event::PassEnded(PassEnd::Complete { more_at: Some(20 * SECOND) }));
    assert_eq!(bench.wait(), 20 * SECOND);
    assert_eq!(bench.timer(), [TAIL]);
    bench.on(Event::PassEnded(PassEnd::Complete { more_at: Some(Duration::ZERO) }));
    assert_eq!(bench.wait(), 100 * MS, "never hotter than the shortest interval");
}

#[test]
fn the_whole_table_is_looked_at_now_and_then() {
    let mut bench = exporting_unchecked();
    bench.on(COMPLETE);
    assert_eq!(bench.wait(), 3600 * SECOND);
    assert_eq!(bench.timer(), [FULL]);
}

#[test]
fn a_full_look_that_broke_off_stays_owed() {
    let mut bench = Bench::exporting();
    bench.on(Event::PassEnded(PassEnd::Aborted));
    assert_eq!(bench.after(SECOND).on(Event::SourceChanged), [FULL]);
    bench.on(COMPLETE);
    assert_eq!(bench.after(SECOND).on(Event::SourceChanged), [TAIL]);

    let mut bench = exporting_unchecked();
    bench.on(COMPLETE);
    assert_eq!(bench.timer(), [FULL], "the regular one");
    bench.on(Event::PassEnded(PassEnd::Aborted));
    assert_eq!(bench.after(SECOND).on(Event::SourceChanged), [FULL]);
}

#[test]
fn a_source_that_fails_leaves_the_link_online_and_is_tried_slowly() {
    let mut bench = exporting_unchecked();
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(bench.on(Event::PassEnded(PassEnd::SourceFailed)), []);
        assert_eq!(*bench.machine.state(), State::Online);
        assert_eq!(bench.wait(), wait * SECOND);
        assert_eq!(bench.timer(), [FULL]);
    }
}

#[test]
fn a_change_makes_a_failing_source_be_looked_at_at_once_but_not_hot() {
    let mut bench = exporting_unchecked();
    for _ in 0..10 {
        bench.on(Event::PassEnded(PassEnd::SourceFailed));
        bench.timer();
    }
    bench.on(Event::PassEnded(PassEnd::SourceFailed));
    assert_eq!(bench.wait(), 60 * SECOND);
    assert_eq!(bench.on(Event::SourceChanged), []);
    assert_eq!(bench.wait(), SECOND, "debounced");
    assert_eq!(bench.timer(), [FULL], "the full look is still owed");
    bench.on(COMPLETE);
    assert_eq!(bench.after(SECOND).on(Event::SourceChanged), [TAIL], "healed");
    bench.on(Event::PassEnded(PassEnd::SourceFailed));
    assert_eq!(bench.wait(), SECOND, "and its schedule begins again");
}

#[test]
fn a_reconnect_does_not_hurry_a_failing_source() {
    let mut bench = exporting_unchecked();
    for _ in 0..9 {
        bench.on(Event::PassEnded(PassEnd::SourceFailed));
        bench.timer();
    }
    bench.on(Event::PassEnded(PassEnd::SourceFailed));
    let planned = bench.machine.deadline();
    bench.on(Event::StartRequested(by_hand(7)));
    bench.on(pass_failed());
    bench.timer();
    assert!(matches!(bench.on(Event::ProbeSucceeded)[..], [Effect::LinkUp { .. }, Effect::StartPass(_)]));
    bench.on(Event::PassEnded(PassEnd::SourceFailed));
    assert_eq!(bench.machine.deadline(), planned);
}

#[test]
fn a_pass_that_stalls_is_aborted_and_takes_the_link_offline() {
    let mut bench = Bench::exporting();
    for _ in 0..10 {
        bench.after(29 * SECOND).on(Event::Progress);
        assert_eq!(bench.wait(), 30 * SECOND, "progress moves the deadline");
    }
    let effects = bench.timer();
    assert_eq!(effects[0], Effect::AbortPass(AbortCause::Stalled));
    assert!(matches!(&effects[1], Effect::LinkDown { failure, .. } if failure.reason == Reason::Timeout));
    assert!(matches!(bench.machine.state(), State::Offline { .. }));
}

#[test]
fn a_manual_start_runs_at_once_in_every_state_but_exporting() {
    let mut bench = Bench::online();
    assert_eq!(bench.on(Event::StartRequested(by_hand(7))), [manual(7)]);
    assert_eq!(bench.on(Event::StartRequested(by_hand(8))), [], "refused by the caller");

    let mut bench = Bench::offline();
    assert_eq!(bench.on(Event::StartRequested(by_hand(7))), [manual(7)]);

    let mut bench = Bench::probing();
    assert_eq!(bench.on(Event::StartRequested(by_hand(7))), [Effect::CancelProbe, manual(7)]);
}

#[test]
fn a_manual_run_that_lost_the_link_resumes_before_anything_else() {
    let mut bench = Bench::offline();
    bench.on(Event::StartRequested(by_hand(7)));
    bench.on(pass_failed());
    assert_eq!(bench.timer(), [Effect::StartProbe]);
    bench.on(probe_failed());
    bench.timer();
    let effects = bench.on(Event::ProbeSucceeded);
    assert_eq!(effects[1..], [manual(7)]);
    bench.on(COMPLETE);
    assert_eq!(bench.timer(), [FULL], "then the automatic pass that each reconnect brings");
    bench.on(COMPLETE);
    assert!(bench.wait() > SECOND, "it ran once");
}

#[test]
fn of_manual_requests_the_last_one_is_kept() {
    let mut bench = Bench::offline();
    for size in [7, 8] {
        bench.on(Event::StartRequested(by_hand(size)));
        bench.on(pass_failed());
    }
    bench.timer();
    assert_eq!(bench.on(Event::ProbeSucceeded)[1..], [manual(8)]);
}

#[test]
fn manual_starts_while_offline_do_not_put_the_planned_probe_off() {
    let mut bench = Bench::offline();
    let planned = bench.machine.deadline();
    for _ in 0..9 {
        bench.after(100 * MS).on(Event::StartRequested(by_hand(7)));
        bench.on(pass_failed());
        assert_eq!(bench.machine.deadline(), planned);
    }
}

#[test]
fn an_acknowledged_batch_proves_the_link() {
    let mut bench = Bench::offline();
    bench.on(Event::StartRequested(by_hand(7)));
    assert!(matches!(bench.on(Event::Acknowledged)[..], [Effect::LinkUp { after_failures: 1, .. }]));
    assert_eq!(bench.on(Event::Acknowledged), [], "told once");
    assert_eq!(bench.on(COMPLETE), []);
    assert_eq!(bench.timer(), [FULL]);
}

#[test]
fn a_manual_run_without_a_word_of_mongodb_leaves_the_link_down() {
    for end in [PassEnd::Complete { more_at: None }, PassEnd::SourceFailed, PassEnd::Aborted] {
        let mut bench = Bench::offline();
        let planned = bench.machine.deadline();
        bench.on(Event::StartRequested(by_hand(7)));
        assert_eq!(bench.on(Event::PassEnded(end)), []);
        assert_eq!(bench.machine.link().state, LinkState::Offline);
        assert_eq!(bench.machine.deadline(), planned);
    }
}

#[test]
fn a_manual_run_that_the_source_breaks_off_runs_again_by_the_source_s_schedule() {
    for automatic in [true, false] {
        let mut bench = Bench::with(Timing { automatic, ..timing() });
        bench.on(Event::ProbeSucceeded);
        if automatic {
            bench.on(COMPLETE);
        }
        assert_eq!(bench.after(SECOND).on(Event::StartRequested(by_hand(7))), [manual(7)]);
        let mut waits = Vec::new();
        for _ in 0..3 {
            assert_eq!(bench.on(Event::PassEnded(PassEnd::SourceFailed)), []);
            waits.push(bench.wait());
            assert_eq!(bench.timer(), [manual(7)]);
        }
        assert!(waits.is_sorted() && waits[0] < waits[2], "{waits:?}");
        bench.on(COMPLETE);
        assert!(!bench.machine.keeps_manual());
    }
}

#[test]
fn a_manual_run_that_waits_for_the_source_is_forgotten_when_it_is_stopped() {
    let mut bench = Bench::online();
    bench.on(Event::StartRequested(by_hand(7)));
    bench.on(Event::PassEnded(PassEnd::SourceFailed));
    assert!(bench.machine.keeps_manual());
    bench.on(Event::StopRequested);
    assert!(!bench.machine.keeps_manual());
}

#[test]
fn good_probes_before_bad_passes_slow_down_all_the_same() {
    let mut bench = Bench::exporting();
    let mut waits = Vec::new();
    for _ in 0..8 {
        bench.on(pass_failed());
        waits.push(bench.wait().as_secs());
        bench.timer();
        assert!(bench.on(Event::ProbeSucceeded).contains(&FULL));
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    bench.on(Event::Acknowledged);
    bench.on(pass_failed());
    assert_eq!(bench.wait(), 60 * SECOND, "a look-up that is answered doesn't");
    bench.timer();
    bench.on(Event::ProbeSucceeded);
    bench.on(Event::Recorded);
    bench.on(pass_failed());
    assert_eq!(bench.wait(), SECOND, "a batch that got through resets it");
}

#[test]
fn without_automatic_passes_probes_and_manual_runs_go_on() {
    let mut bench = Bench::with(Timing { automatic: false, ..timing() });
    assert!(matches!(bench.on(Event::ProbeSucceeded)[..], [Effect::LinkUp { .. }]));
    assert_eq!(bench.on(Event::SourceChanged), []);
    assert_eq!(bench.wait(), 300 * SECOND);
    assert_eq!(bench.on(Event::StartRequested(by_hand(7))), [manual(7)]);
    assert_eq!(bench.on(COMPLETE), []);
    assert_eq!(bench.timer(), [Effect::StartProbe]);
}

#[test]
fn a_full_look_that_is_wanted_during_a_full_look_follows_it() {
    let mut bench = Bench::exporting();
    assert_eq!(bench.on(Event::CompareWanted), []);
    assert_eq!(bench.on(COMPLETE), []);
    assert_eq!(bench.timer(), [FULL]);
    assert_eq!(bench.on(COMPLETE), []);
    assert!(bench.wait() > SECOND, "and that was all");
}

#[test]
fn a_full_look_that_is_wanted_online_begins_as_soon_as_one_may() {
    let mut bench = Bench::online();
    assert_eq!(bench.after(SECOND).on(Event::CompareWanted), [FULL]);
}

#[test]
fn a_full_look_that_is_wanted_during_a_probe_follows_it() {
    let mut bench = Bench::online();
    assert_eq!(bench.timer(), [Effect::StartProbe]);
    assert_eq!(bench.on(Event::CompareWanted), []);
    assert_eq!(bench.on(Event::ProbeSucceeded), [FULL]);
}
