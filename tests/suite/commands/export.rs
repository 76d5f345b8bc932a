use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{Said, at_a_port, run};
use crate::scene::{Scene, wait_completed};
use crate::support::mongod::shared_mongod;
use crate::support::ports;
use crate::support::proxy::Proxy;
use crate::support::wait::{PATIENCE, eventually};

#[test]
fn one_export_without_the_daemon_brings_every_row_once() {
    let mut scene = Scene::new("command_export");
    scene.app.insert_inquiries(250);
    scene.app.insert_duplicates(10);
    let daemon = scene.daemon().prepare();
    let first = run(&daemon, &["export", "--batch-size", "50"]);
    assert_eq!((first.code, first.err.as_str()), (Some(0), ""), "{first:?}");
    assert!(
        first.out.contains("260 rows: 250 sent, 10 skipped (10 duplicates), 0 refused\nCompleted.\n"),
        "{first:?}"
    );
    assert_eq!(scene.count(), 250);
    let again = run(&daemon, &["export"]);
    assert!(again.code == Some(0) && again.out.contains(" 0 sent, 260 skipped"), "{again:?}");
    let all = run(&daemon, &["export", "--skip-duplicates=false"]);
    assert!(all.code == Some(0) && all.out.contains(" 10 sent, 250 skipped"), "{all:?}");
    assert_eq!(scene.count(), 260);
    // What it learned, the daemon knows.
    daemon.start();
    scene.app.insert_inquiries(1);
    scene.wait_count(261);
    assert_eq!(wait_completed(&daemon)["processed_records"], 1);
}

#[test]
fn the_daemon_that_runs_makes_the_export() {
    let mut scene = Scene::new("command_export_daemon");
    scene.app.insert_inquiries(30);
    let daemon = at_a_port(&scene).start();
    scene.wait_count(30);
    wait_completed(&daemon);
    let said = run(&daemon, &["export", "--batch-size", "10", "--skip-duplicates", "true"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    let status = daemon.status();
    assert_eq!((&status["trigger"], &status["skipped_records"]), (&"manual".into(), &30.into()));
    let id = status["export_id"].as_str().expect("an id");
    assert!(said.out.contains(&format!("{id}: 30 rows: 0 sent, 30 skipped")), "{said:?}");
    assert!(said.out.ends_with("Completed.\n"), "{said:?}");
}

#[test]
fn a_daemon_that_can_t_be_asked_is_named_with_its_address() {
    let scene = Scene::new("command_export_silent");
    let daemon = at_a_port(&scene).start();
    let elsewhere = format!("http.listen=127.0.0.1:{}", ports::free());
    let said = run(&daemon, &["--set", &elsewhere, "export"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("a daemon works with this state directory, but doesn't answer"), "{said:?}");
}

#[test]
fn without_mongodb_an_export_fails_and_says_what_to_do() {
    let mut scene = Scene::new("command_export_away").by(format!("mongodb://127.0.0.1:{}", ports::free()));
    scene.app.insert_inquiries(1);
    let said = run(&scene.daemon().prepare(), &["export"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
    assert!(said.err.contains("refused") && said.err.contains("Start MongoDB"), "{said:?}");
}

#[test]
fn an_interrupt_ends_an_export_at_a_batch_boundary_and_the_next_one_brings_the_rest() {
    let proxy = Proxy::start(shared_mongod().port());
    let mut scene = Scene::new("command_export_interrupt").by(proxy.uri());
    scene.app.insert_inquiries(300);
    proxy.delay(Duration::from_millis(20));
    let daemon = scene.daemon().prepare();
    let child = daemon.command().args(["export", "--batch-size", "3"]).spawn().expect("the program starts");
    eventually(PATIENCE, "the first documents", || (scene.count() > 0).then_some(()));
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("an id from the kernel");
    kill_process(pid, Signal::INT).expect("our own child can be signalled");
    let said = Said::of(child.wait_with_output().expect("our own child can be waited for"));
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("Not completed: stopped by request"), "{said:?}");
    let sent = scene.count();
    assert!(sent > 0 && sent < 300, "{sent}");
    assert!(said.out.contains(&format!(" {sent} sent, ")), "what is told is there: {sent}, {said:?}");
    proxy.delay(Duration::ZERO);
    assert_eq!(run(&daemon, &["export"]).code, Some(0));
    assert_eq!(scene.count(), 300);
}
