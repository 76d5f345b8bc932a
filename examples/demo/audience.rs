//! The time for trying things by hand.

use std::io::stdin;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::stage::Stage;
use crate::support::sqlite::TABLE;
use crate::tell::aside;

/// Somebody who has left the terminal needn't leave servers behind.
const PATIENCE: Duration = Duration::from_secs(600);

/// Shows what to try, and waits for Enter.
pub(crate) fn invite(stage: &Stage) {
    let api = format!("http://{}/api/export", stage.daemon.address());
    aside(&format!("curl {api}/status"));
    aside(&format!("curl {api}/sqlite-data"));
    aside(&format!("curl -X POST {api}/test-mongodb-connection"));
    aside(&format!("curl -X POST '{api}/sqlite-to-mongodb?batch_size=50&skip_duplicates=true'"));
    aside(&format!("curl -X POST {api}/reset-export-status"));
    aside("");
    aside("Or be the application, and see the row arrive:");
    aside(&format!("sqlite3 {} \\", stage.app.path().display()));
    aside(&format!("  \"INSERT INTO {TABLE} (firstName, email) VALUES ('You', 'you@example.org')\""));
    aside(&format!("mongosh '{}'", stage.mongod.uri()));
    aside("");
    aside(&format!("Press Enter to end it all (in {} minutes it ends by itself).", PATIENCE.as_secs() / 60));
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // Enter, the end of the input or an error: each is a wish to end.
        let _ = stdin().read_line(&mut String::new());
        let _ = sender.send(());
    });
    // No answer in time is an answer.
    let _ = receiver.recv_timeout(PATIENCE);
}
