use std::io::{BufRead as _, BufReader};

use super::{at_a_port, run};
use crate::scene::{Scene, wait_completed, wait_link};

#[test]
fn the_status_is_the_daemon_s_own_while_it_runs_and_its_memory_s_afterwards() {
    let mut scene = Scene::new("command_status");
    let daemon = at_a_port(&scene).prepare();
    let never = run(&daemon, &["status"]);
    assert_eq!((never.code, never.err.as_str()), (Some(1), ""), "{never:?}");
    assert_eq!(never.out, "No daemon works with this state directory.\nNone has yet.\n");

    scene.app.insert_inquiries(20);
    scene.app.insert_duplicates(2);
    daemon.start();
    scene.wait_count(20);
    let status = wait_completed(&daemon);
    wait_link(&daemon, "MongoDB to be told as there", |link| link["state"] == "online");
    let told = run(&daemon, &["status", "--json"]);
    assert_eq!((told.code, told.err.as_str()), (Some(0), ""), "{told:?}");
    assert_eq!(told.json()["export"], status);
    assert_eq!(
        (&told.json()["running"], &told.json()["connectivity"]["state"]),
        (&true.into(), &"online".into())
    );
    let told = run(&daemon, &["status"]);
    assert!(told.out.starts_with("The daemon runs. MongoDB: online\nLast export: export_"), "{told:?}");
    assert!(told.out.contains("20 sent, 2 skipped (2 duplicates), 0 refused"), "{told:?}");

    daemon.terminate();
    let told = run(&daemon, &["status"]);
    assert_eq!(told.code, Some(1));
    assert!(
        told.out.contains("Rows that were dealt with: 20 exported, 2 duplicate, 0 rejected, 0 held\n"),
        "{told:?}"
    );
    let told = run(&daemon, &["status", "--json"]).json();
    assert_eq!((&told["running"], &told["rows"]["exported"]), (&false.into(), &20.into()));
    assert_eq!(told["last_export"]["export_id"], status["export_id"]);
}

#[test]
fn who_watches_is_told_of_each_export_until_the_daemon_ends() {
    let mut scene = Scene::new("command_watch");
    scene.app.insert_inquiries(5);
    let daemon = at_a_port(&scene).start();
    scene.wait_count(5);
    wait_completed(&daemon);
    let mut watching = daemon.command().args(["status", "--watch"]).spawn().expect("the program starts");
    let mut lines =
        BufReader::new(watching.stdout.take().expect("stdout is piped")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains(" 5 sent, ")), "the last export");
    scene.app.insert_inquiries(7);
    assert!(lines.any(|line| line.contains(" 7 sent, ")), "the next one");
    daemon.terminate();
    assert!(lines.any(|line| line.contains("No daemon works")), "its end");
    assert_eq!(watching.wait().expect("our own child").code(), Some(1));
}

#[test]
fn a_daemon_with_a_token_or_a_socket_is_asked_with_the_one_by_the_other() {
    let scene = Scene::new("command_token");
    let token = "0123456789abcdef0123456789abcdef";
    let daemon = at_a_port(&scene).set("http.token", token).start();
    let told = run(&daemon, &["status"]);
    assert_eq!((told.code, told.err.as_str()), (Some(0), ""), "{told:?}");
    let wrong = run(&daemon, &["--set", "http.token=ffffffffffffffffffffffffffffffff", "status"]);
    assert!(wrong.code == Some(1) && wrong.err.contains("Unauthorized"), "{wrong:?}");
    assert!(!format!("{told:?}{wrong:?}").contains(token));
    drop(daemon);

    let socket = scene.directory.path().join("http.socket");
    let daemon = scene.daemon().set("http.socket", socket.to_str().expect("a readable name")).start();
    let told = run(&daemon, &["status", "--json"]);
    assert_eq!((told.code, &told.json()["running"]), (Some(0), &true.into()), "{told:?}");
}
