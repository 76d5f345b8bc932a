//! The ledger on real files, whatever is done to them.

mod counted;
mod damage;
mod growth;
mod noise;
mod remarks;
mod runs;
mod store;

use mongodb::bson::Bson;
use mongodb::bson::oid::ObjectId;

use super::*;
use crate::record::{Value, ValueRef};
use crate::report::{Outcome, Progress, Timestamp, Trigger};

/// A row that was dealt with.
#[derive(Clone, Debug)]
struct Row {
    position: Value,
    id: ObjectId,
    content: [u8; 16],
    outcome: Outcome,
    duplicate_of: Option<Bson>,
}

impl Row {
    /// The row with this number, always the same: every tenth a duplicate, every thirteenth rejected.
    fn number(number: u16) -> Self {
        let [high, low] = number.to_be_bytes();
        let outcome = match number {
            _ if number.is_multiple_of(13) => Outcome::Rejected,
            _ if number.is_multiple_of(10) => Outcome::Duplicate,
            _ => Outcome::Exported,
        };
        Self {
            position: Value::Integer(number.into()),
            id: ObjectId::from_bytes([high, low, 1, 2, 3, 4, 5, 6, 7, 8, high, low]),
            content: [low, high, low, high, 5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7],
            outcome,
            duplicate_of: (outcome == Outcome::Duplicate)
                .then(|| Bson::ObjectId(ObjectId::from_bytes([9; 12]))),
        }
    }

    fn with(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    fn record(&self) -> Record<'_> {
        let rejected = self.outcome == Outcome::Rejected;
        Record {
            position: self.position.as_ref(),
            key: "key",
            id: self.id,
            content: self.content,
            outcome: self.outcome,
            code: rejected.then_some(121),
            detail: if rejected { "the collection's validator refuses it" } else { "" },
            duplicate_of: self.duplicate_of.as_ref(),
            moved: false,
        }
    }
}

fn rows(count: u16) -> Vec<Row> {
    (1..=count).map(Row::number).collect()
}

fn record(ledger: &mut Ledger, rows: &[Row], at: i64) -> Result<(), LedgerError> {
    let records: Vec<_> = rows.iter().map(Row::record).collect();
    let standing = Standing { run: 1, progress: &Progress::default(), written_at: "" };
    ledger.record(standing, &records, Timestamp::from_millis(at)).map(drop)
}

fn at(position: i64) -> ValueRef<'static> {
    ValueRef::Integer(position)
}

fn start(export_id: &str) -> RunStart {
    RunStart { export_id: export_id.to_owned(), trigger: Trigger::Automatic, at: Timestamp::from_millis(1) }
}
