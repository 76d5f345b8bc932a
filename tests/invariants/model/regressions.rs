//! Stories that once ended badly, and some that are worth a name.

use mongo_uplink::config::Updates;

use super::play::play;
use super::script::Op::*;
use super::script::Person::*;
use super::script::{Change, Edit, Fault, Loss, Op, Pass, Race, Script};
use crate::support::mongod::shared_mongod;

#[track_caller]
fn holds(story: Vec<Op>) {
    let script =
        Script { skip_duplicates: true, updates: Updates::Newer, batch_size: 2, max_in_flight: 4, story };
    if let Err(broken) = play(&script, &shared_mongod().client()) {
        panic!("{broken}");
    }
}

#[test]
fn a_story_of_everything_goes_well() {
    holds(vec![
        Insert(vec![Anna, Ben, Anna, Nobody, Nobody]),
        Op::Broken(Pass::Full, 1, Fault::KillBeforeReply),
        Update(1, Change::Touched),
        OtherInserts(Cleo),
        Insert(vec![Cleo]),
        InsertMisfit(Nobody),
        Op::Broken(Pass::Tail, 0, Fault::StallBeforeRecord),
        OtherEdits(0, Edit::Newer),
        Bereft(Pass::Full, 0, Loss::Deleted),
        DropCollection,
        Op::Pass(Pass::Manual { skip_duplicates: false }),
    ]);
}

#[test]
fn a_manual_export_that_broke_off_begins_anew_if_the_collection_was_dropped_since() {
    holds(vec![
        Insert(vec![Nobody, Nobody, Nobody, Nobody, Nobody]),
        Op::Broken(Pass::Manual { skip_duplicates: true }, 1, Fault::CutBeforeReply),
        DropCollection,
        Op::Pass(Pass::Tail),
    ]);
}

#[test]
fn of_a_changed_row_and_a_new_one_of_the_same_person_one_is_written() {
    holds(vec![
        Insert(vec![Anna, Anna]),
        Op::Pass(Pass::Full),
        OtherEdits(0, Edit::Delete),
        Update(0, Change::To(Ben)),
        Insert(vec![Ben]),
        // The first look after it goes to the tail first.
        Restart,
        Op::Pass(Pass::Full),
    ]);
}

#[test]
fn an_update_that_is_recorded_as_the_ledger_is_lost_is_counted() {
    holds(vec![
        InsertMisfit(Ben),
        Op::Pass(Pass::Full),
        Restart,
        Update(0, Change::Touched),
        Op::Pass(Pass::Full),
        Update(0, Change::To(Anna)),
        Insert(vec![Anna]),
        Bereft(Pass::Full, 0, Loss::Corrupted),
    ]);
}

#[test]
fn a_duplicate_that_a_manual_export_sent_before_it_was_killed_is_remembered_as_exported() {
    holds(vec![
        Insert(vec![Cleo, Cleo, Anna, Anna]),
        Op::Pass(Pass::Full),
        Op::Broken(Pass::Manual { skip_duplicates: false }, 0, Fault::KillBeforeReply),
    ]);
}

#[test]
fn a_rival_who_is_faster_and_a_command_that_arrives_twice_double_nothing_and_lose_nobody() {
    holds(vec![
        Op::Pass(Pass::Full),
        Insert(vec![Anna, Ben, Nobody]),
        Raced(Pass::Full, 0, Race::Rival(Anna)),
        Insert(vec![Nobody, Cleo, Nobody]),
        Raced(Pass::Tail, 0, Race::Echo),
        Update(0, Change::To(Nobody)),
        Raced(Pass::Full, 0, Race::Echo),
    ]);
}

#[test]
fn a_person_whose_key_only_lives_on_in_the_metadata_of_somebody_else_s_document_is_no_duplicate() {
    holds(vec![
        Op::Pass(Pass::Full),
        RivalExports(Anna),
        OtherEdits(0, Edit::To(Ben)),
        Insert(vec![Cleo, Anna, Nobody]),
        Op::Pass(Pass::Full),
    ]);
}

#[test]
fn a_manual_export_asked_for_anew_considers_every_row_though_an_earlier_one_broke_off() {
    holds(vec![
        Insert(vec![Nobody, Nobody, Nobody, Nobody, Nobody]),
        Op::Broken(Pass::Manual { skip_duplicates: true }, 1, Fault::CutBeforeReply),
        OtherEdits(0, Edit::Delete),
        Op::Pass(Pass::Manual { skip_duplicates: true }),
    ]);
}
