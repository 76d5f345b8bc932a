//! Files that are written to, and who hears of it.

use super::*;

#[tokio::test]
async fn a_commit_that_takes_effect_after_its_last_write_is_told_of() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    std::fs::write(&path, "").unwrap();
    let watch = Watch::start(&path);
    let limit = AFTERMATH.iter().sum::<Duration>() * 4;
    let reported = async || timeout(limit, watch.changed()).await.is_ok();
    // The first one is about the start; the last ones come of their own accord.
    for report in 0..=AFTERMATH.len() {
        assert!(reported().await, "report {report}");
    }
    std::fs::write(directory.path().join("app.db-wal"), "a commit, perhaps").unwrap();
    for report in 0..=AFTERMATH.len() {
        assert!(reported().await, "report {report}");
    }
}

/// A log's index, in which the commit of this number is the last.
fn index(commit: u8) -> Vec<u8> {
    vec![commit; 136]
}

#[tokio::test]
async fn who_wants_to_hear_no_more_hears_of_a_commit_that_takes_effect_afterwards() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    std::fs::write(&path, "").unwrap();
    std::fs::write(directory.path().join("app.db-shm"), index(1)).unwrap();
    let watch = Watch::start(&path);
    watch.changed().await;
    std::fs::write(directory.path().join("app.db-wal"), "a commit, soon").unwrap();
    watch.changed().await;
    watch.let_be();
    while !watch.hush.is_settled() {
        sleep(Duration::from_millis(1)).await;
    }
    assert!(timeout(AFTERMATH[0] * 2, watch.changed()).await.is_err(), "it hasn't taken effect");
    std::fs::write(directory.path().join("app.db-shm"), index(2)).unwrap();
    let aftermath = AFTERMATH.iter().sum::<Duration>() * 2;
    assert!(timeout(aftermath, watch.changed()).await.is_ok());
}

#[tokio::test]
async fn what_was_reported_and_not_taken_note_of_is_let_be_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    std::fs::write(&path, "").unwrap();
    let watch = Watch::start(&path);
    watch.changed().await;
    watch.changed.notify_one();
    watch.let_be();
    assert!(timeout(AFTERMATH[0] * 2, watch.changed()).await.is_err());
}

#[tokio::test]
async fn who_wants_to_hear_no_more_of_a_write_hears_of_the_next_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    std::fs::write(&path, "").unwrap();
    let watch = Watch::start(&path);
    watch.changed().await;
    watch.let_be();
    let aftermath = AFTERMATH.iter().sum::<Duration>() * 2;
    assert!(timeout(aftermath, watch.changed()).await.is_err(), "nothing was written since");
    std::fs::write(&path, "more").unwrap();
    for report in 0..=AFTERMATH.len() {
        assert!(timeout(aftermath, watch.changed()).await.is_ok(), "report {report}");
    }
}

#[tokio::test]
async fn where_nobody_can_tell_what_is_committed_it_is_told_of_rather_than_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    std::fs::write(&path, "").unwrap();
    // Nothing that can be read.
    std::fs::create_dir(directory.path().join("app.db-shm")).unwrap();
    let watch = Watch::start(&path);
    watch.changed().await;
    std::fs::write(directory.path().join("app.db-wal"), "a commit, soon").unwrap();
    watch.changed().await;
    watch.let_be();
    let aftermath = AFTERMATH.iter().sum::<Duration>() * 2;
    assert!(timeout(aftermath, watch.changed()).await.is_ok());
}
