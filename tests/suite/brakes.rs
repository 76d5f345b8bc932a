//! Pause, resume, stop.

mod slow_commit;

use serde_json::Value;

use crate::support::daemon::{Builder, Daemon};
use crate::support::mongod::{fresh_database, shared_mongod};
use crate::support::proxy::Proxy;
use crate::support::sqlite::{App, TABLE};
use crate::support::wait::{PATIENCE, poll};

const PAUSE: &str = "/api/export/pause";
const RESUME: &str = "/api/export/resume";
const STOP: &str = "/api/export/stop";
const START: &str = "/api/export/sqlite-to-mongodb?batch_size=10";
const TEST: &str = "/api/export/test-mongodb-connection";

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
        let app = App::create(directory.path());
        let settings = Daemon::builder(app.path(), &proxy.uri()).set("mongodb.database", database.as_str());
        let daemon = configure(settings).start();
        Self { daemon, app, proxy, database, _directory: directory }
    }

    fn documents(&self) -> u64 {
        let client = shared_mongod().client();
        let count = client.count(&self.database, TABLE);
        client.close();
        count
    }

    #[track_caller]
    fn wait_for_all(&self) {
        let all = poll(PATIENCE, || (self.documents() == self.app.count()).then_some(()));
        let (status, log) = (self.daemon.status(), self.daemon.log().tail());
        assert!(all.is_some(), "{} of {} rows; {status}; log:\n{log}", self.documents(), self.app.count());
    }

    #[track_caller]
    fn post(&self, path: &str) -> Value {
        let (status, body) = self.daemon.post(path);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Probes the connection twice over: whatever wanted to start by itself has had its chance.
    #[track_caller]
    fn let_it_have_its_chance(&self) {
        for _ in 0..3 {
            self.post(TEST);
        }
    }

    /// An export is under way, and far from its end: the network delays each answer.
    #[track_caller]
    fn wait_until_under_way(&self) {
        self.daemon.wait_status("an export under way", |status| {
            status["status"] == "running" && status["processed_records"].as_u64() > Some(0)
        });
    }
}

/// Small batches over a slow network: an export takes seconds.
fn slow(scene: &mut Scene) {
    scene.proxy.delay(std::time::Duration::from_millis(20));
    scene.app.insert_inquiries(400);
}

fn small_batches(settings: Builder) -> Builder {
    settings.set("export.batch_size", 10)
}

#[test]
fn while_paused_nothing_is_sent_by_itself_and_resume_sends_what_waited() {
    let mut scene = Scene::set("paused", |settings| settings);
    scene.daemon.wait_log("connectivity_established");
    let body = scene.post(PAUSE);
    assert_eq!(body["data"], serde_json::json!({ "paused": true, "survives_restart": true }));
    assert_eq!(scene.post(PAUSE), body, "twice is the same as once");
    scene.app.insert_inquiries(20);
    scene.let_it_have_its_chance();
    assert_eq!(scene.documents(), 0);
    assert_eq!(scene.daemon.status()["paused"], true);
    assert_eq!(scene.post(RESUME)["message"], "Export resumed successfully");
    scene.wait_for_all();
    assert_eq!(scene.daemon.status()["paused"], false);
}

#[test]
fn a_pause_survives_a_restart_and_so_does_its_end() {
    let mut scene = Scene::set("restart", |settings| settings);
    scene.post(PAUSE);
    scene.daemon.restart();
    assert_eq!(scene.daemon.status()["paused"], true);
    scene.daemon.wait_log("connectivity_established");
    scene.app.insert_inquiries(20);
    scene.let_it_have_its_chance();
    assert_eq!(scene.documents(), 0);
    scene.daemon.kill();
    scene.daemon.start();
    assert_eq!(scene.daemon.status()["paused"], true, "also after a power cut");
    scene.post(RESUME);
    scene.wait_for_all();
    scene.daemon.restart();
    assert_eq!(scene.daemon.status()["paused"], false);
}

#[test]
fn a_manual_export_runs_while_paused_and_reset_does_not_resume() {
    let mut scene = Scene::set("manual", |settings| settings);
    scene.post(PAUSE);
    scene.app.insert_inquiries(20);
    scene.post(START);
    scene.daemon.wait_status("the manual export's end", |status| status["status"] == "completed");
    assert_eq!(scene.documents(), 20);
    scene.post("/api/export/reset-export-status");
    assert_eq!(scene.daemon.status()["paused"], true);
    scene.app.insert_inquiries(5);
    scene.let_it_have_its_chance();
    assert_eq!(scene.documents(), 20);
}

#[test]
fn a_pause_ends_the_automatic_export_at_a_batch_and_resume_goes_on_with_what_is_left() {
    let mut scene = Scene::set("underway", small_batches);
    scene.daemon.wait_log("connectivity_established");
    slow(&mut scene);
    scene.wait_until_under_way();
    scene.post(PAUSE);
    let status = scene.daemon.wait_status("its end", |status| status["status"] == "failed");
    assert_eq!(status["error_message"], "stopped by request");
    let sent = scene.documents();
    assert!(sent < scene.app.count(), "it was stopped in the middle");
    assert_eq!(status["processed_records"], sent, "at a batch boundary");
    scene.proxy.open();
    scene.post(RESUME);
    scene.wait_for_all();
}

#[test]
fn a_stopped_automatic_export_comes_back_only_when_something_changes() {
    let mut scene = Scene::set("stopped", small_batches);
    scene.daemon.wait_log("connectivity_established");
    slow(&mut scene);
    scene.wait_until_under_way();
    let running = scene.daemon.status()["export_id"].clone();
    let body = scene.post(STOP);
    assert_eq!(body["message"], "Export is stopping");
    assert_eq!(body["data"]["export_id"], running);
    let status = scene.daemon.wait_status("its end", |status| status["status"] == "failed");
    assert_eq!((&status["error_message"], &status["reason"]), (&"stopped by request".into(), &Value::Null));
    let sent = scene.documents();
    assert_eq!(status["processed_records"], sent, "at a batch boundary");
    scene.proxy.open();
    scene.let_it_have_its_chance();
    assert_eq!(scene.documents(), sent);
    assert_eq!(scene.daemon.status()["export_id"], running, "no other one has begun");
    scene.app.insert_inquiries(1);
    scene.wait_for_all();
}

#[test]
fn a_stopped_manual_export_stays_stopped() {
    let mut scene = Scene::set("stoppedmanual", |settings| settings.set("export.automatic", false));
    scene.daemon.wait_log("connectivity_established");
    slow(&mut scene);
    scene.post(START);
    scene.wait_until_under_way();
    scene.post(STOP);
    scene.daemon.wait_status("its end", |status| status["status"] == "failed");
    scene.proxy.open();
    scene.let_it_have_its_chance();
    assert!(scene.documents() < scene.app.count());
    scene.post(START);
    scene.wait_for_all();
}

#[test]
fn stopping_what_does_not_run_is_refused_and_changes_nothing() {
    let mut scene = Scene::set("idle", |settings| settings);
    let (status, body) = scene.daemon.post(STOP);
    assert_eq!(status, 409);
    assert_eq!(body["message"], "Export is not running");
    assert_eq!(body["error"], "No export operation is in progress");
    scene.app.insert_inquiries(5);
    scene.wait_for_all();
}

#[test]
fn a_manual_export_that_waits_for_mongodb_can_be_stopped() {
    let mut scene = Scene::set("waiting", |settings| settings.set("export.automatic", false));
    scene.daemon.wait_log("connectivity_established");
    scene.app.insert_inquiries(20);
    scene.proxy.refuse();
    scene.proxy.cut_all();
    scene.post(START);
    scene.daemon.wait_status("its failure", |status| status["status"] == "failed");
    assert_eq!(scene.post(STOP)["data"]["export_id"], Value::Null);
    let mark = scene.daemon.log().mark();
    scene.proxy.open();
    scene.daemon.wait_log_after(mark, "connectivity_restored");
    scene.let_it_have_its_chance();
    assert_eq!(scene.documents(), 0, "nobody wants it any more");
}

#[test]
fn a_pause_that_cannot_be_written_down_says_so() {
    // Somebody put a file where the state directory should be: not even root can use it.
    let directory = tempfile::tempdir().expect("a temporary directory");
    let in_the_way = directory.path().join("state");
    std::fs::write(&in_the_way, "").expect("a temporary directory is writable");
    let state = in_the_way.to_str().expect("a readable name").to_owned();
    let scene = Scene::set("temporary", |settings| settings.set("state.directory", state));
    let body = scene.post(PAUSE);
    assert_eq!(body["message"], "Export paused until the daemon ends");
    assert_eq!(body["data"]["survives_restart"], false);
}
