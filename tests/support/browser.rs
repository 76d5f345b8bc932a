//! A real browser without a window, driven over WebDriver.
//!
//! It has a profile of its own, and asks nobody by itself. Where there is no browser, a test fails and says what to install.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, getuid, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::Agent;

use super::guardian;
use super::wait::{PATIENCE, eventually};

/// A browser that doesn't come up by then never will.
const START: Duration = Duration::from_secs(60);

const ARGUMENTS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A browser with one tab.
pub struct Browser {
    driver: Child,
    agent: Agent,
    session: String,
    /// Holds the profile; goes last.
    _directory: TempDir,
}

impl Browser {
    /// Starts it.
    #[track_caller]
    pub fn start() -> Self {
        let driver = driver().expect(
            "chromedriver isn't there: install it with its browser (on Debian: apt-get install chromium chromium-driver), \
             or name its directory in $CHROMEWEBDRIVER",
        );
        let directory = tempfile::Builder::new()
            .prefix("mongo-uplink-browser-")
            .tempdir()
            .expect("a temporary directory");
        guardian::watch(directory.path());
        let (driver, port) = launch(&driver, directory.path());
        let config = Agent::config_builder().timeout_global(Some(START)).http_status_as_error(false).build();
        let mut browser = Self {
            driver,
            agent: config.into(),
            session: format!("http://127.0.0.1:{port}/session"),
            _directory: directory,
        };
        let mut arguments = ARGUMENTS.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", browser._directory.path().join("profile").display()));
        let answer = browser.call(
            "POST",
            "",
            &json!({ "capabilities": { "alwaysMatch": {
                "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
                "goog:chromeOptions": { "args": arguments },
            } } }),
        );
        let id = answer["sessionId"].as_str().expect("a session").to_owned();
        browser.session = format!("{}/{id}", browser.session);
        // The tab that it begins with asks for parts of the browser itself.
        browser.open("about:blank");
        let _its_own = browser.requests();
        browser
    }

    /// Opens an address and waits until the document is there.
    #[track_caller]
    pub fn open(&self, url: &str) {
        self.call("POST", "/url", &json!({ "url": url }));
    }

    /// What a script's `return` gives.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.call("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The text of an element as it is shown; empty if it isn't.
    #[track_caller]
    pub fn text(&self, id: &str) -> String {
        let text = self.run(&format!("return document.getElementById({id:?}).innerText"));
        text.as_str().unwrap_or_default().trim().to_owned()
    }

    /// Whether an element is shown.
    #[track_caller]
    pub fn shows(&self, id: &str) -> bool {
        self.run(&format!("return document.getElementById({id:?}).checkVisibility()")) == json!(true)
    }

    /// Waits until the text of an element is as wanted.
    #[track_caller]
    pub fn wait_text(&self, id: &str, wanted: impl Fn(&str) -> bool) -> String {
        eventually(PATIENCE, &format!("another text in #{id} than {:?}", self.text(id)), || {
            Some(self.text(id)).filter(|text| wanted(text))
        })
    }

    /// Clicks an element, as a person would: if it is in the way of nothing.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let found = self.call("POST", "/element", &json!({ "using": "css selector", "value": selector }));
        let id = found.as_object().and_then(|object| object.values().next()).and_then(Value::as_str);
        let id = id.unwrap_or_else(|| panic!("no element {selector}: {found}"));
        self.call("POST", &format!("/element/{id}/click"), &json!({}));
    }

    /// Presses keys, one after the other. Those without a letter are in WebDriver's private area of Unicode.
    #[track_caller]
    pub fn press(&self, keys: &str) {
        let actions: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
            })
            .collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.call("POST", "/actions", &json!({ "actions": [keyboard] }));
    }

    /// The id of the element that has the focus.
    #[track_caller]
    pub fn focus(&self) -> String {
        self.run("return document.activeElement?.id ?? ''").as_str().unwrap_or_default().to_owned()
    }

    /// Pretends to be a screen of this size, with this taste for colours: `light` or `dark`.
    #[track_caller]
    pub fn screen(&self, width: u32, height: u32, scheme: &str) {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.tell("Emulation.setDeviceMetricsOverride", &metrics);
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.tell("Emulation.setEmulatedMedia", &scheme);
    }

    /// Pretends that motion isn't wanted.
    #[track_caller]
    pub fn still(&self) {
        let still = json!({ "features": [{ "name": "prefers-reduced-motion", "value": "reduce" }] });
        self.tell("Emulation.setEmulatedMedia", &still);
    }

    /// Keeps a picture of the whole page in the build's directory, for whoever wants to look at it.
    #[track_caller]
    pub fn picture(&self, name: &str) {
        let answer =
            self.tell("Page.captureScreenshot", &json!({ "format": "png", "captureBeyondViewport": true }));
        let base64 = answer["data"].as_str().expect("a picture");
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pictures");
        fs::create_dir_all(&directory).expect("our own directory");
        let mut decoder = Command::new("base64")
            .arg("--decode")
            .stdin(Stdio::piped())
            .stdout(fs::File::create(directory.join(format!("{name}.png"))).expect("our own directory"))
            .spawn()
            .expect("base64 is part of every system");
        std::io::Write::write_all(&mut decoder.stdin.take().expect("piped"), base64.as_bytes())
            .expect("it reads");
        assert!(decoder.wait().expect("it ends").success());
    }

    /// What the page has written to the console since the last time, errors of the browser included.
    #[track_caller]
    pub fn console(&self) -> Vec<String> {
        self.log("browser").iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// The addresses that were asked for since the last time.
    #[track_caller]
    pub fn requests(&self) -> Vec<String> {
        let entries = self.log("performance");
        let messages = entries.iter().filter_map(|entry| {
            let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let sent = message["message"]["method"] == "Network.requestWillBeSent";
            sent.then(|| message["message"]["params"]["request"]["url"].as_str().map(str::to_owned))?
        });
        messages.collect()
    }

    #[track_caller]
    fn log(&self, kind: &str) -> Vec<Value> {
        let answer = self.call("POST", "/se/log", &json!({ "type": kind }));
        answer.as_array().expect("a list").clone()
    }

    #[track_caller]
    fn tell(&self, command: &str, parameters: &Value) -> Value {
        self.call("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.session);
        let response = match method {
            "POST" => self.agent.post(&url).send_json(body),
            _ => self.agent.delete(&url).call(),
        };
        let mut answer: Value = response
            .and_then(|mut response| response.body_mut().with_config().limit(64 << 20).read_json())
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        assert!(answer["value"].get("error").is_none(), "{method} {path} {body}: {}", answer["value"]);
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser with the session; if it can't any more, the group's end does.
        let _ended = self.agent.delete(&self.session).call();
        if let Some(group) = i32::try_from(self.driver.id()).ok().and_then(Pid::from_raw) {
            let _gone = kill_process_group(group, Signal::KILL);
        }
        let _reaped = self.driver.wait();
    }
}

fn driver() -> Option<PathBuf> {
    let named = env::var_os("CHROMEWEBDRIVER").map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let places = named.into_iter().chain(env::split_paths(&path));
    places.map(|place| place.join("chromedriver")).find(|place| place.is_file())
}

/// Starts the driver. It picks a port for one kind of address, and gives up if somebody has the same of the other kind.
#[track_caller]
fn launch(driver: &Path, directory: &Path) -> (Child, u16) {
    (0..5).find_map(|_| try_launch(driver, directory)).expect("the driver tells its port")
}

/// Starts the driver, and reads its port from what it says; `None` if it ends without a word of it.
#[track_caller]
fn try_launch(driver: &Path, directory: &Path) -> Option<(Child, u16)> {
    let log = format!("--log-path={}", directory.join("driver.log").display());
    // With the process that is noted, all that it has started goes, the browser included, if the kernel lets us.
    let mut command = if getuid().is_root() {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).arg(driver);
        command
    } else {
        Command::new(driver)
    };
    let mut child = command
        .args(["--port=0", &log])
        .env("HOME", directory)
        .env("TMPDIR", directory)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("it was found");
    guardian::note_process(directory, child.id());
    let said = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let port = said.lines().map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    if port.is_none() {
        // Its output has ended: so has it, or it is about to.
        let (_killed, _ended) = (child.kill(), child.wait());
    }
    port.map(|port| (child, port))
}
