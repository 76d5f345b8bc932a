//! Values to and from SQLite's own types.

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef as Sql};

use super::ValueRef;

impl<'a> From<Sql<'a>> for ValueRef<'a> {
    fn from(value: Sql<'a>) -> Self {
        match value {
            Sql::Null => Self::Null,
            Sql::Integer(i) => Self::Integer(i),
            Sql::Real(r) => Self::Real(r),
            Sql::Text(bytes) => Self::Text(bytes),
            Sql::Blob(bytes) => Self::Blob(bytes),
        }
    }
}

impl ToSql for ValueRef<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => Sql::Null,
            Self::Integer(i) => Sql::Integer(*i),
            Self::Real(r) => Sql::Real(*r),
            Self::Text(bytes) => Sql::Text(bytes),
            Self::Blob(bytes) => Sql::Blob(bytes),
        }))
    }
}
