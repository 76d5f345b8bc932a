//! Files that are exchanged, taken away, linked to and oddly named.

use std::fs;
use std::os::unix::fs::symlink;

use super::rig::{Rig, rows, with};
use crate::support::sqlite::{App, Inquiry, Journal, TABLE};

#[test]
fn a_database_replaced_under_the_daemon_is_read_from_then_on() {
    for journal in [Journal::Wal, Journal::Delete] {
        let rig = Rig::start("replaced");
        let mut app = App::create_with(rig.directory(), journal);
        app.insert_inquiries(30);
        let mut wanted = rows(app.connection(), TABLE);
        rig.wait_for("the first file", &wanted);
        app.close();

        fs::create_dir(rig.path("new")).expect("our own directory");
        let mut app = App::create_with(&rig.path("new"), journal);
        app.insert((1000..1025).map(Inquiry::number));
        wanted = with(wanted, rows(app.connection(), TABLE));
        app.close();
        fs::rename(rig.path("new/inquiries.db"), rig.path("inquiries.db")).expect("our own files");
        rig.wait_for("the second file", &wanted);
    }
}

#[test]
fn a_database_restored_from_a_backup_goes_on_from_there() {
    let rig = Rig::start("restored");
    let mut app = App::create(rig.directory());
    app.insert_inquiries(20);
    app.close();
    fs::copy(rig.path("inquiries.db"), rig.path("backup")).expect("our own files");
    let mut app = App::open(&rig.path("inquiries.db"));
    app.insert_inquiries(20);
    let mut wanted = rows(app.connection(), TABLE);
    rig.wait_for("the rows before", &wanted);
    app.close();

    // Over the old content, as `cp` does: the same file, other pages.
    fs::copy(rig.path("backup"), rig.path("inquiries.db")).expect("our own files");
    let mut app = App::open(&rig.path("inquiries.db"));
    assert_eq!(app.count(), 20);
    app.insert((5000..5010).map(Inquiry::number));
    wanted = with(wanted, rows(app.connection(), TABLE));
    assert_eq!(wanted.len(), 50);
    rig.wait_for("the rows after", &wanted);
}

#[test]
fn a_database_removed_and_made_again_is_waited_for() {
    let rig = Rig::start("removed");
    let mut app = App::create(rig.directory());
    app.insert_inquiries(10);
    let mut wanted = rows(app.connection(), TABLE);
    rig.wait_for("the rows before", &wanted);
    app.close();
    let mark = rig.daemon.log().mark();
    fs::remove_file(rig.path("inquiries.db")).expect("our own file");
    rig.daemon.wait_log_after(mark, "source_unavailable");
    let mut app = App::create(rig.directory());
    app.insert((2000..2010).map(Inquiry::number));
    wanted = with(wanted, rows(app.connection(), TABLE));
    rig.wait_for("the rows after", &wanted);
}

#[test]
fn a_directory_that_does_not_exist_yet_is_waited_for() {
    let rig = Rig::new("nowhere", "not/there/inquiries.db", |builder| builder);
    rig.daemon.start();
    rig.daemon.wait_log("source_unavailable");
    fs::create_dir_all(rig.path("not/there")).expect("our own directory");
    let mut app = App::create(&rig.path("not/there"));
    app.insert_inquiries(10);
    rig.wait_for("the rows", &rows(app.connection(), TABLE));
}

#[test]
fn a_link_is_followed_to_the_database_and_its_wal_and_wherever_it_leads_next() {
    let rig = Rig::start("linked");
    for name in ["one", "other"] {
        fs::create_dir(rig.path(name)).expect("our own directory");
    }
    let mut app = App::create(&rig.path("one"));
    symlink("one/inquiries.db", rig.path("inquiries.db")).expect("our own link");
    app.insert_inquiries(10);
    let mut wanted = rows(app.connection(), TABLE);
    rig.wait_for("the rows in the WAL", &wanted);

    let mut other = App::create(&rig.path("other"));
    other.insert((3000..3010).map(Inquiry::number));
    symlink("other/inquiries.db", rig.path("next")).expect("our own link");
    fs::rename(rig.path("next"), rig.path("inquiries.db")).expect("our own link");
    wanted = with(wanted, rows(other.connection(), TABLE));
    rig.wait_for("the rows of the other database", &wanted);
    other.insert((4000..4010).map(Inquiry::number));
    wanted = with(wanted, rows(other.connection(), TABLE));
    rig.wait_for("later rows of the other database", &wanted);
}

#[test]
fn odd_names_of_files_and_tables_are_taken_as_they_are() {
    let table = "odd \"name\"; -- 'x' ?1 ü";
    for file in ["a?mode=memory&x=1#y.db", "100%41.db", "with space and ünïcode 日本.db"] {
        let rig = Rig::new("odd", file, |builder| {
            builder.set("sqlite.table", table).set("mongodb.collection", TABLE)
        });
        rig.daemon.start();
        for journal in [Journal::Delete, Journal::Wal] {
            let mut app = App::open(&rig.path(file));
            let mode = if journal == Journal::Wal { "wal" } else { "delete" };
            app.execute(&format!("PRAGMA journal_mode = {mode}"));
            let quoted = table.replace('"', "\"\"");
            app.execute(&format!(
                "CREATE TABLE IF NOT EXISTS \"{quoted}\" (id INTEGER PRIMARY KEY, \"a \"\" b\" TEXT, created_at TEXT);
                 INSERT INTO \"{quoted}\" VALUES (NULL, '{mode}', '2024-01-01')"
            ));
            rig.wait_for(file, &rows(app.connection(), table));
        }
    }
}
