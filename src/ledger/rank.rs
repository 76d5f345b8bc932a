//! Telling equal rows without a key apart: by how many of them came before.

use rusqlite::Connection;

use super::LedgerError;

/// Counts equal rows during one reading of the table, in a temporary database that spills to disk: memory stays bounded.
pub struct Ranks {
    connection: Connection,
}

impl Ranks {
    /// Nothing is counted yet.
    ///
    /// # Errors
    /// No temporary database can be made.
    pub fn new() -> Result<Self, LedgerError> {
        let connection = Connection::open("")?;
        connection.execute_batch(
            "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA cache_size = -1024;
             CREATE TABLE seen (content BLOB PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;",
        )?;
        Ok(Self { connection })
    }

    /// A page begins, perhaps again: what was counted since the last [`Ranks::keep`] doesn't count.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn begin(&self) -> Result<(), LedgerError> {
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        Ok(self.connection.execute_batch("BEGIN")?)
    }

    /// The page ended well.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn keep(&self) -> Result<(), LedgerError> {
        Ok(self.connection.execute_batch("COMMIT")?)
    }

    /// The number of equal rows before this one.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn next(&self, content: &[u8; 16]) -> Result<u64, LedgerError> {
        let rank: i64 = self
            .connection
            .prepare_cached(
                "INSERT INTO seen VALUES (?1, 1) ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count - 1",
            )?
            .query_row([content], |row| row.get(0))?;
        Ok(rank.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rows_are_numbered_and_a_page_read_again_is_numbered_the_same() {
        let ranks = Ranks::new().unwrap();
        let (a, b) = ([1; 16], [2; 16]);
        let next = |content| ranks.next(content).unwrap();
        ranks.begin().unwrap();
        assert_eq!([next(&a), next(&b), next(&a)], [0, 0, 1]);
        ranks.keep().unwrap();
        ranks.begin().unwrap();
        assert_eq!([next(&a), next(&a), next(&b)], [2, 3, 1]);
        ranks.begin().unwrap();
        assert_eq!([next(&a), next(&a)], [2, 3], "read again");
        ranks.keep().unwrap();
        ranks.begin().unwrap();
        assert_eq!([next(&a), next(&b)], [4, 1], "b was not in the second reading");
    }
}
