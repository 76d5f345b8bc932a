//! What can be done with it.

use mongodb::bson::doc;

use super::*;
use crate::scene::{Scene, wait_completed};
use crate::support::sqlite::TABLE;
use crate::support::wait::{PATIENCE, eventually};

/// Keys, as WebDriver names them.
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";
const SPACE: &str = " ";

#[test]
fn each_button_does_what_it_says() {
    let mut scene = Scene::new("page_buttons");
    scene.mongo.run(&scene.database, doc! { "create": TABLE, "validator": { "city": { "$ne": "nowhere" } } });
    scene.app.insert_inquiries(12);
    scene.app.execute("UPDATE chat_inquiry_information SET city = 'nowhere' WHERE id <= 2");
    let daemon = scene.daemon().start();
    wait_completed(&daemon);
    let browser = open(&daemon);

    browser.click("#test");
    browser.wait_text("toast", |text| text.contains("MongoDB connection successful: 10 documents"));

    browser.click("#pause");
    eventually(PATIENCE, "a pause", || browser.shows("resume").then_some(()));
    assert_eq!(daemon.status()["paused"], true);
    browser.click("#resume");
    eventually(PATIENCE, "its end", || browser.shows("pause").then_some(()));
    assert_eq!(daemon.status()["paused"], false);

    // What isn't confirmed isn't done.
    let before = daemon.status();
    browser.click("#start");
    browser.click("#confirm button[value=cancel]");
    browser.click("#reset");
    browser.press(ESCAPE);
    assert_eq!(daemon.status(), before);

    browser.click("#start");
    assert_eq!(browser.text("confirm-title"), "Export every row?");
    browser.run("document.getElementById('batch-size').value = '3'");
    browser.click("#confirm-ok");
    browser.wait_text("export-state", |text| text == "Completed, started by hand");
    assert_eq!(daemon.status()["trigger"], "manual");

    // Rows that were refused, and what becomes of them.
    browser.wait_text("records-body", |text| text.contains("code 121"));
    assert_eq!(browser.run("return document.querySelectorAll('#records-body tr').length"), json!(2));
    scene.mongo.run(&scene.database, doc! { "collMod": TABLE, "validator": {} });
    browser.click("#retry");
    browser.click("#confirm-ok");
    browser.wait_text("records-none", |text| text == "No row is rejected.");
    scene.wait_count(12);
    scene.app.insert_duplicates(1);
    // What moves while it is drawn anew is missed by a click.
    browser.wait_text("c-duplicates", |text| text == "1");
    browser.wait_text("export-state", |text| text == "Completed, started automatically");
    browser.click("input[value=duplicate] + span");
    browser.wait_text("records-body", |text| text.contains("duplicate of"));

    eventually(PATIENCE, "its button", || browser.shows("reset").then_some(()));
    browser.click("#reset");
    browser.click("#confirm-ok");
    browser.wait_text("export-state", |text| text == "Idle");
    assert_eq!(daemon.status()["status"], "idle");
    is_well(&browser, &daemon);
}

#[test]
fn a_running_export_is_stopped_by_its_button() {
    let proxy = crate::support::proxy::Proxy::start(crate::support::mongod::shared_mongod().port());
    proxy.rate(40_000);
    let mut scene = Scene::new("page_stop").by(proxy.uri());
    scene.app.insert_inquiries(6_000);
    let daemon = scene.daemon().set("export.batch_size", 10).start();
    daemon.wait_status("a running export", |status| status["status"] == "running");
    let browser = open(&daemon);
    eventually(PATIENCE, "its button", || browser.shows("stop").then_some(()));
    browser.click("#stop");
    browser.click("#confirm-ok");
    browser.wait_text("toast", |text| text == "Export is stopping");
    proxy.open();
    browser.wait_text("export-state", |text| text.starts_with("Broke off"));
    assert_eq!(browser.text("export-pace"), "stopped by request");
    assert_eq!(daemon.status()["status"], "failed");
}

#[test]
fn a_keyboard_is_enough() {
    let mut scene = Scene::new("page_keyboard");
    scene.app.insert_inquiries(3);
    let daemon = scene.daemon().set("export.automatic", false).start();
    let browser = open(&daemon);
    browser.wait_text("export-state", |text| text == "Idle");
    let go_to = |id: &str| {
        for _ in 0..30 {
            if browser.focus() == id {
                // Whoever can't see where they are is lost.
                let outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle");
                assert_ne!(outline, json!("none"), "{id}");
                return;
            }
            browser.press(TAB);
        }
        panic!("#{id} isn't reached");
    };
    go_to("start");
    browser.press(ENTER);
    assert!(browser.run("return document.getElementById('confirm').open") == json!(true));
    browser.press(ESCAPE);
    assert_eq!(browser.focus(), "start", "where it was before");
    browser.press(SPACE);
    go_to("confirm-ok");
    browser.press(ENTER);
    browser.wait_text("export-state", |text| text == "Completed, started by hand");
    assert_eq!(scene.count(), 3);
    is_well(&browser, &daemon);
}

#[test]
fn a_token_is_asked_for_until_it_is_right_and_kept_for_the_tab() {
    let scene = Scene::new("page_token");
    let daemon = scene.daemon().set("http.token", "a-token-of-some-length").start();
    let browser = Browser::start();
    let page = format!("http://{}/", daemon.address());
    browser.open(&page);
    let wait_prompt = |said: &str| {
        browser.wait_text("token-text", |text| text.contains(said));
        eventually(PATIENCE, "the prompt", || (browser.focus() == "token-input").then_some(()));
    };
    wait_prompt("configured as http.token");
    browser.press("not-it");
    browser.press(ENTER);
    wait_prompt("This isn’t the token");
    browser.press("a-token-of-some-length");
    browser.press(ENTER);
    browser.wait_text("live-text", |text| text == "Live");
    browser.wait_text("link-state", |text| text == "Connected");
    browser.open(&page);
    browser.wait_text("live-text", |text| text == "Live");
    assert!(!browser.shows("token"));
    let kept = browser.run("return [localStorage.length, document.cookie, location.href.includes('token')]");
    assert_eq!(kept, json!([0, "", false]));
}
