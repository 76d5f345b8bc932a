//! What the daemon needs of its host.

use std::fs;

use crate::scene::Scene;

/// What the daemon's process was started with.
fn environment(pid: u32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).expect("our own child");
    String::from_utf8_lossy(&bytes)
        .split('\0')
        .filter(|text| text.starts_with("MALLOC_CONF="))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_daemon_that_is_started_by_hand_keeps_one_heap_for_all_threads() {
    let scene = Scene::new("oneheap");
    let daemon = scene.daemon().start();
    assert!(environment(daemon.pid()).iter().any(|text| text.contains("narenas:1,")));
    let name = fs::read_to_string(format!("/proc/{}/comm", daemon.pid())).expect("our own child");
    assert_eq!(name.trim(), "mongo-uplink", "and is called what it is");
    let line = fs::read(format!("/proc/{}/cmdline", daemon.pid())).expect("our own child");
    let arguments: Vec<_> = line.split(|byte| *byte == 0).filter(|text| !text.is_empty()).collect();
    assert_eq!(arguments[1], b"--config", "with the arguments that it was given");
    assert!(daemon.terminate().success());
}

#[test]
fn whoever_sets_the_allocator_by_hand_is_right() {
    let scene = Scene::new("ownheap");
    let daemon = scene.daemon().env("MALLOC_CONF", "narenas:3").start();
    assert_eq!(environment(daemon.pid()), ["MALLOC_CONF=narenas:3"]);
}

#[test]
fn the_units_set_what_the_daemon_would_set_itself() {
    let scene = Scene::new("unitheap");
    let daemon = scene.daemon().start();
    let mut set = environment(daemon.pid());
    set.sort_unstable();
    for unit in ["mongo-uplink.service", "mongo-uplink@.service"] {
        let path = format!("{}/systemd/{unit}", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(path).expect("the unit");
        assert!(text.contains(&format!("Environment={}\n", set.join(" "))), "{unit}: {set:?}");
    }
}
