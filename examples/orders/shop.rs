//! A shop with a table of its own make, and what of it arrives by `config.toml` beside this file.

use std::fmt;

use figment::providers::{Format, Toml};
use mongodb::bson::{Bson, Document, doc};
use serde_json::{Map, Value};

use crate::support::daemon::{Builder, Daemon};
use crate::support::mongod::{Mongod, fresh_database};
use crate::support::sqlite::App;
use crate::support::wait::{PATIENCE, eventually};

/// The configuration, as it would be given to the daemon by `--config`.
const CONFIG: &str = include_str!("config.toml");

const TABLE: &str = "
    CREATE TABLE orders (
        number TEXT PRIMARY KEY, placed INTEGER, changed INTEGER, customer TEXT, state TEXT, paid INTEGER,
        total TEXT, lines TEXT, receipt BLOB, card TEXT
    );
    INSERT INTO orders VALUES
        ('2024-0007', 1709290800, 1709290800, '65927100a59b16a07fd951f0', 'sent', 1, '19.90',
         '[{\"item\": \"tea\", \"count\": 2}]', X'89504e47', '4111 1111 1111 1111'),
        ('2024-0008', 1709294400, NULL, NULL, 'open', 0, '5.00', '[]', NULL, NULL),
        ('2024-0009', 1709298000, NULL, NULL, 'open', 0, 'free', NULL, NULL, NULL)";

/// What came of it.
pub(crate) struct Seen {
    /// Each column of the first order, and what SQLite stores it as.
    stored: Vec<(String, String)>,
    /// The same order's document.
    arrived: Document,
    /// Why the last one was rejected.
    reason: String,
    /// Documents after the shop had mended it.
    documents: u64,
}

/// The shop's rows on their way, to the end.
pub(crate) fn run(mongod: &Mongod) -> Seen {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut app = App::create(directory.path());
    app.execute(TABLE);
    let (mongo, database) = (mongod.client(), fresh_database("orders"));
    let daemon = configured(&app, mongod).set("mongodb.database", database.as_str()).start();
    let count = |filter: Document| mongo.count_where(&database, "orders", filter);
    eventually(PATIENCE, "two orders", || (count(doc! {}) == 2).then_some(()));
    let reason = eventually(PATIENCE, "one rejected order", || {
        let (_, records) = daemon.get("/api/export/records?outcome=rejected");
        records["data"]["records"][0]["reason"].as_str().map(str::to_owned)
    });
    let arrived = mongo.find(&database, "orders", doc! { "number": "2024-0007" }).remove(0);
    let stored = stored(&mut app);
    app.execute("UPDATE orders SET total = '0.00' WHERE total = 'free'");
    eventually(PATIENCE, "the mended order", || (count(doc! { "number": "2024-0009" }) == 1).then_some(()));
    let documents = count(doc! {});
    daemon.terminate();
    mongo.close();
    Seen { stored, arrived, reason, documents }
}

/// A daemon by the file, but for this application and this MongoDB.
fn configured(app: &App, mongod: &Mongod) -> Builder {
    let sections: Map<String, Value> = Toml::from_str(CONFIG).expect("the file is TOML");
    let mut builder = Daemon::builder(app.path(), &mongod.uri());
    for (section, keys) in sections {
        for (key, value) in keys.as_object().expect("a section").iter().filter(|(key, _)| *key != "path") {
            builder = builder.set(&format!("{section}.{key}"), value.clone());
        }
    }
    builder
}

/// The first order as SQLite has it.
fn stored(app: &mut App) -> Vec<(String, String)> {
    let connection = app.connection();
    let statement = connection.prepare("SELECT * FROM orders LIMIT 1").expect("the shop's own table");
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let classes = names.iter().map(|name| format!("typeof({name}) || ' ' || quote({name})"));
    let sql = format!("SELECT {} FROM orders LIMIT 1", classes.collect::<Vec<_>>().join(", "));
    drop(statement);
    let row = |row: &rusqlite::Row<'_>| (0..names.len()).map(|place| row.get(place)).collect();
    let values: Vec<String> = connection.query_row(&sql, [], row).expect("the shop's own row");
    names.into_iter().zip(values).collect()
}

impl Seen {
    /// What isn't as it is to be, if anything.
    pub(crate) fn trouble(&self) -> Option<String> {
        let kinds: Vec<(&str, &str)> =
            self.arrived.iter().map(|(name, value)| (name.as_str(), kind(value))).collect();
        let expected = [
            ("_id", "ObjectId"),
            ("number", "String"),
            ("placed", "Date"),
            ("changed", "Date"),
            ("customerId", "ObjectId"),
            ("state", "String"),
            ("paid", "Boolean"),
            ("total", "Decimal128"),
            ("lines", "Array"),
            ("receipt", "Binary"),
            ("shop", "String"),
            ("export_metadata", "Document"),
        ];
        if kinds != expected {
            return Some(format!("{kinds:?} arrived"));
        }
        if !self.reason.contains(r#"column "total" can't be converted to decimal"#) {
            return Some(format!("rejected as {}", self.reason));
        }
        (self.documents != 3).then(|| format!("{} documents", self.documents))
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "an order as SQLite stores it")?;
        for (name, value) in &self.stored {
            writeln!(f, "  {name:<10} {value}")?;
        }
        writeln!(f, "\nits document in MongoDB")?;
        for (name, value) in self.arrived.iter().filter(|(name, _)| *name != "export_metadata") {
            writeln!(f, "  {name:<10} {:<10} {value}", kind(value))?;
        }
        writeln!(f, "\nanother order is rejected: {}", self.reason)?;
        write!(f, "the shop mends it, and all {} are there", self.documents)
    }
}

fn kind(value: &Bson) -> &'static str {
    match value {
        Bson::ObjectId(_) => "ObjectId",
        Bson::String(_) => "String",
        Bson::DateTime(_) => "Date",
        Bson::Boolean(_) => "Boolean",
        Bson::Decimal128(_) => "Decimal128",
        Bson::Array(_) => "Array",
        Bson::Binary(_) => "Binary",
        Bson::Document(_) => "Document",
        _ => "another type",
    }
}
