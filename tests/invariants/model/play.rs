//! Plays a script and holds each of the exporter's looks against the rules.

use mongo_uplink::export::{PassEnd, PassError};
use mongo_uplink::report::{ExportStatus, RunRequest, Trigger};
use mongodb::bson::Bson;

use super::daemon::Ended;
use super::rules::{Broken, Extent, Look, Rules, Written};
use super::script::{Edit, Fault, Loss, Op, Pass, Race, Script};
use super::world::{Met, SOURCE, World};
use crate::support::mongo::Mongo;

/// How many looks it may take until nothing is pending, once everything is well.
const SETTLING: u32 = 5;

/// What is to happen around a look.
#[derive(Clone, Copy, Debug)]
enum Around {
    Nothing,
    /// It goes on with a manual export that broke off; or begins anew, since the collection is another one.
    Again {
        anew: bool,
    },
    Fault(u8, Fault),
    Loss(u8, Loss),
    Race(u8, Race),
}

/// A script on the stage.
struct Play<'a> {
    script: &'a Script,
    world: World,
    rules: Rules,
    online: bool,
    /// A manual export that broke off for lack of connectivity, which the loop makes again.
    owed: Option<RunRequest>,
    /// The collection was dropped since that broke off.
    dropped: bool,
    /// The ledger was written over, and may not have noticed yet.
    corrupted: bool,
    /// Documents written by exports that couldn't count them; `None` once a ledger was lost, and with it the memory of
    /// which exports there have been.
    uncounted: Option<u64>,
}

/// Plays a script to its end.
pub(super) fn play(script: &Script, mongo: &Mongo) -> Result<(), Broken> {
    let mut play = Play {
        script,
        world: World::new(script, mongo),
        rules: Rules::new(script.updates, SOURCE),
        online: true,
        owed: None,
        dropped: false,
        corrupted: false,
        uncounted: Some(0),
    };
    for (number, op) in script.story.iter().enumerate() {
        play.act(op).map_err(|broken| format!("{number}, {op:?}: {broken}"))?;
    }
    play.settle().map_err(|broken| format!("after the end: {broken}"))
}

impl Play<'_> {
    fn act(&mut self, op: &Op) -> Result<(), Broken> {
        let world = &mut self.world;
        match op {
            Op::Insert(persons) => world.application.insert(persons),
            Op::InsertLow(person) => world.application.insert_low(*person),
            Op::InsertMisfit(person) => world.application.insert_misfit(*person),
            Op::Update(row, change) => world.application.update(*row, *change),
            Op::Delete(row) => world.application.delete(*row),
            Op::Empty => world.application.execute("DELETE FROM chat_inquiry_information"),
            Op::Vacuum => world.application.execute("VACUUM"),
            Op::Backup => world.application.backup(),
            Op::Restore => {
                world.application.restore();
                // A row that comes back, and was written by an export that broke off, may be counted once more.
                self.uncounted = None;
            }
            Op::OtherInserts(person) => world.other_inserts(*person),
            Op::RivalExports(person) => world.rival_exports(*person),
            Op::OtherEdits(document, edit) => {
                let before = world.other_edits(*document, *edit);
                if let (Edit::Delete, Some(document)) = (edit, before) {
                    self.rules.document_deleted(&document, &self.world.rows());
                }
            }
            Op::DropCollection => {
                world.drop_collection();
                self.rules.collection_dropped();
                self.dropped = true;
            }
            Op::Pass(pass) => self.look(*pass, Around::Nothing)?,
            Op::Broken(pass, number, fault) => self.look(*pass, Around::Fault(*number, *fault))?,
            Op::Bereft(pass, number, loss) => self.look(*pass, Around::Loss(*number, *loss))?,
            Op::Raced(pass, number, race) => self.look(*pass, Around::Race(*number, *race))?,
            Op::Restart => {
                world.restart();
                self.owed = None;
            }
            Op::DeleteLedger => self.lose_ledger(Loss::Deleted),
            Op::CorruptLedger => self.lose_ledger(Loss::Corrupted),
            Op::GoOffline => self.online = false,
            Op::GoOnline => self.online = true,
        }
        Ok(())
    }

    /// What the loop does with a request: offline, a manual one fails and is owed; online, what is owed goes first.
    fn look(&mut self, pass: Pass, around: Around) -> Result<(), Broken> {
        let request = self.request(pass);
        if let Pass::Manual { .. } = pass {
            self.owed = None;
            if !self.online {
                self.owed = Some(request);
                return match self.world.manual_offline(pass, request) {
                    Err(PassError::Target(_) | PassError::Ledger(_)) => Ok(()),
                    ended => Err(format!("a manual export without MongoDB ended as {ended:?}")),
                };
            }
        }
        if self.online {
            self.pay()?;
            self.look_now(pass, request, around)?;
        }
        Ok(())
    }

    /// Makes the manual export that is owed.
    fn pay(&mut self) -> Result<(), Broken> {
        let Some(request) = self.owed.take() else { return Ok(()) };
        let pass = Pass::Manual { skip_duplicates: request.skip_duplicates };
        self.look_now(pass, request, Around::Again { anew: self.dropped })
    }

    fn look_now(&mut self, pass: Pass, request: RunRequest, around: Around) -> Result<(), Broken> {
        let (mut before, told) = (self.world.documents(), self.world.status());
        let mut meanwhile = None;
        self.dropped = false;
        let met = match around {
            Around::Nothing => Met::Nothing(self.world.pass(pass, request, false)),
            Around::Again { .. } => Met::Nothing(self.world.pass(pass, request, true)),
            Around::Fault(number, fault) => self.world.broken_pass(pass, request, number, fault),
            Around::Loss(number, loss) => self.world.bereft_pass(pass, request, number, loss),
            Around::Race(number, race) => {
                let note = |before, after| meanwhile = Some((before, after));
                self.world.raced_pass(pass, request, number, race, note)
            }
        };
        let complete = matches!(
            &met,
            Met::Nothing(Ok(PassEnd::Complete { .. })) | Met::Ended(Ok(PassEnd::Complete { .. }))
        );
        let extent = match (complete, pass, around) {
            (true, Pass::Full, _) => Extent::Pending,
            (true, Pass::Manual { .. }, Around::Again { anew: false }) | (_, Pass::Tail, _) | (false, ..) => {
                Extent::Some
            }
            (true, Pass::Manual { .. }, _) => Extent::Every,
        };
        let (rows, after) = (self.world.rows(), self.world.documents());
        let skip_duplicates = request.skip_duplicates;
        let mut written = Written::default();
        if let Some((then, since)) = meanwhile {
            // Two looks in one: somebody else wrote in between.
            let look =
                Look { rows: &rows, before: &before, after: &then, extent: Extent::Some, skip_duplicates };
            written = self.rules.judge(&look)?;
            before = since;
        }
        let look = Look { rows: &rows, before: &before, after: &after, extent, skip_duplicates };
        written += self.rules.judge(&look)?;
        self.judge_counters(&told, written, complete)?;

        let killed = matches!(around, Around::Fault(_, Fault::KillBeforeSend | Fault::KillBeforeReply));
        let connectivity = match &met {
            Met::Nothing(ended) => {
                self.judge_end(ended)?;
                false
            }
            Met::Ended(ended) => matches!(ended, Err(PassError::Target(_))),
            Met::GivenUp => !killed,
        };
        if connectivity && let Pass::Manual { .. } = pass {
            self.owed = Some(request);
        }
        if let (Around::Loss(_, loss), Met::Ended(_)) = (around, &met) {
            self.ledger_is_lost(loss);
        }
        Ok(())
    }

    /// Without anything in its way a pass goes through.
    fn judge_end(&self, ended: &Ended) -> Result<(), Broken> {
        match ended {
            Ok(PassEnd::Complete { .. }) => Ok(()),
            // It notices, perhaps in more than one place, and begins anew.
            Err(PassError::Ledger(_)) if self.corrupted => Ok(()),
            other => Err(format!("a pass that nothing disturbed ended as {other:?}")),
        }
    }

    /// What is counted was written, and by a look that went through everything that was written is counted.
    fn judge_counters(
        &mut self,
        told: &ExportStatus,
        written: Written,
        complete: bool,
    ) -> Result<(), Broken> {
        let status = self.world.status();
        let sum = status.successful_records + status.failed_records + status.skipped_records;
        if status.processed_records != sum || sum > status.total_records {
            return Err(format!("counters that don't add up: {status:?}"));
        }
        let counted = if status == *told { 0 } else { status.successful_records };
        let Some(uncounted) = self.uncounted else { return Ok(()) };
        let documents = written.inserted + written.updated;
        if counted > documents + uncounted || (complete && counted < documents) {
            return Err(format!(
                "counted {counted}, written {written:?}, and {uncounted} before: {status:?}"
            ));
        }
        self.uncounted = Some(documents + uncounted - counted);
        Ok(())
    }

    fn lose_ledger(&mut self, loss: Loss) {
        self.world.lose_ledger(loss);
        self.ledger_is_lost(loss);
    }

    fn ledger_is_lost(&mut self, loss: Loss) {
        self.uncounted = None;
        match loss {
            Loss::Deleted => self.rules.forget_excuses(),
            Loss::Corrupted => self.corrupted = true,
        }
    }

    fn settle(&mut self) -> Result<(), Broken> {
        self.online = true;
        self.settle_down()?;
        self.judge_ledger()?;
        // Now nothing is excused.
        self.rules.forget_excuses();
        let pass = Pass::Manual { skip_duplicates: self.script.skip_duplicates };
        self.look(pass, Around::Nothing)?;
        self.settle_down()?;
        self.judge_ledger()
    }

    /// Looks until a look leaves no trace: nothing is pending.
    fn settle_down(&mut self) -> Result<(), Broken> {
        for look in 1..=SETTLING {
            self.pay()?;
            let (told, doubtful) = (self.world.status(), self.corrupted);
            self.look(Pass::Full, Around::Nothing)?;
            // A ledger that was written over may say so several times before it is set aside for good.
            if self.world.status() == told && (!doubtful || look == SETTLING) {
                self.corrupted = false;
                return Ok(());
            }
        }
        Err(format!("there is always something pending: {:?}", self.world.status()))
    }

    /// The ledger tells the truth of each row.
    fn judge_ledger(&self) -> Result<(), Broken> {
        let documents = self.world.documents();
        for (id, row) in &self.world.rows() {
            let Some((outcome, object_id)) = self.world.remembered(*id) else {
                return Err(format!("the ledger doesn't know {row}"));
            };
            let allowed = self.rules.outcomes(*id, row, &documents, self.script.skip_duplicates);
            if !allowed.contains(&outcome.as_str()) {
                return Err(format!("the ledger says {outcome} of {row}; it is one of {allowed:?}"));
            }
            let own = self.rules.own(&documents, row).and_then(|document| document.get("_id"));
            if own.is_some_and(|own| *own != Bson::ObjectId(object_id)) {
                return Err(format!("the ledger knows another _id of {row}"));
            }
        }
        Ok(())
    }

    fn request(&self, pass: Pass) -> RunRequest {
        let (trigger, skip_duplicates) = match pass {
            Pass::Manual { skip_duplicates } => (Trigger::Manual, skip_duplicates),
            Pass::Full | Pass::Tail => (Trigger::Automatic, self.script.skip_duplicates),
        };
        RunRequest { trigger, batch_size: self.script.batch_size, skip_duplicates }
    }
}
