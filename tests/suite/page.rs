//! The page, in a real browser.

mod following;
mod looks;
mod using;

use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::daemon::Daemon;

/// Opens the page of a daemon, and waits until it follows it.
#[track_caller]
fn open(daemon: &Daemon) -> Browser {
    let browser = Browser::start();
    browser.screen(1100, 1500, "light");
    browser.open(&format!("http://{}/", daemon.address()));
    browser.wait_text("live-text", |text| text == "Live");
    browser
}

/// Nothing went wrong in it, and it asked nobody but this daemon.
#[track_caller]
fn is_well(browser: &Browser, daemon: &Daemon) {
    assert_eq!(browser.console(), Vec::<String>::new());
    let own = format!("http://{}/", daemon.address());
    let requests = browser.requests();
    assert!(requests.iter().any(|url| url.ends_with("/api/export/events")), "{requests:?}");
    for url in requests {
        assert!(url.starts_with(&own) || url.starts_with("data:"), "it asked for {url}");
    }
}

/// A number as it is shown.
fn read(text: &str) -> u64 {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no number in {text:?}"))
}

#[track_caller]
fn data(daemon: &Daemon, path: &str) -> Value {
    let (code, mut body) = daemon.get(path);
    assert_eq!((code, &body["success"]), (200, &json!(true)), "{body}");
    body["data"].take()
}
