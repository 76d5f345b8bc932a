//! Other times while it runs.

use super::*;

fn slow() -> Timing {
    Timing { retry: Schedule::new(3600 * SECOND, 3600 * SECOND, 1.0, 0.0).expect("valid"), ..timing() }
}

#[test]
fn a_wait_that_was_drawn_by_the_old_schedule_ends_with_it() {
    let mut bench = Bench::with(slow());
    bench.on(probe_failed());
    assert_eq!(bench.wait(), 3600 * SECOND);
    let now = bench.after(2 * SECOND).now;
    assert_eq!(bench.machine.retime(timing(), now, MIDDLE), [Effect::StartProbe]);
    bench.on(probe_failed());
    assert_eq!(bench.wait(), SECOND, "the new schedule begins anew");
}

#[test]
fn a_recheck_comes_no_later_than_the_new_interval_says() {
    let mut bench = Bench::online();
    let sooner = Timing { online_interval: 10 * SECOND, ..timing() };
    let now = bench.now;
    assert_eq!(bench.machine.retime(sooner, now, MIDDLE), []);
    assert_eq!(bench.wait(), 10 * SECOND);
}

#[test]
fn automatic_passes_can_be_turned_off_and_on() {
    let mut bench = Bench::exporting();
    let (off, now) = (Timing { automatic: false, ..timing() }, bench.now);
    let ended = bench.machine.retime(off, now, MIDDLE);
    assert_eq!(ended, [Effect::AbortPass(AbortCause::Requested)]);
    assert_eq!(bench.on(Event::PassEnded(PassEnd::Aborted)), []);
    assert_eq!(bench.after(60 * SECOND).on(Event::SourceChanged), []);
    let now = bench.now;
    assert_eq!(bench.machine.retime(timing(), now, MIDDLE), [FULL]);
}

#[test]
fn a_stopped_loop_stays_so() {
    let mut bench = Bench::stopping();
    let now = bench.now;
    assert_eq!(bench.machine.retime(timing(), now, MIDDLE), []);
    assert_eq!(bench.machine.deadline(), None);
}
