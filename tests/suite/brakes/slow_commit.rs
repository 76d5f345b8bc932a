//! A commit that is written before an export is stopped, and takes effect afterwards: its disk takes its time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{STOP, Scene, small_batches};
use crate::support::privilege::needs;
use crate::support::sqlite::TABLE;
use crate::support::wait::{PATIENCE, eventually, poll};

/// A disk that holds what is to be synchronised for as long as a certain file is there.
const SLOW_DISK: &str = r#"
    #include <stdlib.h>
    #include <unistd.h>
    int fdatasync(int file) {
        while (access(getenv("UPLINK_TEST_HOLD"), F_OK) == 0) usleep(1000);
        return 0;
    }
    int fsync(int file) { return fdatasync(file); }
"#;

/// Such a disk.
struct SlowDisk {
    library: PathBuf,
    hold: PathBuf,
}

impl SlowDisk {
    #[track_caller]
    fn new(directory: &Path) -> Self {
        needs("cc", "gcc");
        let [source, library, hold] = ["disk.c", "disk.so", "hold"].map(|name| directory.join(name));
        fs::write(&source, SLOW_DISK).expect("our own directory");
        fs::write(&hold, "").expect("our own directory");
        let compiled =
            Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
        assert!(compiled.expect("cc is there").success());
        Self { library, hold }
    }

    /// An application of its own commits one row on it: the row stands in the log, and the commit hasn't taken effect.
    #[track_caller]
    fn begin_commit(&self, database: &Path) -> Child {
        needs("sqlite3", "sqlite3");
        let written = || fs::metadata(database.with_extension("db-wal")).map_or(0, |log| log.len());
        let before = written();
        let application = Command::new("sqlite3")
            .arg(database)
            .arg(format!(
                "PRAGMA synchronous = full; PRAGMA wal_autocheckpoint = 0;
                 CREATE TEMP TABLE late AS SELECT * FROM {TABLE} WHERE id = 1;
                 UPDATE late SET id = 1000000, email = 'late@example.org', mobile = '1';
                 INSERT INTO {TABLE} SELECT * FROM late"
            ))
            .env("LD_PRELOAD", &self.library)
            .env("UPLINK_TEST_HOLD", &self.hold)
            .stdout(Stdio::null())
            .spawn()
            .expect("it is there");
        eventually(PATIENCE, "the commit in the log", || (written() > before).then_some(()));
        application
    }

    /// It is done.
    #[track_caller]
    fn let_go(&self) {
        fs::remove_file(&self.hold).expect("it is there");
    }
}

#[test]
fn a_commit_that_takes_effect_after_a_stop_is_exported_without_waiting_for_the_next_one() {
    let mut scene =
        Scene::set("slowcommit", |settings| small_batches(settings).set("export.max_batch_size", 10));
    let disk = SlowDisk::new(scene._directory.path());
    scene.daemon.wait_log("connectivity_established");
    scene.proxy.delay(Duration::from_millis(20));
    scene.app.insert_inquiries(4_000);
    scene.wait_until_under_way();
    let mut commit = disk.begin_commit(scene.app.path());
    // Until the write is reported: of that there is nothing to be seen.
    poll(Duration::from_millis(200), || None::<()>);
    scene.post(STOP);
    scene.daemon.wait_status("its end", |status| status["status"] == "failed");
    assert_eq!(scene.app.count(), 4_000, "it hasn't taken effect");
    scene.let_it_have_its_chance();
    let stopped = scene.daemon.status();
    assert_eq!(stopped["status"], "failed", "nothing has begun: {stopped}");
    scene.proxy.open();
    disk.let_go();
    assert!(commit.wait().expect("our own child").success());
    assert_eq!(scene.app.count(), 4_001);
    scene.wait_for_all();
}
