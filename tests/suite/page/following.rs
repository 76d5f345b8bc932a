//! What it shows is what is so.

use rustix::process::Signal;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::*;
use crate::scene::{Scene, wait_completed, wait_link};
use crate::support::mongod::shared_mongod;
use crate::support::ports;
use crate::support::proxy::Proxy;
use crate::support::wait::{PATIENCE, eventually};

#[test]
fn the_page_follows_an_export_from_an_outage_to_its_end() {
    let proxy = Proxy::start(shared_mongod().port());
    proxy.refuse();
    let mut scene = Scene::new("page").by(proxy.uri());
    scene.app.insert_inquiries(3_000);
    scene.app.insert_duplicates(20);
    let daemon = scene.daemon().set("probe.max_interval", "2s").start();
    wait_link(&daemon, "an outage", |link| link["state"] == "offline");
    let browser = open(&daemon);

    browser.wait_text("link-state", |text| text == "Can’t be reached");
    let link = data(&daemon, "/api/export/connectivity");
    assert!(browser.text("link-detail").starts_with("refused: "), "{}", browser.text("link-detail"));
    assert_eq!(json!(browser.text("link-hint")), link["hint"]);
    browser.wait_text("link-next", |text| text.starts_with("Next try in") || text.starts_with("Trying now"));
    browser.wait_text("pending", |text| text == "3,020");
    browser.wait_text("pending-age", |text| text.starts_with("The oldest was first seen"));

    // Some seconds of work, however many batches are on their way at a time.
    proxy.open();
    proxy.rate(80_000);
    let mut seen = BTreeSet::new();
    eventually(PATIENCE, "a progress bar that moves", || {
        if browser.shows("bar") {
            seen.insert(
                browser
                    .run("return Number(document.getElementById('bar').getAttribute('aria-valuenow'))")
                    .as_u64(),
            );
        }
        (seen.len() >= 3 || browser.text("export-state").starts_with("Completed")).then_some(())
    });
    assert!(seen.len() >= 3, "{seen:?}");
    assert!(browser.text("export-state").starts_with("Running, started automatically"));
    browser.wait_text("export-pace", |text| text.contains("rows a second"));
    proxy.open();
    browser.wait_text("export-state", |text| text.starts_with("Completed"));
    wait_completed(&daemon);
    browser.wait_text("pending", |text| text == "0");
    assert_eq!(browser.text("link-state"), "Connected");
    assert!(!browser.shows("link-why") && !browser.shows("bar"));
    assert_eq!(["c-sent", "c-duplicates", "c-rejected"].map(|id| read(&browser.text(id))), [3_000, 20, 0]);

    // The past: the strip has the outage and what came after, the table the export.
    browser.wait_text("strip-text", |text| text.contains("1 outage"));
    let parts = browser.run(
        "return [...document.querySelectorAll('#strip rect')].map((part) => part.getAttribute('class'))",
    );
    assert_eq!(parts, json!(["offline", "online"]));
    browser.wait_text("runs-body", |text| text.contains("completed") && text.contains("3,000"));
    assert!(browser.run("return document.querySelectorAll('#chart rect.sent').length").as_u64() > Some(0));
    is_well(&browser, &daemon);
}

#[test]
fn the_page_says_when_the_daemon_is_gone_and_comes_back_with_it() {
    let port = ports::free();
    let mut scene = Scene::new("page_gone");
    let daemon = scene.daemon().set("http.listen", format!("127.0.0.1:{port}")).start();
    let browser = open(&daemon);
    browser.wait_text("link-state", |text| text == "Connected");
    // An open stream doesn't hold it up, else this would panic.
    daemon.terminate();
    browser.wait_text("live-text", |text| text == "Not connected to the daemon");
    assert!(browser.text("trouble").contains("Not connected"));
    let disabled = browser
        .run("return [...document.querySelectorAll('main button')].every((button) => button.disabled)");
    assert_eq!(disabled, json!(true));
    scene.app.insert_inquiries(3);
    daemon.start();
    browser.wait_text("live-text", |text| text == "Live");
    assert!(!browser.shows("trouble"));
    browser.wait_text("runs-body", |text| text.contains("completed"));
    // A daemon that hangs says nothing, and isn't taken for one that is well.
    daemon.signal(Signal::STOP);
    daemon.signal(Signal::CONT);
    assert_eq!(browser.text("live-text"), "Live");
}

#[test]
fn a_page_that_finds_no_place_to_listen_asks_every_now_and_then() {
    let mut scene = Scene::new("page_crowd");
    let daemon = scene.daemon().start();
    let crowd: Vec<TcpStream> = (0..16)
        .map(|_| {
            let mut stream = TcpStream::connect(daemon.address()).expect("it listens");
            let host = daemon.address();
            let request = format!("GET /api/export/events HTTP/1.1\r\nHost: {host}\r\n\r\n");
            stream.write_all(request.as_bytes()).expect("it reads");
            // It has its place as soon as it is answered.
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).expect("it is answered");
            assert_eq!(&answer, b"HTTP/1.1 200");
            stream
        })
        .collect();
    assert_eq!(daemon.ask_text("GET", "/api/export/events").0, 503);
    let browser = open(&daemon);
    scene.app.insert_inquiries(4);
    browser.wait_text("export-state", |text| text.starts_with("Completed"));
    assert_eq!(daemon.ask_text("GET", "/api/export/events").0, 503, "nobody has lost a place for it");
    drop(crowd);
}
