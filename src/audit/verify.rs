//! Is in MongoDB what is in SQLite?
//!
//! What holds: a row is told as missing or different only after a second look at both sides has found the same; one
//! that a running daemon may just be about to send is looked at again for some seconds. A row that is left out for a
//! good reason is counted apart: a duplicate only while a document with its duplicate key is there.

mod compare;
mod judge;

use std::time::Duration;

use mongodb::bson::doc;
use mongodb::bson::oid::ObjectId;
use serde::Serialize;

use super::AuditError;
use super::scratch::Scratch;
use super::walk::{Row, Walk};
use crate::config::Config;
use crate::ledger::Ledger;
use crate::target::{Slices, Target, Written};
use judge::{Finding, Judge};

/// Rows that are looked at again for longer; of more the second look decides.
const PATIENCE_ROWS: usize = 10_000;

/// Of these, how many at once.
const PART: usize = 500;

/// How often, and after what time, a row is looked at again.
const ROUNDS: u32 = 15;
const ROUND: Duration = Duration::from_millis(400);

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A row without a document.
    Missing,
    /// A row whose document holds something else.
    Different,
    /// A document without a row.
    Extra,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What differs.
    pub kind: Kind,
    /// The row's key, as people know it.
    pub key: String,
    /// The document's `_id`, in hexadecimal digits.
    pub id: String,
    /// If the row is different: in which columns.
    pub columns: Vec<String>,
    /// What is known of the cause.
    pub why: &'static str,
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Rows in SQLite.
    pub rows: u64,
    /// Of these: their documents hold the same.
    pub same: u64,
    /// Of these: left out, as another document has their duplicate key; it is there.
    pub duplicates: u64,
    /// Of these: refused by MongoDB.
    pub rejected: u64,
    /// Of these: held since a rollback.
    pub held: u64,
    /// Of these: without a document for no such reason.
    pub missing: u64,
    /// Of these: their documents hold something else.
    pub different: u64,
    /// Of these: gone while it was looked at.
    pub gone: u64,
    /// Documents of this host and table without a row.
    pub extra: u64,
    /// The first differences.
    pub differences: Vec<Difference>,
}

impl Verified {
    /// How many rows and documents differ.
    #[must_use]
    pub fn differing(&self) -> u64 {
        self.missing + self.different + self.extra
    }
}

/// What a verification works with.
pub struct Surroundings<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Which host and table it is.
    pub source: &'a str,
    /// MongoDB.
    pub target: &'a Target,
    /// The ledger, if it speaks of this table and collection.
    pub ledger: Option<&'a Ledger>,
    /// Whether a daemon may be sending rows.
    pub is_live: bool,
    /// How many differences are told.
    pub limit: usize,
    /// Is told how many rows were compared, of how many.
    pub progress: &'a dyn Fn(u64, u64),
}

/// Compares every row with its document, and looks for documents without a row.
///
/// # Errors
/// See [`AuditError`].
pub async fn verify(around: &Surroundings<'_>) -> Result<Verified, AuditError> {
    let mut walk = new_walk(around)?;
    let scratch = Scratch::new()?;
    let judge = Judge::new(around, &walk);
    let total = walk.total()?;
    let mut verified = Verified::default();
    let mut later: Vec<Row> = Vec::new();
    while let Some(rows) = walk.next(&scratch)? {
        verified.rows += rows.len() as u64;
        let findings = judge.all(&rows).await?;
        let mut suspects = Vec::new();
        for (row, finding) in rows.into_iter().zip(findings) {
            if finding.is_fine() { count(&mut verified, around, &row, &finding) } else { suspects.push(row) }
        }
        let seen = look_again(&mut walk, &judge, suspects, &mut verified, around).await?;
        for Seen { row, finding, changed } in seen {
            let may_settle = changed || (around.is_live && finding.is_pending());
            if may_settle && later.len() < PATIENCE_ROWS {
                later.push(row.without_fields());
            } else {
                count(&mut verified, around, &row, &finding);
            }
        }
        (around.progress)(verified.rows, total.max(verified.rows));
    }
    for round in 1..=ROUNDS {
        if later.is_empty() {
            break;
        }
        tokio::time::sleep(ROUND).await;
        let mut open = Vec::new();
        while !later.is_empty() {
            let part = later.split_off(later.len().saturating_sub(PART));
            for Seen { row, finding, changed } in
                look_again(&mut walk, &judge, part, &mut verified, around).await?
            {
                let may_settle = changed || (around.is_live && finding.is_pending());
                if may_settle && round < ROUNDS {
                    open.push(row.without_fields());
                } else {
                    count(&mut verified, around, &row, &finding);
                }
            }
        }
        later = open;
    }
    extras(around, &scratch, &mut verified).await?;
    Ok(verified)
}

fn new_walk(around: &Surroundings<'_>) -> Result<Walk, AuditError> {
    let Config { sqlite, export, .. } = around.config;
    Ok(Walk::new(sqlite, &export.duplicate_key, around.source)?)
}

/// A row that was looked at again and still isn't well.
struct Seen {
    row: Row,
    finding: Finding,
    /// Whether the row changed since the last look.
    changed: bool,
}

/// Looks at both sides again; counts what is well by now.
async fn look_again(
    walk: &mut Walk,
    judge: &Judge<'_>,
    rows: Vec<Row>,
    verified: &mut Verified,
    around: &Surroundings<'_>,
) -> Result<Vec<Seen>, AuditError> {
    let (mut now, mut changes) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    for row in rows {
        match walk.again(&row.position, row.rank)? {
            Some(row_now) => {
                changes.push(row_now.content != row.content);
                now.push(row_now);
            }
            None => verified.gone += 1,
        }
    }
    let findings = judge.all(&now).await?;
    let mut seen = Vec::new();
    for ((row, finding), changed) in now.into_iter().zip(findings).zip(changes) {
        if finding.is_fine() {
            count(verified, around, &row, &finding);
        } else {
            seen.push(Seen { row, finding, changed });
        }
    }
    Ok(seen)
}

fn count(verified: &mut Verified, around: &Surroundings<'_>, row: &Row, finding: &Finding) {
    let (kind, columns, why) = match finding {
        Finding::Same => return verified.same += 1,
        Finding::Duplicate => return verified.duplicates += 1,
        Finding::Rejected => return verified.rejected += 1,
        Finding::Held => return verified.held += 1,
        Finding::Missing(cause) => {
            verified.missing += 1;
            (Kind::Missing, Vec::new(), cause.words())
        }
        Finding::Different { columns, pending } => {
            verified.different += 1;
            let why = if *pending { "the row was changed, and isn't sent yet" } else { "" };
            (Kind::Different, columns.clone(), why)
        }
    };
    tell(
        verified,
        around.limit,
        Difference { kind, key: row.key.clone(), id: row.id.to_hex(), columns, why },
    );
}

fn tell(verified: &mut Verified, limit: usize, difference: Difference) {
    if verified.differences.len() < limit {
        verified.differences.push(difference);
    }
}

/// Documents of this host and table whose rows weren't met; rows that came since are looked for.
async fn extras(
    around: &Surroundings<'_>,
    scratch: &Scratch,
    verified: &mut Verified,
) -> Result<(), AuditError> {
    let written = Written { source: around.source, export_id: None };
    let projection = doc! { "export_metadata.original_sqlite_id": 1 };
    let (mut slices, mut any) = (Slices::default(), false);
    loop {
        let take = |id: ObjectId, document: &mongodb::bson::raw::RawDocument| {
            let key = document.get_document("export_metadata").ok();
            Some((
                id,
                key.and_then(|key| key.get_str("original_sqlite_id").ok()).unwrap_or_default().to_owned(),
            ))
        };
        let Some(found) = around.target.next_slice(&mut slices, written, projection.clone(), take).await?
        else {
            break;
        };
        scratch.begin()?;
        for (id, key) in found {
            if scratch.noted(id)?.is_none() {
                any = true;
                scratch.note_extra(id, &key)?;
            }
        }
        scratch.keep()?;
    }
    if !any {
        return Ok(());
    }
    let (mut walk, second) = (new_walk(around)?, Scratch::new()?);
    while let Some(rows) = walk.next(&second)? {
        for row in rows {
            scratch.forget_extra(row.id)?;
        }
    }
    let left = around.limit.saturating_sub(verified.differences.len());
    let (count, first) = scratch.extras(left)?;
    verified.extra = count;
    for (id, key) in first {
        let why = "no row has this _id: it was deleted, or is another one now";
        let extra = Difference { kind: Kind::Extra, key, id: id.to_hex(), columns: Vec::new(), why };
        tell(verified, around.limit, extra);
    }
    Ok(())
}
