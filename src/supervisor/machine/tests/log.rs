//! How many lines an outage is worth.

use super::*;

fn is_logged(effect: &Effect) -> bool {
    match effect {
        Effect::LinkUp { log, .. } | Effect::LinkDown { log, .. } | Effect::StillDown { log, .. } => *log,
        _ => false,
    }
}

fn lines(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| is_logged(effect)).count()
}

#[test]
fn an_outage_of_a_day_is_worth_at_most_fifty_lines() {
    let mut bench = Bench::probing();
    let begin = bench.now;
    let mut logged = 0;
    while bench.now - begin < 24 * 3600 * SECOND {
        logged += lines(&bench.on(probe_failed()));
        bench.timer();
    }
    logged += lines(&bench.on(Event::ProbeSucceeded));
    assert!((25..=50).contains(&logged), "{logged} lines");
}

#[test]
fn the_first_failure_and_the_recovery_are_told_at_once() {
    let mut bench = Bench::probing();
    assert_eq!(lines(&bench.on(probe_failed())), 1);
    bench.timer();
    assert_eq!(lines(&bench.on(Event::ProbeSucceeded)), 1);
}

#[test]
fn another_cause_is_told() {
    let mut bench = Bench::probing();
    for _ in 0..10 {
        bench.on(probe_failed());
        bench.timer();
    }
    let auth = Event::ProbeFailed(Failure::new(Reason::Auth, "refused"));
    assert_eq!(lines(&bench.on(auth)), 1);
}

#[test]
fn a_link_that_flaps_for_a_day_does_not_fill_the_log() {
    let mut bench = Bench::exporting();
    let begin = bench.now;
    let (mut logged, mut flaps) = (0, 0);
    while bench.now - begin < 24 * 3600 * SECOND {
        // A batch gets through each time, so that the loop stays quick.
        logged += lines(&bench.on(Event::Acknowledged));
        logged += lines(&bench.on(Event::Recorded));
        logged += lines(&bench.on(pass_failed()));
        bench.timer();
        logged += lines(&bench.on(probe_failed()));
        bench.timer();
        logged += lines(&bench.on(Event::ProbeSucceeded));
        flaps += 1;
    }
    assert!(flaps > 40_000, "{flaps} flaps");
    assert!(logged < 250, "{logged} lines");
}

#[test]
fn after_a_good_pass_the_next_outage_is_told_at_once() {
    for (good, told) in [(COMPLETE, 1), (Event::Acknowledged, 0)] {
        let mut bench = Bench::exporting();
        for _ in 0..2 {
            bench.on(pass_failed());
            bench.timer();
            bench.on(Event::ProbeSucceeded);
        }
        bench.on(good);
        bench.on(Event::SourceChanged);
        if *bench.machine.state() == State::Online {
            bench.timer();
        }
        assert_eq!(lines(&bench.on(pass_failed())), told, "the third flap");
    }
}
