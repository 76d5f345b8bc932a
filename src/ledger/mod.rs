//! Local memory of what was delivered: `state.db`.
//!
//! What holds:
//! - it only saves work: truncated, corrupted or deleted, it is set aside and filled again by comparing with MongoDB;
//! - one flipped bit never turns one outcome into another;
//! - an entry is written after a majority has acknowledged the row, never before;
//! - all entries speak of one source and one target; if either is another one, they are forgotten;
//! - of a row it holds the key and hashes, never other values, and no text that could quote one; of a document that a
//!   row duplicates, the `_id`.

mod aside;
mod call;
mod condition;
mod counted;
mod doubt;
mod entry;
mod error;
mod heritage;
mod hold;
mod lock;
mod open;
mod rank;
mod remark;
mod remarked;
mod run;
mod store;

use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

pub use call::{call, call_path, was_called};
pub use counted::CountedTo;
pub use entry::{Entry, Record, Standing};
pub use error::LedgerError;
pub use lock::{Taken, is_taken, take};
pub use open::Opened;
pub use rank::Ranks;
pub use remark::{Cursor, InvalidCursor};
pub use run::{RunEnd, RunStart};
pub use store::Store;

/// The ledger, open.
pub struct Ledger {
    connection: Connection,
    /// Where it stands; `None` if it is only kept until the daemon ends.
    file: Option<open::LedgerFile>,
}

impl Ledger {
    /// A fact that survives a restart.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn fact(&self, name: &str) -> Result<Option<String>, LedgerError> {
        Ok(self
            .connection
            .prepare_cached("SELECT value FROM fact WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()?)
    }

    /// Keeps a fact.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn set_fact(&self, name: &str, value: &str) -> Result<(), LedgerError> {
        self.connection
            .prepare_cached(
                "INSERT INTO fact VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value",
            )?
            .execute([name, value])?;
        Ok(())
    }

    /// Says of which source and target the entries speak from now on. If they spoke of others, all are forgotten, and
    /// the answer is [`Bound::Forgotten`].
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn bind(&mut self, source: &str, target: &str) -> Result<Bound, LedgerError> {
        let before = (self.fact("source")?, self.fact("target")?);
        if before.0.as_deref() == Some(source) && before.1.as_deref() == Some(target) {
            return Ok(Bound::Same);
        }
        let transaction = self.begin()?;
        let entries: i64 = transaction.query_row("SELECT count(*) FROM entry", [], |row| row.get(0))?;
        forget_entries(&transaction)?;
        for (name, value) in [("source", source), ("target", target)] {
            transaction.execute(
                "INSERT INTO fact VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value",
                params![name, value],
            )?;
        }
        transaction.commit()?;
        Ok(if entries > 0 { Bound::Forgotten { entries: entries.unsigned_abs() } } else { Bound::Same })
    }

    /// Forgets what became of each row. Past exports stay.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub(super) fn forget_entries(&mut self) -> Result<(), LedgerError> {
        let transaction = self.begin()?;
        forget_entries(&transaction)?;
        Ok(transaction.commit()?)
    }

    /// Forgets what it keeps in memory to be quick: pages and statements that the last export has used.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn shrink(&self) -> Result<(), LedgerError> {
        self.connection.flush_prepared_statement_cache();
        Ok(self.connection.execute_batch("PRAGMA shrink_memory")?)
    }

    /// Begins a transaction that writes. One that a failed rollback left open is ended first.
    fn begin(&mut self) -> Result<Transaction<'_>, LedgerError> {
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        Ok(self.connection.transaction()?)
    }

    /// Whether the ledger is only kept until the daemon ends, because its directory can't be used.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.file.is_none()
    }

    /// Where the ledger stands, if it has a file.
    #[must_use]
    pub fn path(&self) -> Option<PathBuf> {
        self.file.as_ref().map(|file| file.path.clone())
    }
}

/// Without conditions, so that SQLite frees whole pages and writes none of them: fast, whatever the number of rows.
fn forget_entries(transaction: &Transaction<'_>) -> Result<(), LedgerError> {
    transaction.execute("DELETE FROM entry", [])?;
    transaction.execute("DELETE FROM remark", [])?;
    counted::entries_are_lost(transaction)
}

/// What [`Ledger::bind`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The entries speak of this source and target (or there were none).
    Same,
    /// They spoke of others and were forgotten.
    Forgotten {
        /// How many there were.
        entries: u64,
    },
}

#[cfg(test)]
mod tests;
