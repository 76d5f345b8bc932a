use super::{Scene, history, sum};
use crate::support::mongod::shared_mongod;
use crate::support::proxy::Proxy;

#[test]
fn the_last_export_is_told_after_a_restart() {
    let mut scene = Scene::new("history");
    scene.app.insert_inquiries(120);
    let daemon = scene.builder().start();
    scene.wait_delivered(&daemon);
    let last = daemon.wait_status("a completed export", |status| status["status"] == "completed");
    daemon.restart();
    let [told] = &history(&daemon)[..] else { panic!("one export: {:?}", history(&daemon)) };
    for field in [
        "export_id",
        "trigger",
        "status",
        "total_records",
        "processed_records",
        "successful_records",
        "skipped_records",
        "failed_records",
        "start_time",
        "end_time",
        "error_message",
        "reason",
    ] {
        assert_eq!(told[field], last[field], "{field}");
    }
    assert_eq!((&told["successful_records"], &told["status"]), (&120.into(), &"completed".into()));
}

#[test]
fn an_export_cut_by_a_power_cut_is_told_as_broken_off_and_counted_once() {
    let mut scene = Scene::new("brokenoff");
    scene.app.insert_inquiries(2_000);
    let proxy = Proxy::start(shared_mongod().port());
    let daemon = scene.builder_at(&proxy.uri()).set("export.batch_size", 50).start();
    daemon.wait_status("some batches", |status| status["processed_records"].as_u64() >= Some(200));
    proxy.stall();
    daemon.kill();
    proxy.open();
    daemon.start();
    scene.wait_delivered(&daemon);
    daemon.wait_status("a completed export", |status| status["status"] == "completed");
    let told = history(&daemon);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!((&told[0]["status"], &told[1]["status"]), (&"completed".into(), &"failed".into()));
    assert!(told[1]["error_message"].as_str().unwrap().starts_with("broken off"), "{}", told[1]);
    assert!(told[1]["end_time"].is_null());
    assert!(sum(&told[..1], "successful_records") <= 1_800, "what was recorded isn't counted again");
}
