//! A table whose definition changes.

use mongodb::bson::doc;

use super::rig::{Rig, rows, with};
use crate::support::sqlite::{App, Journal, TABLE};
use crate::support::wait::{PATIENCE, eventually};

#[test]
fn an_added_column_reaches_the_documents_that_are_there() {
    for journal in [Journal::Wal, Journal::Delete] {
        let rig = Rig::start("added");
        let mut app = App::create_with(rig.directory(), journal);
        app.insert_inquiries(20);
        rig.wait_for("the rows", &rows(app.connection(), TABLE));
        app.execute("ALTER TABLE chat_inquiry_information ADD COLUMN rating INTEGER DEFAULT 3");
        rig.wait_for("the column", &rows(app.connection(), TABLE));
        app.insert_inquiries(5);
        rig.wait_for("rows with the column", &rows(app.connection(), TABLE));
    }
}

#[test]
fn a_table_dropped_and_made_again_is_read_from_then_on() {
    let rig = Rig::start("dropped");
    let mut app = App::create(rig.directory());
    app.insert_inquiries(20);
    let mut wanted = rows(app.connection(), TABLE);
    rig.wait_for("the rows", &wanted);
    let mark = rig.daemon.log().mark();
    app.execute("DROP TABLE chat_inquiry_information");
    rig.daemon.wait_log_after(mark, "source_unavailable");
    app.execute("CREATE TABLE chat_inquiry_information (id INTEGER PRIMARY KEY, note TEXT, created_at TEXT)");
    app.execute(
        "INSERT INTO chat_inquiry_information VALUES (1, 'again', '2029-01-01'), (50, 'more', '2029-01-01')",
    );
    wanted = with(wanted, rows(app.connection(), TABLE));
    rig.wait_for("the rows of both tables", &wanted);
}

#[test]
fn a_renamed_column_is_known_by_its_new_name() {
    let rig = Rig::start("renamed");
    let mut app = App::create(rig.directory());
    app.insert_inquiries(20);
    rig.wait_for("the rows", &rows(app.connection(), TABLE));
    app.execute("ALTER TABLE chat_inquiry_information RENAME COLUMN city TO town");
    // What a document has besides is left alone: its old name stays where it was.
    let named = doc! { "town": { "$exists": true } };
    eventually(PATIENCE, "the new name", || {
        (rig.mongo.count_where(&rig.database, TABLE, named.clone()) == 20).then_some(())
    });
    assert_eq!(rig.mongo.count(&rig.database, TABLE), 20);
}
