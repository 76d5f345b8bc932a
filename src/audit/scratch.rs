//! What an audit remembers of each row, in a temporary database that spills to disk.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::RawDocumentBuf;
use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use crate::ledger::{LedgerError, Ranks};
use crate::record::{Value, ValueRef};

/// Pages of it in memory.
const CACHE_KIB: i64 = 16 * 1024;

/// A row, as it is found again by its document's `_id`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Noted {
    /// Where it stands, as the ledger keys it.
    pub(super) position: Value,
    pub(super) key: String,
    pub(super) content: [u8; 16],
    /// The [fingerprint] of its fields; `None` if the row can't become a document.
    pub(super) fields: Option<[u8; 32]>,
}

/// What is remembered of a document's fields.
pub(super) fn fingerprint(fields: &[u8]) -> [u8; 32] {
    Sha256::digest(fields).into()
}

/// The temporary memory.
pub(super) struct Scratch {
    connection: Connection,
    ranks: Ranks,
}

impl Scratch {
    pub(super) fn new() -> Result<Self, LedgerError> {
        let connection = Connection::open("")?;
        connection.pragma_update(None, "journal_mode", "memory")?;
        connection.pragma_update(None, "synchronous", "off")?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.execute_batch(
            "CREATE TABLE noted (id BLOB PRIMARY KEY, position, key TEXT NOT NULL, content BLOB NOT NULL, fields BLOB) WITHOUT ROWID;
             CREATE TABLE extra (id BLOB PRIMARY KEY, key TEXT NOT NULL) WITHOUT ROWID;",
        )?;
        Ok(Self { connection, ranks: Ranks::new()? })
    }

    /// A page begins, perhaps again: what came since the last [`Scratch::keep`] doesn't count.
    pub(super) fn begin(&self) -> Result<(), LedgerError> {
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        self.connection.execute_batch("BEGIN")?;
        self.ranks.begin()
    }

    /// What came since [`Scratch::begin`] counts.
    pub(super) fn keep(&self) -> Result<(), LedgerError> {
        self.connection.execute_batch("COMMIT")?;
        self.ranks.keep()
    }

    /// The number of equal rows before this one.
    pub(super) fn next_rank(&self, content: &[u8; 16]) -> Result<u64, LedgerError> {
        self.ranks.next(content)
    }

    /// Remembers a row.
    pub(super) fn note(
        &self,
        id: ObjectId,
        position: ValueRef<'_>,
        key: &str,
        content: &[u8; 16],
        fields: Option<&RawDocumentBuf>,
    ) -> Result<(), LedgerError> {
        // Without the length before and the zero behind.
        let fields = fields.map(|fields| fingerprint(&fields.as_bytes()[4..fields.as_bytes().len() - 1]));
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO noted VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![id.bytes(), position, key, content, fields])?;
        Ok(())
    }

    /// The row of this document.
    pub(super) fn noted(&self, id: ObjectId) -> Result<Option<Noted>, LedgerError> {
        Ok(self
            .connection
            .prepare_cached("SELECT position, key, content, fields FROM noted WHERE id = ?1")?
            .query_row([id.bytes()], |row| {
                let position = ValueRef::from(row.get_ref(0)?).to_owned();
                Ok(Noted { position, key: row.get(1)?, content: row.get(2)?, fields: row.get(3)? })
            })
            .optional()?)
    }

    /// Remembers a document without a row.
    pub(super) fn note_extra(&self, id: ObjectId, key: &str) -> Result<(), LedgerError> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO extra VALUES (?1, ?2)")?
            .execute(params![id.bytes(), key])?;
        Ok(())
    }

    /// It has a row after all.
    pub(super) fn forget_extra(&self, id: ObjectId) -> Result<(), LedgerError> {
        self.connection.prepare_cached("DELETE FROM extra WHERE id = ?1")?.execute([id.bytes()])?;
        Ok(())
    }

    /// How many documents without a row there are, and the first ones.
    pub(super) fn extras(&self, limit: usize) -> Result<(u64, Vec<(ObjectId, String)>), LedgerError> {
        let count: i64 = self.connection.query_row("SELECT count(*) FROM extra", [], |row| row.get(0))?;
        let mut statement = self.connection.prepare("SELECT id, key FROM extra ORDER BY id LIMIT ?1")?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement
            .query_map([limit], |row| Ok((ObjectId::from_bytes(row.get::<_, [u8; 12]>(0)?), row.get(1)?)))?;
        Ok((count.unsigned_abs(), rows.collect::<Result<_, _>>()?))
    }
}
