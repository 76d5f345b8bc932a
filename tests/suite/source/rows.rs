//! Rows that don't come one after the other.

use super::rig::{Rig, Rows, rows, with};
use crate::support::sqlite::{App, Journal, TABLE};

const WITH_ID: &str = "INSERT INTO chat_inquiry_information (id, firstName, created_at) VALUES";

#[test]
fn ids_that_start_again_at_one_are_new_rows() {
    let rig = Rig::start("restarted");
    let mut app = App::create(rig.directory());
    let mut wanted = Rows::new();
    for count in [30, 10, 50] {
        app.insert_inquiries(count);
        wanted = with(wanted, rows(app.connection(), TABLE));
        rig.wait_for("a generation of ids", &wanted);
        app.execute("DELETE FROM chat_inquiry_information");
    }
    assert_eq!(wanted.len(), 90);
}

#[test]
fn a_row_committed_late_with_a_low_id_is_exported() {
    let rig = Rig::start("late");
    let mut app = App::create(rig.directory());
    app.execute(&format!("{WITH_ID} (1000, 'first', '2024-01-01')"));
    rig.wait_for("the high id", &rows(app.connection(), TABLE));
    for id in [999, 1, -5, 500] {
        app.execute(&format!("{WITH_ID} ({id}, 'late', '2024-01-01')"));
        rig.wait_for("a low id", &rows(app.connection(), TABLE));
    }
}

#[test]
fn a_transaction_that_spans_looks_is_exported_when_it_is_committed_and_not_before() {
    for journal in [Journal::Wal, Journal::Delete, Journal::Truncate] {
        let rig = Rig::start("spanning");
        let mut app = App::create_with(rig.directory(), journal);
        // Its pages don't fit into memory: they are written before the commit, in a rollback mode to the database itself.
        app.execute("PRAGMA cache_size = 5");
        app.execute(&format!("{WITH_ID} (5000, 'first', '2024-01-01')"));
        let before = rows(app.connection(), TABLE);
        rig.wait_for("the high id", &before);

        app.execute("BEGIN IMMEDIATE");
        app.execute(&format!(
            "WITH RECURSIVE n(id) AS (VALUES (1) UNION ALL SELECT id + 1 FROM n WHERE id < 2000)
             {WITH_ID_SELECT} id, 'late ' || id, '2024-01-01' FROM n"
        ));
        for _ in 0..3 {
            // Its document is there before the export has ended that brought it.
            rig.daemon.wait_status("no export", |status| status["status"] != "running");
            // Looks in the middle of the transaction, and comes to an end one way or the other.
            let (code, _) = rig.daemon.post("/api/export/sqlite-to-mongodb");
            assert_eq!(code, 200);
            rig.daemon.wait_status("the end of the look", |status| status["status"] != "running");
        }
        assert_eq!(rig.documents(), before, "{journal:?}: nothing that isn't committed");
        app.execute("COMMIT");
        let after = rows(app.connection(), TABLE);
        assert_eq!(after.len(), 2001);
        rig.wait_for("the low ids", &after);
    }
}

const WITH_ID_SELECT: &str = "INSERT INTO chat_inquiry_information (id, firstName, created_at) SELECT";

#[test]
fn a_vacuum_that_moves_rows_neither_loses_nor_doubles_one() {
    for key in ["name TEXT", "name TEXT PRIMARY KEY", "name TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID; --"] {
        let rig = Rig::start("vacuum");
        let mut app = App::create(rig.directory());
        let table = TABLE;
        app.execute(&format!("DROP TABLE {table}; CREATE TABLE {table} ({key}, n INTEGER)"));
        let insert = |app: &App, from: u32, to: u32| {
            app.execute(&format!(
                "WITH RECURSIVE c(n) AS (VALUES ({from}) UNION ALL SELECT n + 1 FROM c WHERE n < {to})
                 INSERT INTO {table} SELECT 'name ' || n, n FROM c"
            ));
        };
        insert(&app, 1, 100);
        let mut wanted = rows(app.connection(), table);
        rig.wait_for("the rows", &wanted);
        for round in 1..4 {
            app.execute(&format!("DELETE FROM {table} WHERE n % 7 = {round}; VACUUM"));
            insert(&app, round * 1000, round * 1000 + 20);
            wanted = with(wanted, rows(app.connection(), table));
            rig.wait_for("the rows after VACUUM", &wanted);
        }
    }
}

#[test]
fn equal_rows_without_a_key_are_as_many_in_the_collection() {
    let rig = Rig::start("equal");
    let mut app = App::create(rig.directory());
    app.execute(&format!("DROP TABLE {TABLE}; CREATE TABLE {TABLE} (name TEXT)"));
    for count in 1..=4 {
        app.execute(&format!("INSERT INTO {TABLE} VALUES ('same')"));
        let wanted = rows(app.connection(), TABLE);
        assert_eq!(wanted.values().sum::<usize>(), count);
        rig.wait_for("equal rows", &wanted);
    }
}

#[test]
fn a_changed_row_is_changed_in_the_collection_without_a_new_row() {
    let rig = Rig::start("changed");
    let mut app = App::create(rig.directory());
    app.insert_inquiries(20);
    rig.wait_for("the rows", &rows(app.connection(), TABLE));
    app.execute(
        "UPDATE chat_inquiry_information SET status = 'closed', updated_at = '2030-01-01' WHERE id = 3",
    );
    rig.wait_for("the changed row", &rows(app.connection(), TABLE));
}
