//! A host with nothing to send costs the cluster no connection, and itself next to nothing.

use std::time::{Duration, Instant};

use crate::support::daemon::{Builder, Daemon};
use crate::support::mongod::{fresh_database, shared_mongod};
use crate::support::proxy::Proxy;
use crate::support::sqlite::{App, TABLE};
use crate::support::usage::{cpu_time, sleeps};
use crate::support::wait::{PATIENCE, eventually, poll};

/// How long an idle daemon is watched.
const WATCHED: Duration = Duration::from_secs(20);

/// Wake-ups a second that an idle daemon may have, all of its threads together. Of these, all but 0.1 are for the look
/// at the database's files twice a second.
const WAKE_UPS_A_SECOND: f64 = 8.0;

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
        let (_, link) = scene.daemon.get("/api/export/connectivity");
        assert_ne!(link["data"]["checked_at"], checked, "and it was a check");
    }
}

#[test]
fn an_idle_daemon_hardly_ever_wakes() {
    let scene = Scene::set("sleeps", |settings| settings.set("mongodb.idle_disconnect", "100ms"));
    scene.wait_until_disconnected();
    let pid = scene.daemon.pid();
    // What the last connection has left behind goes to sleep as well.
    eventually(PATIENCE, "quiet", || {
        let before = sleeps(pid);
        poll(Duration::from_secs(1), || None::<()>);
        ((sleeps(pid) - before) as f64 <= WAKE_UPS_A_SECOND).then_some(())
    });
    let (begun, slept, worked) = (Instant::now(), sleeps(pid), cpu_time(pid));
    poll(WATCHED, || None::<()>);
    let a_second = (sleeps(pid) - slept) as f64 / begun.elapsed().as_secs_f64();
    let worked = cpu_time(pid) - worked;
    println!(
        "idle and disconnected: {a_second:.2} wake-ups a second, {worked:?} of CPU in {:?}",
        begun.elapsed()
    );
    assert!(a_second <= WAKE_UPS_A_SECOND, "{a_second:.2} wake-ups a second");
    assert!(worked < WATCHED / 100, "{worked:?} of CPU time");
}
