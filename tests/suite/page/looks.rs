//! It can be read by everybody: contrast, small screens, languages of the eye.

use super::*;
use crate::scene::{Scene, wait_link};
use crate::support::mongod::shared_mongod;
use crate::support::proxy::Proxy;
use mongodb::bson::doc;

/// Every text that is shown, with the contrast to what is behind it and how much it needs (WCAG 2.2, level AA).
const CONTRAST: &str = r#"
const parse = (text) => {
  const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
  return [r, g, b, a];
};
const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
const behind = (node) => {
  const layers = [];
  let opacity = 1;
  for (let at = node; at; at = at.parentElement) {
    const style = getComputedStyle(at);
    layers.push(parse(style.backgroundColor));
  }
  return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255, 1]);
};
const light = ([r, g, b]) => {
  const of = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * of(r) + 0.7152 * of(g) + 0.0722 * of(b);
};
const texts = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const text = walker.currentNode.textContent.trim();
  const node = walker.currentNode.parentElement;
  if (!text || ["SCRIPT", "NOSCRIPT", "OPTION"].includes(node.tagName)) continue;
  if (!node.checkVisibility({ visibilityProperty: true }) || node.closest(".hidden, .skip")) continue;
  if (node.closest(":disabled")) continue;
  const style = getComputedStyle(node);
  const ground = behind(node);
  let opacity = 1;
  for (let at = node; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
  const [r, g, b, a] = parse(style.color);
  const [l1, l2] = [light(over([r, g, b, a * opacity], ground)), light(ground)];
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  texts.push({ text, contrast: (Math.max(l1, l2) + 0.05) / (Math.min(l1, l2) + 0.05), needs: large ? 3 : 4.5 });
}
return texts;
"#;

/// What can be touched or is drawn wider than the screen.
const TOO_WIDE: &str = r#"
const width = document.documentElement.clientWidth;
const wide = [...document.querySelectorAll("body *")]
  .filter((node) => node.checkVisibility() && !node.closest(".skip, .hidden, svg"))
  .filter((node) => node.getBoundingClientRect().right > width + 0.5)
  .map((node) => `${node.tagName} ${node.id} ${node.className}`);
return [width, document.scrollingElement.scrollWidth, wide];
"#;

#[track_caller]
fn has_contrast(browser: &Browser, what: &str) {
    let texts = browser.run(CONTRAST);
    let texts = texts.as_array().expect("a list");
    assert!(texts.len() > 25, "{what}: {} texts", texts.len());
    let contrast = |text: &Value| text["contrast"].as_f64().expect("a number");
    let bad: Vec<_> =
        texts.iter().filter(|text| contrast(text) < text["needs"].as_f64().expect("a number")).collect();
    assert!(bad.is_empty(), "{what}: {bad:?}");
    let least = texts.iter().map(contrast).fold(f64::INFINITY, f64::min);
    println!("{what}: {} texts, the least contrast is {least:.2}", texts.len());
}

#[test]
fn each_text_has_contrast_in_both_schemes_and_nothing_is_wider_than_a_phone() {
    let proxy = Proxy::start(shared_mongod().port());
    let mut scene = Scene::new("page_looks").by(proxy.uri());
    scene.mongo.run(
        &scene.database,
        doc! {
            "create": crate::support::sqlite::TABLE,
            "validator": { "city": { "$ne": "nowhere" } },
        },
    );
    scene.app.insert_inquiries(400);
    scene.app.insert_duplicates(30);
    scene.app.execute("UPDATE chat_inquiry_information SET city = 'nowhere' WHERE id <= 3");
    let daemon = scene.daemon().set("probe.max_interval", "5s").start();
    daemon.wait_status("the end", |status| status["status"] == "completed");
    for rows in [40, 120, 7] {
        let before = scene.count();
        scene.app.insert_inquiries(rows);
        scene.wait_count(before + u64::from(rows));
    }
    let browser = open(&daemon);
    browser.wait_text("records-body", |text| text.contains("121"));
    for scheme in ["light", "dark"] {
        browser.screen(1100, 1500, scheme);
        has_contrast(&browser, &format!("online, {scheme}"));
        browser.picture(&format!("online-{scheme}"));
    }
    proxy.refuse();
    proxy.cut_all();
    scene.app.insert_inquiries(60);
    wait_link(&daemon, "an outage", |link| link["state"] == "offline");
    browser.wait_text("link-state", |text| text == "Can’t be reached");
    for scheme in ["light", "dark"] {
        browser.screen(1100, 1500, scheme);
        browser.click("#start");
        has_contrast(&browser, &format!("a question, {scheme}"));
        browser.click("#confirm button[value=cancel]");
        has_contrast(&browser, &format!("offline, {scheme}"));
        browser.picture(&format!("offline-{scheme}"));
    }
    for (width, scheme) in [(360, "light"), (320, "dark")] {
        browser.screen(width, 740, scheme);
        assert_eq!(browser.run(TOO_WIDE), json!([width, width, []]));
        has_contrast(&browser, &format!("{width} wide, {scheme}"));
        browser.picture(&format!("phone-{width}"));
    }
    is_well(&browser, &daemon);
}

#[test]
fn what_helps_those_who_do_not_see_or_do_not_like_motion_is_there() {
    let scene = Scene::new("page_help");
    let daemon = scene.daemon().start();
    let browser = open(&daemon);
    browser.wait_text("link-state", |text| text == "Connected");
    let nameless = browser.run(
        "return [...document.querySelectorAll('button, input, select, a, svg[role=img], [role=progressbar], section, table')]
            .filter((node) => !(node.ariaLabel || node.getAttribute('aria-labelledby') || node.labels?.length
                || node.caption || node.textContent.trim())).map((node) => node.outerHTML)",
    );
    assert_eq!(nameless, json!([]), "everything has a name");
    let dangling = browser.run(
        "return [...document.querySelectorAll('[aria-labelledby], [aria-describedby]')]
            .flatMap((node) => [node.getAttribute('aria-labelledby'), node.getAttribute('aria-describedby')])
            .filter((id) => id && !document.getElementById(id))",
    );
    assert_eq!(dangling, json!([]));
    let told = browser
        .run("return ['link-state', 'export-state'].map((id) => document.getElementById(id).ariaLive)");
    assert_eq!(told, json!(["polite", "polite"]));
    let headings =
        browser.run("return [document.querySelectorAll('h1').length, document.documentElement.lang]");
    assert_eq!(headings, json!([1, "en"]));
    browser.still();
    let motion =
        browser.run("return getComputedStyle(document.getElementById('bar-fill')).transitionDuration");
    assert_eq!(motion, json!("0s"));
}

#[test]
fn a_value_that_looks_like_markup_is_shown_as_it_is() {
    let mut scene = Scene::new("page_markup");
    scene.mongo.run(
        &scene.database,
        doc! {
            "create": "t",
            "validator": { "city": { "$ne": "nowhere" } },
        },
    );
    let attack = "<img src=x onerror=\"document.title='taken'\">";
    scene
        .app
        .connection()
        .execute_batch(&format!(
            "CREATE TABLE t (name TEXT PRIMARY KEY, city TEXT, created_at TEXT);
         INSERT INTO t VALUES ('{}', 'nowhere', '2024-01-01')",
            attack.replace('\'', "''")
        ))
        .expect("nobody is in the way");
    let daemon = scene.daemon().set("sqlite.table", "t").set("mongodb.collection", "t").start();
    daemon.wait_status("a rejection", |status| status["failed_records"] == 1);
    let browser = open(&daemon);
    browser.wait_text("records-body", |text| text.contains("<img src=x"));
    assert_eq!(browser.run("return [document.title, document.images.length]"), json!(["mongo-uplink", 0]));
    // And what isn't the page's own is run by no browser.
    browser.run("const script = document.createElement('script'); script.textContent = 'document.title = 1'; document.body.append(script)");
    assert_eq!(browser.run("return document.title"), json!("mongo-uplink"));
}
