//! A host with nothing to send costs the cluster no connection, and itself next to nothing.

use std::time::{Duration, Instant};

use crate::support::daemon::{Builder, Daemon};
use crate::support::mongod::{fresh_database, shared_mongod};
use crate::support::proxy::Proxy;
use crate::support::sqlite::{App, TABLE};
use crate::support::usage::{Sleeps, cpu_time};
use crate::support::wait::{PATIENCE, eventually, poll};

/// How long an idle daemon is watched.
const WATCHED: Duration = Duration::from_secs(20);

/// An idle daemon is awake in at most so many moments a second: the look at the database's files each minute, and
/// something for a kernel that rounds.
const AWAKE_A_SECOND: f64 = 0.1;

/// What counts as one moment: each passes through a few threads.
const MOMENT: Duration = Duration::from_millis(500);

/// Threads woken in a moment, at most.
const THREADS_A_MOMENT: u64 = 10;

struct Scene {
    daemon: Daemon,
    app: App,
    proxy: Proxy,
    database: String,
    _directory: tempfile::TempDir,
}

impl Scene {
    fn set(name: &str, configure: impl FnOnce(Builder) -> Builder) -> Self {
        let (database, proxy) = (fresh_database(name), Proxy::start(shared_mongod().port()));
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut app = App::create(directory.path());
        app.insert_inquiries(20);
        let settings = Daemon::builder(app.path(), &proxy.uri()).set("mongodb.database", database.as_str());
        let daemon = configure(settings).start();
        let scene = Self { daemon, app, proxy, database, _directory: directory };
        scene.wait_for_all();
        scene
    }

    #[track_caller]
    fn wait_for_all(&self) {
        let client = shared_mongod().client();
        eventually(PATIENCE, "all rows", || {
            (client.count(&self.database, TABLE) == self.app.count()).then_some(())
        });
        client.close();
    }

    #[track_caller]
    fn wait_until_disconnected(&self) {
        let none = poll(PATIENCE, || (self.proxy.counters().open == 0).then_some(()));
        assert!(none.is_some(), "{:?}; log:\n{}", self.proxy.counters(), self.daemon.log().tail());
    }
}

#[test]
fn an_application_that_writes_elsewhere_in_the_same_file_keeps_no_connection_open() {
    let mut scene = Scene::set("elsewhere", |settings| settings.set("mongodb.idle_disconnect", "300ms"));
    scene.app.execute("CREATE TABLE elsewhere (at TEXT)");
    let closed = poll(PATIENCE, || {
        scene.app.execute("INSERT INTO elsewhere VALUES (datetime())");
        (scene.proxy.counters().open == 0).then_some(())
    });
    assert!(closed.is_some(), "{:?}; log:\n{}", scene.proxy.counters(), scene.daemon.log().tail());
    let accepted = scene.proxy.counters().accepted;
    let mut writes = 0;
    let opened = poll(Duration::from_secs(2), || {
        scene.app.execute("INSERT INTO elsewhere VALUES (datetime())");
        writes += 1;
        (scene.proxy.counters().accepted > accepted).then_some(())
    });
    assert!(opened.is_none(), "after {writes} writes");
    // What has to be sent is sent all the same.
    scene.app.insert_inquiries(1);
    scene.wait_for_all();
    scene.app.execute("DELETE FROM chat_inquiry_information WHERE id = 3");
    scene.app.insert_inquiries(1);
    let client = shared_mongod().client();
    eventually(PATIENCE, "the new row", || {
        (client.count(&scene.database, TABLE) == scene.app.count() + 1).then_some(())
    });
    client.close();
}

#[test]
fn an_idle_daemon_closes_its_connections_and_new_rows_open_them_at_once() {
    let mut scene = Scene::set("disconnects", |settings| settings.set("mongodb.idle_disconnect", "300ms"));
    for _ in 0..3 {
        scene.wait_until_disconnected();
        assert_eq!(
            scene.daemon.get("/api/export/connectivity").1["data"]["state"],
            "online",
            "and stays online"
        );
        let accepted = scene.proxy.counters().accepted;
        scene.app.insert_inquiries(5);
        let written = Instant::now();
        scene.wait_for_all();
        assert!(written.elapsed() < Duration::from_secs(3), "it waited for nothing: {:?}", written.elapsed());
        assert!(scene.proxy.counters().accepted > accepted, "over a new connection");
    }
}

#[test]
fn the_check_of_an_idle_host_connects_and_disconnects_at_once() {
    let idle_disconnect = Duration::from_secs(4);
    let scene = Scene::set("recheck", |settings| {
        settings
            .set("mongodb.idle_disconnect", "4s")
            .set("probe.online_interval", "2s")
            .set("probe.randomization_factor", 0.0)
    });
    scene.wait_until_disconnected();
    for _ in 0..2 {
        let checked = scene.daemon.get("/api/export/connectivity").1["data"]["checked_at"].clone();
        eventually(PATIENCE, "a check", || (scene.proxy.counters().open > 0).then_some(()));
        let connected = Instant::now();
        scene.wait_until_disconnected();
        assert!(connected.elapsed() < idle_disconnect / 2, "it stayed for {:?}", connected.elapsed());
        let link = || scene.daemon.get("/api/export/connectivity").1;
        eventually(PATIENCE, "word of it", || (link()["data"]["checked_at"] != checked).then_some(()));
    }
}

#[test]
fn an_idle_daemon_hardly_ever_wakes() {
    let scene = Scene::set("sleeps", |settings| settings.set("mongodb.idle_disconnect", "100ms"));
    scene.wait_until_disconnected();
    let pid = scene.daemon.pid();
    // What the last connection has left behind goes to sleep as well.
    eventually(2 * PATIENCE, "quiet", || {
        let before = Sleeps::of(pid);
        poll(Duration::from_secs(6), || None::<()>);
        (Sleeps::of(pid).since(&before) <= 1).then_some(())
    });
    let (begun, worked) = (Instant::now(), cpu_time(pid));
    let (mut moments, mut woken) = (0, 0);
    while begun.elapsed() < WATCHED {
        let before = Sleeps::of(pid);
        poll(MOMENT, || None::<()>);
        let threads = Sleeps::of(pid).since(&before);
        moments += u32::from(threads > 0);
        woken += threads;
    }
    let worked = cpu_time(pid) - worked;
    println!(
        "idle and disconnected: awake {moments} times ({woken} threads), {worked:?} of CPU in {WATCHED:?}"
    );
    assert!(f64::from(moments) <= AWAKE_A_SECOND * WATCHED.as_secs_f64(), "awake {moments} times");
    assert!(woken <= u64::from(moments) * THREADS_A_MOMENT, "{woken} threads in {moments} moments");
    assert!(worked < WATCHED / 100, "{worked:?} of CPU time");
}
