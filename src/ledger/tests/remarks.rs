use super::*;
use crate::report::Remark;

fn ledger() -> Ledger {
    Ledger::temporary().unwrap()
}

fn all(ledger: &Ledger) -> Vec<Remark> {
    ledger.remarks(None, None, 1000).unwrap().records
}

#[test]
fn a_row_that_is_refused_again_keeps_its_first_time_and_counts() {
    let mut ledger = ledger();
    let row = Row::number(13);
    for at in [10, 20, 30] {
        record(&mut ledger, std::slice::from_ref(&row), at).unwrap();
    }
    let [remark] = &all(&ledger)[..] else { panic!("one row") };
    assert_eq!((remark.attempts, remark.code), (3, Some(121)));
    assert_eq!((remark.first_at.as_millis(), remark.last_at.as_millis()), (10, 30));
}

#[test]
fn a_row_that_is_exported_at_last_leaves_the_list() {
    let mut ledger = ledger();
    record(&mut ledger, &[Row::number(13)], 10).unwrap();
    record(&mut ledger, &[Row::number(13).with(Outcome::Exported)], 20).unwrap();
    assert_eq!(all(&ledger), []);
    assert_eq!(ledger.entry(at(13)).unwrap().unwrap().outcome, Outcome::Exported);
}

#[test]
fn another_row_at_the_same_place_has_a_history_of_its_own() {
    let mut ledger = ledger();
    record(&mut ledger, &[Row::number(13)], 10).unwrap();
    let other = Row { position: Value::Integer(13), ..Row::number(26) };
    record(&mut ledger, &[other], 20).unwrap();
    let [remark] = &all(&ledger)[..] else { panic!("one row") };
    assert_eq!((remark.attempts, remark.first_at.as_millis()), (1, 20));
}

#[test]
fn released_rows_are_pending_and_stay_in_the_list_until_they_are_dealt_with() {
    let mut ledger = ledger();
    record(&mut ledger, &rows(130), 10).unwrap();
    assert_eq!(ledger.release().unwrap(), 10);
    assert_eq!(ledger.release().unwrap(), 0, "they are released already");
    assert_eq!(ledger.remark_counts().unwrap(), (12, 10));
    assert_eq!(ledger.entry(at(13)).unwrap(), None);
    assert_eq!(ledger.entry(at(10)).unwrap().unwrap().outcome, Outcome::Duplicate);
    record(&mut ledger, &[Row::number(13)], 20).unwrap();
    assert_eq!(all(&ledger)[1].attempts, 2);
}

#[test]
fn a_duplicate_tells_what_it_duplicates_whatever_the_id_is() {
    let mut ledger = ledger();
    let ids = [
        (Bson::ObjectId(ObjectId::from_bytes([7; 12])), serde_json::json!({ "$oid": "07".repeat(12) })),
        (Bson::String("42".to_owned()), serde_json::json!("42")),
        (Bson::Int32(42), serde_json::json!(42)),
        (Bson::Document(mongodb::bson::doc! { "a": 1 }), serde_json::json!({ "a": 1 })),
        (Bson::String("x".repeat(5000)), serde_json::Value::Null),
    ];
    for (number, (id, shown)) in (1..).zip(ids) {
        let row = Row { duplicate_of: Some(id), ..Row::number(number * 10).with(Outcome::Duplicate) };
        record(&mut ledger, &[row], 10).unwrap();
        let told = all(&ledger).pop().unwrap().duplicate_of.unwrap_or_default();
        assert_eq!(told, shown);
    }
}

#[test]
fn pages_follow_each_other_without_a_gap_for_every_kind_of_position() {
    let mut ledger = ledger();
    let mut all_rows = rows(200);
    all_rows.extend(rows(200).into_iter().map(|row| {
        let Value::Integer(number) = row.position else { panic!("rows have numbers") };
        Row { position: Value::Blob(number.to_be_bytes().to_vec()), ..row }
    }));
    all_rows.push(Row { position: Value::Integer(-26), ..Row::number(26) });
    record(&mut ledger, &all_rows, 10).unwrap();
    for (outcome, count) in [(None, 69), (Some(Outcome::Rejected), 31), (Some(Outcome::Duplicate), 38)] {
        for limit in [1, 7, 1000] {
            let (mut after, mut seen): (Option<Cursor>, _) = (None, Vec::new());
            loop {
                let page = ledger.remarks(outcome, after.as_ref(), limit).unwrap();
                assert!(page.records.len() <= usize::from(limit));
                seen.extend(page.records);
                match page.next {
                    Some(next) => after = Some(next.parse().unwrap()),
                    None => break,
                }
            }
            assert_eq!(seen.len(), count, "{outcome:?}, {limit} at a time");
            assert!(seen.iter().all(|remark| outcome.is_none_or(|outcome| remark.outcome == outcome)));
        }
    }
}

#[test]
fn what_is_no_cursor_is_refused() {
    for text in [
        "",
        "+1",
        "1.5",
        "X",
        "X'",
        "X''x",
        "X'1'",
        "X'+1'",
        "X'gg'",
        "NULL",
        "1 OR 1",
        "99999999999999999999",
    ] {
        assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text}");
    }
    for text in ["0", "-9223372036854775808", "X''", "X'00ff'"] {
        assert!(text.parse::<Cursor>().is_ok(), "{text}");
    }
}

#[test]
fn rows_that_went_from_the_middle_of_the_table_are_forgotten() {
    let mut ledger = Ledger::temporary().unwrap();
    let all = rows(10).into_iter().map(|row| row.with(Outcome::Rejected)).collect::<Vec<_>>();
    record(&mut ledger, &all, 10).unwrap();
    // A page that ended with row 6, behind row 2; rows 4 and 5 weren't there.
    ledger.forget_gone(Some(2), 6, &[3, 6]).unwrap();
    let known = |ledger: &Ledger| {
        (1..=10).filter(|&position| ledger.entry(at(position)).unwrap().is_some()).collect::<Vec<_>>()
    };
    assert_eq!(known(&ledger), [1, 2, 3, 6, 7, 8, 9, 10]);
    assert_eq!(ledger.remarks(None, None, 100).unwrap().records.len(), 8);
    ledger.forget_gone(None, 1, &[]).unwrap();
    assert_eq!(known(&ledger), [2, 3, 6, 7, 8, 9, 10]);
    ledger.forget_gone(Some(6), 10, &[7, 8, 9, 10, 11]).unwrap();
    assert_eq!(known(&ledger), [2, 3, 6, 7, 8, 9, 10]);
}

#[test]
fn held_rows_take_their_duplicates_along_and_are_let_go_with_them() {
    let mut ledger = ledger();
    let leader = Row::number(1);
    let of_it = Row { duplicate_of: Some(Bson::ObjectId(leader.id)), ..Row::number(20) };
    let of_another = Row::number(30);
    record(&mut ledger, &[leader.clone(), of_it, of_another, Row::number(13)], 10).unwrap();
    let counts =
        |ledger: &Ledger| ledger.outcome_counts().unwrap().iter().map(|(_, n)| *n).collect::<Vec<_>>();
    assert_eq!(counts(&ledger), [1, 2, 1, 0]);
    let held = leader.clone().with(Outcome::Held);
    ledger.hold(&[held.record()], Timestamp::from_millis(20)).unwrap();
    assert_eq!(counts(&ledger), [0, 1, 1, 2]);
    assert_eq!(ledger.entry(at(1)).unwrap().unwrap().content, leader.content, "known as it is");
    assert_eq!(ledger.remarks(Some(Outcome::Held), None, 10).unwrap().records.len(), 2);
    ledger.let_go(&[held.record()], Timestamp::from_millis(30)).unwrap();
    assert_eq!(counts(&ledger), [0, 2, 1, 0], "the leader is pending: it is found in the collection");
    ledger.hold(&[held.record()], Timestamp::from_millis(40)).unwrap();
    assert_eq!(ledger.release().unwrap(), 3, "what is rejected, too");
    assert_eq!(counts(&ledger), [0, 1, 0, 0]);
}

#[test]
fn duplicates_of_a_row_that_moved_are_pending_also_if_they_were_judged_in_its_batch() {
    let mut ledger = ledger();
    let leader = Row::number(1);
    let mut moved = leader.record();
    moved.moved = true;
    let of = Some(Bson::ObjectId(moved.id));
    let (before, beside) =
        (Row { duplicate_of: of.clone(), ..Row::number(10) }, Row { duplicate_of: of, ..Row::number(20) });
    record(&mut ledger, std::slice::from_ref(&before), 10).unwrap();
    let standing = Standing { run: 1, progress: &Progress::default(), written_at: "" };
    let batch = [beside.record(), moved.clone()];
    assert_eq!(ledger.record(standing, &batch, Timestamp::from_millis(20)).unwrap(), 2);
    assert!(ledger.entry(at(10)).unwrap().is_none() && ledger.entry(at(20)).unwrap().is_none());
    // It is where it was when they are looked at again.
    let batch = [before.record(), beside.record(), moved];
    assert_eq!(ledger.record(standing, &batch, Timestamp::from_millis(30)).unwrap(), 0);
    assert!(ledger.entry(at(10)).unwrap().is_some());
}
