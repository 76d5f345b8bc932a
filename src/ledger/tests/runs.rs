use super::*;
use crate::report::{Progress, Reason, RunState};

fn end(state: RunState, successful: u64) -> RunEnd {
    RunEnd {
        state,
        progress: Progress { total: 9, successful, ..Progress::default() },
        reason: (state == RunState::Failed).then_some(Reason::Refused),
        error: (state == RunState::Failed).then(|| "refused".to_owned()),
        at: Timestamp::from_millis(2),
    }
}

#[test]
fn the_latest_export_comes_first_and_the_one_under_way_not_at_all() {
    let mut ledger = Ledger::temporary().unwrap();
    for id in ["a", "b", "c"] {
        let number = ledger.run_started(&start(id)).unwrap();
        ledger.run_ended(number, &end(RunState::Completed, 3)).unwrap();
    }
    let under_way = ledger.run_started(&start("d")).unwrap();
    let told = ledger.history(2, Some(under_way)).unwrap();
    assert_eq!(told.iter().map(|past| past.export_id.as_str()).collect::<Vec<_>>(), ["c", "b"]);
    assert_eq!((told[0].status, told[0].successful_records), (RunState::Completed, 3));
}

#[test]
fn an_export_that_never_ended_is_told_as_broken_off() {
    let mut ledger = Ledger::temporary().unwrap();
    ledger.run_started(&start("a")).unwrap();
    let told = &ledger.history(1, None).unwrap()[0];
    assert_eq!((told.status, told.end_time), (RunState::Failed, None));
    assert!(told.error_message.as_ref().unwrap().starts_with("broken off"), "{told:?}");
}

#[test]
fn what_an_export_wrote_after_its_last_record_is_not_counted_yet() {
    let mut ledger = Ledger::temporary().unwrap();
    let run = ledger.run_started(&start("a")).unwrap();
    let uncounted = |ledger: &Ledger, id: &str, at: &str| {
        ledger.counted_to(id).unwrap().map(|counted| counted.leaves_out(at))
    };
    assert_eq!(uncounted(&ledger, "a", "2024-01-01T00:00:01Z"), Some(true), "nothing is recorded");
    let standing = Standing { run, progress: &Progress::default(), written_at: "2024-01-01T00:00:02Z" };
    ledger.record(standing, &[], Timestamp::from_millis(1)).unwrap();
    for (written_at, expected) in [("2024-01-01T00:00:02Z", false), ("2024-01-01T00:00:03Z", true)] {
        assert_eq!(uncounted(&ledger, "a", written_at), Some(expected), "{written_at}");
    }
    assert_eq!(uncounted(&ledger, "unknown", "2024-01-01T00:00:01Z"), None);
}

#[test]
fn another_target_forgets_the_rows_and_keeps_the_exports() {
    let mut ledger = Ledger::temporary().unwrap();
    assert_eq!(ledger.bind("source", "target").unwrap(), Bound::Same);
    let number = ledger.run_started(&start("a")).unwrap();
    ledger.run_ended(number, &end(RunState::Completed, 3)).unwrap();
    record(&mut ledger, &rows(30), 10).unwrap();
    assert_eq!(ledger.bind("source", "target").unwrap(), Bound::Same);
    assert_eq!(ledger.bind("source", "other").unwrap(), Bound::Forgotten { entries: 30 });
    assert_eq!(ledger.highest_rowid().unwrap(), None);
    assert_eq!(ledger.remark_counts().unwrap(), (0, 0));
    assert_eq!(ledger.history(10, None).unwrap().len(), 1);
    assert!(ledger.knows_run("a").unwrap());
    assert!(ledger.run_started(&start("b")).unwrap() > number, "numbers go on");
}

#[test]
fn a_thousand_exports_are_remembered() {
    let mut ledger = Ledger::temporary().unwrap();
    for number in 0..1010 {
        ledger.run_started(&start(&number.to_string())).unwrap();
    }
    assert_eq!(ledger.history(u16::MAX, None).unwrap().len(), 1000);
    assert!(!ledger.knows_run("9").unwrap() && ledger.knows_run("10").unwrap());
}

#[test]
fn an_export_that_got_nowhere_leaves_nothing_out_of_an_earlier_one_with_its_id() {
    let mut ledger = Ledger::temporary().unwrap();
    let at = Timestamp::from_millis(1_700_000_000_000);
    let start = RunStart { at, ..start("export_20231114_221320") };
    ledger.run_started(&start).unwrap();
    let counted = ledger.counted_to(&start.export_id).unwrap().unwrap();
    let leaves_out = |millis| counted.leaves_out(&Timestamp::from_millis(millis).to_string());
    assert!(!leaves_out(at.as_millis() - 1) && !leaves_out(at.as_millis() - 999));
    assert!(leaves_out(at.as_millis()) && leaves_out(at.as_millis() + 1));
}
