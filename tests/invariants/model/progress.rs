//! A look gets on, is seen to, and doesn't begin anew without need.

use mongo_uplink::config::Updates;
use mongo_uplink::export::PassError;
use mongo_uplink::report::{RunRequest, RunState, Trigger};

use super::script::{Fault, Pass, Person, Script};
use super::world::{Met, World};
use crate::support::mongod::shared_mongod;

#[test]
fn a_look_through_a_long_table_that_holds_nothing_new_is_seen_to_get_on() {
    const ROWS: usize = 4_001;
    let script = Script {
        skip_duplicates: true,
        updates: Updates::Newer,
        batch_size: 1_000,
        max_in_flight: 4,
        story: Vec::new(),
    };
    let mut world = World::new(&script, &shared_mongod().client());
    world.application.insert(&[Person::Nobody; ROWS]);
    let request = RunRequest { trigger: Trigger::Automatic, batch_size: 1_000, skip_duplicates: true };
    world.pass(Pass::Full, request, false).expect("nothing is in its way");
    let (told, steps) = (world.status(), world.steps());
    assert_eq!(told.successful_records, ROWS as u64);
    world.pass(Pass::Full, request, false).expect("nothing is in its way");
    assert_eq!(world.status(), told, "nothing was sent");
    let more = world.steps() - steps;
    assert!(more >= 3, "{more} steps over {ROWS} rows: a slow disk would be taken for a stall");
}

#[test]
fn a_manual_export_that_broke_off_goes_on_behind_what_was_dealt_with() {
    // One batch at a time: only then is it certain which of them got through.
    let mut world = world_with(1);
    world.application.insert(&[Person::Nobody; 10]);
    let pass = Pass::Manual { skip_duplicates: true };
    let request = RunRequest { trigger: Trigger::Manual, batch_size: 2, skip_duplicates: true };
    let met = world.broken_pass(pass, request, 3, Fault::CutBeforeSend);
    assert!(matches!(met, Met::Ended(Err(_))), "three commands were sent, the fourth wasn't");
    // What was sent in one command may be recorded together with what is sent in the next.
    let dealt_with = world.status().processed_records;
    assert!((2..=6).contains(&dealt_with), "{:?}", world.status());
    world.pass(pass, request, true).expect("nothing is in its way");
    let (status, left) = (world.status(), 10 - dealt_with);
    assert_eq!((status.processed_records, status.successful_records), (left, left), "{status:?}");
    world.pass(pass, request, false).expect("nothing is in its way");
    let status = world.status();
    assert_eq!(
        (status.processed_records, status.successful_records),
        (10, 0),
        "one that is asked for anew begins anew"
    );
    assert_eq!(world.documents().len(), 10);
}

#[test]
fn a_ledger_that_fails_as_an_export_begins_does_not_keep_the_next_one_from_beginning() {
    let mut world = world();
    world.application.insert(&[Person::Nobody; 3]);
    let request = RunRequest { trigger: Trigger::Automatic, batch_size: 2, skip_duplicates: true };
    world.in_ledger("CREATE TRIGGER refuse BEFORE INSERT ON run BEGIN SELECT RAISE(ABORT, 'refused'); END");
    let ended = world.pass(Pass::Full, request, false);
    assert!(matches!(ended, Err(PassError::Ledger(_))), "{ended:?}");
    assert_ne!(world.status().status, RunState::Running);
    world.in_ledger("DROP TRIGGER refuse");
    world.pass(Pass::Full, request, false).expect("nothing is in its way");
    assert_eq!(world.documents().len(), 3);
}

#[test]
fn a_row_that_comes_back_with_a_backup_is_not_counted_again() {
    let mut world = world();
    world.application.insert(&[Person::Anna]);
    world.application.backup();
    let request = RunRequest { trigger: Trigger::Automatic, batch_size: 2, skip_duplicates: true };
    world.pass(Pass::Full, request, false).expect("nothing is in its way");
    world.application.delete(0);
    world.pass(Pass::Full, request, false).expect("nothing is in its way");
    world.application.restore();
    world.pass(Pass::Full, request, false).expect("nothing is in its way");
    let status = world.status();
    assert_eq!((status.successful_records, status.skipped_records), (0, 1), "{status:?}");
}

fn world() -> World {
    world_with(4)
}

fn world_with(max_in_flight: u16) -> World {
    let script = Script {
        skip_duplicates: true,
        updates: Updates::Newer,
        batch_size: 1_000,
        max_in_flight,
        story: Vec::new(),
    };
    World::new(&script, &shared_mongod().client())
}
