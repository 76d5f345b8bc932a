//! What a case is made of: settings, and a story that everybody acts in.
//!
//! The `Debug` form of a script is Rust: a shrunk failure can be copied into `regressions.rs` as it is printed.

use mongo_uplink::config::Updates;
use proptest::collection::vec;
use proptest::prelude::*;

/// Who an inquiry is by: what its e-mail and mobile are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Person {
    Anna,
    Ben,
    Cleo,
    /// Neither e-mail nor mobile: nobody's duplicate.
    Nobody,
}

/// How the application changes a row. The changed row's city is one that no row had before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// With a new `updated_at`.
    Touched,
    /// `updated_at` stays as it was.
    Silent,
    /// It is another person's from now on.
    To(Person),
    /// Into what the collection's validator refuses.
    Misfit,
}

/// What another program does to a document, whoever wrote that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// Another city, with a new `updated_at` and a field of its own.
    Newer,
    /// A field of its own, and nothing else.
    Note,
    /// Another person.
    To(Person),
    /// Deletes it.
    Delete,
}

/// How the exporter is asked to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    Full,
    Tail,
    Manual { skip_duplicates: bool },
}

/// What happens around a write command of a pass, after which the pass doesn't go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection breaks; the command never arrives.
    CutBeforeSend,
    /// The connection breaks; the command was carried out.
    CutBeforeReply,
    /// The daemon is killed; the command never arrives.
    KillBeforeSend,
    /// The daemon is killed; the command was carried out.
    KillBeforeReply,
    /// The reply arrives; then the ledger hangs, the pass is given up, and the ledger goes on after all.
    StallBeforeRecord,
}

/// What happens to the ledger around a write command of a pass, which goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    Deleted,
    Corrupted,
}

/// What comes between a pass's look at the collection and its write command, which then goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Race {
    /// Another host's exporter writes a row of this person.
    Rival(Person),
    /// The same command arrives from a connection that was given up.
    Echo,
}

/// One event. Numbers of rows and documents are taken modulo how many there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// Rows in one transaction.
    Insert(Vec<Person>),
    /// A row whose id is the lowest that is free.
    InsertLow(Person),
    InsertMisfit(Person),
    Update(u8, Change),
    Delete(u8),
    /// All rows go; ids start again at 1.
    Empty,
    Vacuum,
    /// The database file is copied...
    Backup,
    /// ...and the copy takes its place.
    Restore,
    OtherInserts(Person),
    /// Another host's exporter, unless the unique index keeps it from it.
    RivalExports(Person),
    OtherEdits(u8, Edit),
    /// With its validator and indexes.
    DropCollection,
    Pass(Pass),
    /// A pass; around its write command of this number something breaks.
    Broken(Pass, u8, Fault),
    /// A pass; around its write command of this number the ledger is lost.
    Bereft(Pass, u8, Loss),
    /// A pass; its write command of this number is overtaken.
    Raced(Pass, u8, Race),
    Restart,
    DeleteLedger,
    CorruptLedger,
    GoOffline,
    GoOnline,
}

/// A case.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) skip_duplicates: bool,
    pub(super) updates: Updates,
    pub(super) batch_size: u16,
    pub(super) max_in_flight: u16,
    pub(super) story: Vec<Op>,
}

/// Cases: mostly with the default settings, as most of the rules are about them.
pub(super) fn scripts() -> impl Strategy<Value = Script> {
    let updates =
        prop_oneof![4 => Just(Updates::Newer), 1 => Just(Updates::Always), 1 => Just(Updates::Never)];
    (prop::bool::weighted(0.8), updates, 1..5u16, 1..5u16, vec(op(), 1..25)).prop_map(
        |(skip_duplicates, updates, batch_size, max_in_flight, story)| Script {
            skip_duplicates,
            updates,
            batch_size,
            max_in_flight,
            story,
        },
    )
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => vec(person(), 1..6).prop_map(Op::Insert),
        1 => person().prop_map(Op::InsertLow),
        2 => person().prop_map(Op::InsertMisfit),
        6 => (any::<u8>(), change()).prop_map(|(row, change)| Op::Update(row, change)),
        1 => any::<u8>().prop_map(Op::Delete),
        1 => Just(Op::Empty),
        1 => Just(Op::Vacuum),
        1 => Just(Op::Backup),
        1 => Just(Op::Restore),
        2 => person().prop_map(Op::OtherInserts),
        1 => person().prop_map(Op::RivalExports),
        3 => (any::<u8>(), edit()).prop_map(|(document, edit)| Op::OtherEdits(document, edit)),
        1 => Just(Op::DropCollection),
        6 => pass().prop_map(Op::Pass),
        6 => (pass(), 0..3u8, fault()).prop_map(|(pass, command, fault)| Op::Broken(pass, command, fault)),
        1 => (pass(), 0..3u8, loss()).prop_map(|(pass, command, loss)| Op::Bereft(pass, command, loss)),
        3 => (pass(), 0..3u8, race()).prop_map(|(pass, command, race)| Op::Raced(pass, command, race)),
        1 => Just(Op::Restart),
        1 => Just(Op::DeleteLedger),
        1 => Just(Op::CorruptLedger),
        1 => Just(Op::GoOffline),
        2 => Just(Op::GoOnline),
    ]
}

fn person() -> impl Strategy<Value = Person> {
    prop_oneof![
        3 => Just(Person::Anna),
        2 => Just(Person::Ben),
        2 => Just(Person::Cleo),
        1 => Just(Person::Nobody),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => Just(Change::Touched),
        1 => Just(Change::Silent),
        2 => person().prop_map(Change::To),
        1 => Just(Change::Misfit),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        2 => Just(Edit::Newer),
        1 => Just(Edit::Note),
        1 => person().prop_map(Edit::To),
        1 => Just(Edit::Delete),
    ]
}

fn pass() -> impl Strategy<Value = Pass> {
    prop_oneof![
        3 => Just(Pass::Full),
        2 => Just(Pass::Tail),
        1 => prop::bool::weighted(0.7).prop_map(|skip_duplicates| Pass::Manual { skip_duplicates }),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    prop::sample::select(vec![
        Fault::CutBeforeSend,
        Fault::CutBeforeReply,
        Fault::KillBeforeSend,
        Fault::KillBeforeReply,
        Fault::StallBeforeRecord,
    ])
}

fn race() -> impl Strategy<Value = Race> {
    prop_oneof![2 => person().prop_map(Race::Rival), 1 => Just(Race::Echo)]
}

fn loss() -> impl Strategy<Value = Loss> {
    prop::sample::select(vec![Loss::Deleted, Loss::Corrupted])
}
