//! The application: a table whose ids start again at 1, times that never repeat, and a copy of the file.

use std::fs;
use std::path::{Path, PathBuf};

use mongodb::bson::{Bson, Document, doc};
use rusqlite::{Connection, params};

use super::rules::Rows;
use super::script::{Change, Person};

const SCHEMA: &str = "CREATE TABLE chat_inquiry_information (
    id INTEGER PRIMARY KEY, email TEXT, mobile TEXT, city TEXT, created_at TEXT, updated_at TEXT)";

/// 2024-01-01T00:00:00Z.
const START: i64 = 1_704_067_200;

/// The application with its database.
pub(super) struct Application {
    /// `None` only while the file is replaced.
    connection: Option<Connection>,
    path: PathBuf,
    /// Moments and names given so far.
    given: i64,
}

impl Application {
    pub(super) fn start(directory: &Path) -> Self {
        let path = directory.join("inquiries.db");
        let connection = open(&path);
        connection.execute_batch(SCHEMA).expect("an empty file");
        Self { connection: Some(connection), path, given: 0 }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// A moment later than all before.
    pub(super) fn tick(&mut self) -> String {
        self.given += 1;
        let moment = jiff::Timestamp::from_second(START + self.given * 60).expect("a time of these days");
        format!("{moment:.3}")
    }

    /// A city that wasn't named before.
    pub(super) fn city(&mut self) -> String {
        self.given += 1;
        format!("city {}", self.given)
    }

    pub(super) fn insert(&mut self, persons: &[Person]) {
        self.execute("BEGIN");
        for person in persons {
            let city = self.city();
            self.insert_one(None, *person, &city);
        }
        self.execute("COMMIT");
    }

    /// With the lowest id that is free.
    pub(super) fn insert_low(&mut self, person: Person) {
        let rows = self.rows();
        let id = (1..).find(|id| !rows.contains_key(id));
        let city = self.city();
        self.insert_one(id, person, &city);
    }

    pub(super) fn insert_misfit(&mut self, person: Person) {
        let city = format!("misfit {}", self.city());
        self.insert_one(None, person, &city);
    }

    pub(super) fn update(&mut self, number: u8, change: Change) {
        let Some(id) = self.pick(number) else { return };
        let city = self.city();
        let city = if change == Change::Misfit { format!("misfit {city}") } else { city };
        self.run("UPDATE chat_inquiry_information SET city = ?2 WHERE id = ?1", params![id, city]);
        if change != Change::Silent {
            let now = self.tick();
            self.run("UPDATE chat_inquiry_information SET updated_at = ?2 WHERE id = ?1", params![id, now]);
        }
        if let Change::To(person) = change {
            let (email, mobile) = contact(person);
            let sql = "UPDATE chat_inquiry_information SET email = ?2, mobile = ?3 WHERE id = ?1";
            self.run(sql, params![id, email, mobile]);
        }
    }

    pub(super) fn delete(&mut self, number: u8) {
        if let Some(id) = self.pick(number) {
            self.run("DELETE FROM chat_inquiry_information WHERE id = ?1", params![id]);
        }
    }

    pub(super) fn execute(&self, sql: &str) {
        self.connection().execute_batch(sql).expect("nobody keeps the application from working");
    }

    /// Copies the database, over an older copy if there is one.
    pub(super) fn backup(&mut self) {
        let copy = self.copy();
        if copy.exists() {
            fs::remove_file(&copy).expect("our own directory");
        }
        self.run("VACUUM INTO ?1", params![copy.to_str().expect("a readable name")]);
    }

    /// The copy takes the place of the database, if there is one.
    pub(super) fn restore(&mut self) {
        if !self.copy().exists() {
            return;
        }
        let closed = self.connection.take().expect("it is open").close();
        closed.map_err(|(_, error)| error).expect("the database closes");
        let fresh = self.path.with_extension("fresh");
        fs::copy(self.copy(), &fresh).expect("our own directory");
        fs::rename(&fresh, &self.path).expect("our own directory");
        self.connection = Some(open(&self.path));
    }

    /// All rows.
    pub(super) fn rows(&self) -> Rows {
        let mut statement = self
            .connection()
            .prepare_cached(
                "SELECT id, email, mobile, city, created_at, updated_at FROM chat_inquiry_information",
            )
            .expect("the table as created");
        let rows = statement.query_map([], |row| {
            let text = |column| row.get::<_, Option<String>>(column).map(Bson::from);
            let id: i32 = row.get(0)?;
            let document = doc! {
                "id": id, "email": text(1)?, "mobile": text(2)?, "city": text(3)?,
                "created_at": text(4)?, "updated_at": text(5)?,
            };
            Ok((i64::from(id), document))
        });
        rows.and_then(Iterator::collect).expect("the table can be read")
    }

    fn insert_one(&mut self, id: Option<i64>, person: Person, city: &str) {
        let now = self.tick();
        let (email, mobile) = contact(person);
        let sql = "INSERT INTO chat_inquiry_information VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
        self.run(sql, params![id, email, mobile, city, now]);
    }

    fn pick(&self, number: u8) -> Option<i64> {
        let rows = self.rows();
        rows.keys().nth(usize::from(number) % rows.len().max(1)).copied()
    }

    fn run(&self, sql: &str, parameters: &[&dyn rusqlite::ToSql]) {
        self.connection().execute(sql, parameters).expect("nobody keeps the application from working");
    }

    fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("it is open")
    }

    fn copy(&self) -> PathBuf {
        self.path.with_extension("copy")
    }
}

/// The columns that tell who somebody is, as a document has them.
pub(super) fn columns_of(person: Person) -> Document {
    let (email, mobile) = contact(person);
    doc! { "email": email, "mobile": mobile }
}

fn contact(person: Person) -> (Option<&'static str>, &'static str) {
    match person {
        Person::Anna => (Some("anna@example.org"), "0700000001"),
        Person::Ben => (Some("ben@example.org"), "0700000002"),
        Person::Cleo => (Some("cleo@example.org"), "0700000003"),
        Person::Nobody => (None, ""),
    }
}

fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("the database opens");
    connection.pragma_update(None, "journal_mode", "wal").expect("a journal mode");
    // Nobody pulls the plug here.
    connection.pragma_update(None, "synchronous", "off").expect("a valid value");
    connection
}
