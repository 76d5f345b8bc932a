//! The application: somebody who writes inquiries into a SQLite table and knows nothing of the daemon.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, named_params};

/// The table's name.
pub const TABLE: &str = "chat_inquiry_information";

/// A key without AUTOINCREMENT: after the table was emptied, ids start again at 1.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS chat_inquiry_information (
        id INTEGER PRIMARY KEY,
        user_id TEXT, parentType TEXT, schoolType TEXT, firstName TEXT, mobile TEXT, email TEXT, city TEXT,
        childName TEXT, grade TEXT, academicYear TEXT, dateOfBirth TEXT, schoolName TEXT, status TEXT,
        source TEXT, created_at TEXT, updated_at TEXT
    )";

const INSERT: &str = "
    INSERT INTO chat_inquiry_information (
        user_id, parentType, schoolType, firstName, mobile, email, city, childName, grade, academicYear,
        dateOfBirth, schoolName, status, source, created_at, updated_at
    ) VALUES (
        :user_id, :parent_type, :school_type, :first_name, :mobile, :email, :city, :child_name, :grade,
        :academic_year, :date_of_birth, :school_name, :status, :source, :created_at, :created_at
    )";

/// 2024-01-01T08:00:00Z: when the first inquiry was made. One follows each minute.
const FIRST_INQUIRY: i64 = 1_704_096_000;

const FIRST_NAMES: [&str; 12] =
    ["Anna", "Ben", "Carla", "David", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Kavya", "Liam"];
const LAST_NAMES: [&str; 11] =
    ["Abbott", "Bauer", "Costa", "Dubois", "Evans", "Fischer", "Gupta", "Hansen", "Ito", "Jensen", "Kumar"];
const CITIES: [&str; 7] =
    ["Springfield", "Riverton", "Lakeside", "Hillview", "Maplewood", "Fairmont", "Ashford"];
const SCHOOLS: [&str; 3] = ["Greenwood Academy", "Lakeview School", "St. Mary's"];

/// SQLite's journal modes that applications use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journal {
    /// A write-ahead log.
    Wal,
    /// A rollback journal, deleted at each commit.
    Delete,
    /// A rollback journal, truncated at each commit.
    Truncate,
}

/// One row, with the table's columns except the id, which SQLite gives. `NULL` is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inquiry {
    pub user_id: Option<String>,
    pub parent_type: String,
    pub school_type: String,
    pub first_name: String,
    pub mobile: Option<String>,
    pub email: Option<String>,
    pub city: String,
    pub child_name: String,
    pub grade: String,
    pub academic_year: String,
    pub date_of_birth: String,
    pub school_name: String,
    pub status: String,
    pub source: String,
    pub created_at: String,
}

impl Inquiry {
    /// The inquiry with this number, always the same, by a person of its own.
    #[must_use]
    pub fn number(number: u32) -> Self {
        let pick = |choices: &[&'static str]| choices[number as usize % choices.len()];
        let (first, last) = (pick(&FIRST_NAMES), pick(&LAST_NAMES));
        let seconds = FIRST_INQUIRY + i64::from(number) * 60;
        let created = jiff::Timestamp::from_second(seconds).expect("some year between 2024 and 12,000");
        Self {
            user_id: (!number.is_multiple_of(3)).then(|| format!("user-{number:06}")),
            parent_type: pick(&["New Parent", "New Parent", "Existing Parent"]).to_owned(),
            school_type: pick(&["Day School", "Day School", "Day School", "Boarding School"]).to_owned(),
            first_name: format!("{first} {last}"),
            // Digits with a leading zero: text that must not become a number.
            mobile: Some(format!("0{:09}", 700_000_000 + number)),
            email: Some(format!("{}.{}.{number}@example.org", first.to_lowercase(), last.to_lowercase())),
            city: pick(&CITIES).to_owned(),
            child_name: format!("{} {last}", FIRST_NAMES[(number as usize / 7) % FIRST_NAMES.len()]),
            grade: format!("Grade {}", number % 12 + 1),
            academic_year: "2024-2025".to_owned(),
            date_of_birth: format!("{}-{:02}-{:02}", 2008 + number % 10, number % 12 + 1, number % 28 + 1),
            school_name: pick(&SCHOOLS).to_owned(),
            status: pick(&["new", "new", "contacted", "visited", "closed"]).to_owned(),
            source: pick(&["api", "website"]).to_owned(),
            created_at: format!("{created:.3}"),
        }
    }

    /// The same inquiry, made by the person of another one: a duplicate of it.
    #[must_use]
    pub fn by_the_person_of(mut self, other: &Self) -> Self {
        self.first_name.clone_from(&other.first_name);
        self.mobile.clone_from(&other.mobile);
        self.email.clone_from(&other.email);
        self
    }
}

/// The application with its database open for reading and writing.
pub struct App {
    connection: Connection,
    path: PathBuf,
    /// The number of the next inquiry.
    next: u32,
}

impl App {
    /// Makes `inquiries.db` with an empty table in `directory`, with a write-ahead log.
    #[must_use]
    #[track_caller]
    pub fn create(directory: &Path) -> Self {
        Self::create_with(directory, Journal::Wal)
    }

    /// Makes the same with another journal mode.
    #[must_use]
    #[track_caller]
    pub fn create_with(directory: &Path, journal: Journal) -> Self {
        let app = Self::open(&directory.join("inquiries.db"));
        let mode = match journal {
            Journal::Wal => "wal",
            Journal::Delete => "delete",
            Journal::Truncate => "truncate",
        };
        app.connection.pragma_update(None, "journal_mode", mode).expect("a journal mode");
        app.execute(SCHEMA);
        app
    }

    /// Opens a database again, as the application does when it starts. Its inquiries are numbered after the
    /// highest id.
    #[must_use]
    #[track_caller]
    pub fn open(path: &Path) -> Self {
        let connection = Connection::open(path).expect("the database opens");
        // It doesn't wait for a lock: whoever disturbs the application is noticed.
        connection.busy_timeout(Duration::ZERO).expect("a valid timeout");
        let sql = "SELECT coalesce(max(id), 0) FROM chat_inquiry_information";
        // No table yet, no inquiry yet.
        let next = connection.query_row(sql, [], |row| row.get(0)).unwrap_or(0);
        Self { connection, path: path.to_owned(), next }
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `count` inquiries in one transaction, each by a person who hasn't asked before.
    #[track_caller]
    pub fn insert_inquiries(&mut self, count: u32) {
        let first = self.next;
        self.next += count;
        self.insert((first..self.next).map(Inquiry::number));
    }

    /// Writes `count` inquiries by the persons of the first ones, in one transaction.
    #[track_caller]
    pub fn insert_duplicates(&mut self, count: u32) {
        let first = self.next;
        self.next += count;
        let numbers = (0..).zip(first..self.next);
        self.insert(numbers.map(|(old, new)| Inquiry::number(new).by_the_person_of(&Inquiry::number(old))));
    }

    /// Writes inquiries in one transaction.
    #[track_caller]
    pub fn insert(&mut self, inquiries: impl IntoIterator<Item = Inquiry>) {
        let transaction = self.connection.transaction().expect("nobody else writes");
        {
            let mut insert = transaction.prepare_cached(INSERT).expect("the table as created");
            for row in inquiries {
                let written = insert.execute(named_params! {
                    ":user_id": row.user_id, ":parent_type": row.parent_type, ":school_type": row.school_type,
                    ":first_name": row.first_name, ":mobile": row.mobile, ":email": row.email,
                    ":city": row.city, ":child_name": row.child_name, ":grade": row.grade,
                    ":academic_year": row.academic_year, ":date_of_birth": row.date_of_birth,
                    ":school_name": row.school_name, ":status": row.status, ":source": row.source,
                    ":created_at": row.created_at,
                });
                written.expect("an inquiry is written");
            }
        }
        transaction.commit().expect("nobody keeps the application from committing");
    }

    /// Runs statements, separated by semicolons.
    #[track_caller]
    pub fn execute(&self, sql: &str) {
        self.connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The number of rows.
    #[track_caller]
    pub fn count(&self) -> u64 {
        let sql = "SELECT count(*) FROM chat_inquiry_information";
        let count: i64 = self.connection.query_row(sql, [], |row| row.get(0)).expect("the table as created");
        count.unsigned_abs()
    }

    /// The application's own connection, for what has no method here.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Ends the application; with a write-ahead log, the last connection writes it back and removes it.
    #[track_caller]
    pub fn close(self) {
        self.connection.close().map_err(|(_, error)| error).expect("the database closes");
    }
}
