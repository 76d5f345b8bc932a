//! SIGHUP: what can be changed while the daemon runs is, the rest is named, and a file that can't be used changes nothing.

use std::fs;

use rustix::process::Signal;

use crate::scene::{Scene, wait_completed, wait_link};
use crate::support::daemon::{Daemon, Line};
use crate::support::mongod::shared_mongod;
use crate::support::proxy::Proxy;

/// Changes the configuration's text, tells the daemon, and waits for the event that answers.
#[track_caller]
fn reload(daemon: &Daemon, from: &str, to: &str, event: &str) -> Line {
    let path = daemon.directory().join("config.toml");
    let text = fs::read_to_string(&path).expect("the daemon's configuration");
    assert!(text.contains(from), "{from} isn't in {text}");
    fs::write(path, text.replace(from, to)).expect("our own file");
    let mark = daemon.log().mark();
    daemon.signal(Signal::HUP);
    daemon.wait_log_after(mark, event)
}

#[track_caller]
fn field<'a>(line: &'a Line, name: &str) -> &'a str {
    line.field(name).and_then(|value| value.as_str()).unwrap_or_else(|| panic!("no {name}: {}", line.text()))
}

#[test]
fn what_can_be_changed_takes_effect_at_once_and_what_needs_a_restart_is_named() {
    let mut scene = Scene::new("live");
    scene.app.insert_inquiries(3);
    let daemon = scene
        .daemon()
        .set("export.batch_size", 10)
        .set("export.automatic", true)
        .set("log.filter", "info")
        .set("sqlite.table", "chat_inquiry_information")
        .start();
    wait_completed(&daemon);

    let told = reload(&daemon, "batch_size = 10", "batch_size = 20", "reloaded");
    assert_eq!(field(&told, "changed"), "export.batch_size");
    wait_completed(&daemon);
    let (_, answer) = daemon.post("/api/export/sqlite-to-mongodb");
    assert_eq!(answer["data"]["batch_size"], 20, "{answer}");
    wait_completed(&daemon);

    reload(&daemon, "automatic = true", "automatic = false", "reloaded");
    scene.app.insert_inquiries(1);
    // A hint that came after the rows has been dealt with, and they have not.
    let mark = daemon.log().mark();
    reload(&daemon, "filter = \"info\"", "filter = \"debug\"", "reloaded");
    daemon.signal(Signal::USR1);
    daemon.wait_log_after(mark, "hint");
    assert_eq!(scene.count(), 3);
    reload(&daemon, "automatic = false", "automatic = true", "reloaded");
    scene.wait_count(4);

    let told = reload(&daemon, "\"chat_inquiry_information\"", "\"another\"", "restart_needed");
    assert_eq!(field(&told, "keys"), "sqlite.table");
    // It is named again as long as it isn't done, and the old one holds.
    let told = reload(&daemon, "batch_size = 20", "batch_size = 30", "restart_needed");
    assert_eq!(field(&told, "keys"), "sqlite.table");
    scene.app.insert_inquiries(1);
    scene.wait_count(5);
}

#[test]
fn a_shorter_schedule_ends_a_long_wait() {
    let proxy = Proxy::start(shared_mongod().port());
    proxy.refuse();
    let mut scene = Scene::new("schedule").by(proxy.uri());
    scene.app.insert_inquiries(2);
    let daemon = scene
        .daemon()
        .set("probe.initial_interval", "1h")
        .set("probe.max_interval", "1h")
        .set("probe.randomization_factor", 0.0)
        .start();
    wait_link(&daemon, "a failure", |link| link["attempts"].as_u64() >= Some(1));
    proxy.open();
    reload(&daemon, "\"1h\"", "\"100ms\"", "reloaded");
    scene.wait_count(2);
}

#[test]
fn a_file_that_cannot_be_used_changes_nothing_and_is_said() {
    let mut scene = Scene::new("unusable");
    let daemon = scene.daemon().set("export.batch_size", 10).set("export.skip_duplicates", true).start();
    for (from, to, what) in [
        ("batch_size = 10", "batch_size = 0", "export.batch_size = 0"),
        ("batch_size = 0", "batch_size = 10\nbatches = 1", "export.batches"),
        ("batches = 1", "= = =", "isn't TOML"),
    ] {
        // The other key could be changed, but a file is taken as a whole or not at all.
        let told = reload(&daemon, from, to, "reload_failed");
        assert!(field(&told, "error").contains(what), "{}", told.text());
    }
    let path = daemon.directory().join("config.toml");
    let text = fs::read_to_string(&path).expect("the daemon's configuration");
    fs::remove_file(&path).expect("our own file");
    let mark = daemon.log().mark();
    daemon.signal(Signal::HUP);
    let told = daemon.wait_log_after(mark, "reload_failed");
    assert!(field(&told, "error").contains("config.toml"), "{}", told.text());

    let (_, answer) = daemon.post("/api/export/sqlite-to-mongodb");
    assert_eq!(answer["data"]["batch_size"], 10, "{answer}");
    scene.app.insert_inquiries(2);
    scene.wait_count(2);
    fs::write(&path, text.replace("= = =", "")).expect("our own file");
    let told = reload(&daemon, "skip_duplicates = true", "skip_duplicates = false", "reloaded");
    assert_eq!(field(&told, "changed"), "export.skip_duplicates");
}
