//! Every way in which SQLite writes.

use super::rig::{Rig, rows};
use crate::support::sqlite::{App, TABLE};

#[test]
fn every_commit_is_seen_in_every_journal_mode() {
    for mode in ["wal", "delete", "truncate", "persist", "memory"] {
        let rig = Rig::start("modes");
        let mut app = App::create(rig.directory());
        app.execute(&format!("PRAGMA journal_mode = {mode}"));
        for count in [1, 1, 40, 1, 1] {
            app.insert_inquiries(count);
            rig.wait_for(mode, &rows(app.connection(), TABLE));
        }
    }
}

#[test]
fn a_change_of_the_journal_mode_is_no_obstacle() {
    let rig = Rig::start("changing");
    let mut app = App::create(rig.directory());
    for mode in ["delete", "wal", "truncate", "wal", "persist", "wal"] {
        app.insert_inquiries(3);
        rig.wait_for(mode, &rows(app.connection(), TABLE));
        let sql = format!("PRAGMA journal_mode = {mode}");
        let now: String =
            app.connection().query_row(&sql, [], |row| row.get(0)).expect("nobody is in the way");
        assert_eq!(now, mode);
    }
    app.insert_inquiries(3);
    rig.wait_for("the last mode", &rows(app.connection(), TABLE));
}

#[test]
fn no_checkpoint_hides_a_commit() {
    for pages in [1, 2, 3, 10, 100, 1000] {
        let rig = Rig::start("checkpoints");
        let mut app = App::create(rig.directory());
        app.execute(&format!("PRAGMA wal_autocheckpoint = {pages}"));
        for checkpoint in ["PASSIVE", "RESTART", "TRUNCATE", "FULL"] {
            app.insert_inquiries(2);
            rig.wait_for("a commit", &rows(app.connection(), TABLE));
            app.insert_inquiries(2);
            app.execute(&format!("PRAGMA wal_checkpoint({checkpoint})"));
            rig.wait_for("a commit and a checkpoint", &rows(app.connection(), TABLE));
        }
    }
}
