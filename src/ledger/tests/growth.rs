//! What the ledger takes on the disk as it grows, and what it forgets on the way.

use std::fs;
use std::path::Path;

use super::*;

/// Bytes of the write-ahead log and of the ledger itself.
fn sizes(directory: &Path) -> (u64, u64) {
    let size = |name: &str| fs::metadata(directory.join(name)).map_or(0, |metadata| metadata.len());
    (size("state.db-wal"), size("state.db"))
}

#[test]
fn the_log_takes_half_as_much_as_the_ledger_and_a_batch_at_most() {
    const LEAST: u64 = 64 * 4096;
    const MOST: u64 = 1024 * 4096;
    /// Header and frames of one batch's pages, and of those between two looks at the ledger's size.
    const SLACK: u64 = 400 * 1024;
    let temp = tempfile::tempdir().unwrap();
    let (mut ledger, _) = Ledger::open(temp.path()).unwrap();
    let mut longest = 0;
    for batch in 0..200_i64 {
        let mut rows = rows(1_000);
        for (row, position) in rows.iter_mut().zip(batch * 1_000..) {
            row.position = Value::Integer(position);
            // Of whom it is a duplicate is spread over the whole index.
            let spread = position.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed()).to_be_bytes();
            let of = ObjectId::from_bytes(std::array::from_fn(|at| spread[at % 8]));
            row.duplicate_of = row.duplicate_of.take().map(|_| Bson::ObjectId(of));
        }
        record(&mut ledger, &rows, 10).unwrap();
        let (log, whole) = sizes(temp.path());
        assert!(log <= (whole / 2).clamp(LEAST, MOST) + SLACK, "batch {batch}: {log} of {whole}");
        longest = longest.max(log);
    }
    assert!(longest > MOST / 2, "a large ledger's log is carried over seldom: {longest}");
    drop(ledger);
    let (ledger, opened) = Ledger::open(temp.path()).unwrap();
    assert_eq!(opened, Opened::Existing);
    assert_eq!(ledger.entries().unwrap(), 200_000);
}

#[test]
fn a_row_that_has_arrived_has_no_remark_wherever_it_stands_in_the_batch() {
    for spread in [1, 100] {
        let temp = tempfile::tempdir().unwrap();
        let (mut ledger, _) = Ledger::open(temp.path()).unwrap();
        let place = |mut row: Row| {
            if let Value::Integer(position) = &mut row.position {
                *position *= spread;
            }
            row
        };
        let before: Vec<_> = rows(300).into_iter().map(place).collect();
        record(&mut ledger, &before, 10).unwrap();
        let remarks = |ledger: &Ledger| ledger.remarks(None, None, 1_000).unwrap().records.len();
        let told = before.iter().filter(|row| row.outcome != Outcome::Exported).count();
        assert_eq!(remarks(&ledger), told);
        // Half of them arrive, in two batches.
        let (some, others) = before.split_at(150);
        let arrived: Vec<_> = some.iter().map(|row| row.clone().with(Outcome::Exported)).collect();
        record(&mut ledger, &arrived, 20).unwrap();
        let left = others.iter().filter(|row| row.outcome != Outcome::Exported).count();
        assert_eq!(remarks(&ledger), left, "spread {spread}");
        // A row that is told of and arrives within one batch, as another row has come to stand in its place.
        let row = place(Row::number(10));
        record(&mut ledger, &[row.clone(), row.with(Outcome::Exported)], 30).unwrap();
        assert_eq!(remarks(&ledger), left, "spread {spread}");
    }
}
