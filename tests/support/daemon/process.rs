//! A daemon's process.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use ureq::Agent;

use super::{Builder, Line, Log, Mark, daemon_binary, web};
use crate::support::wait::{PATIENCE, poll};
use crate::support::{description, guardian};

/// Promised: within this time after SIGTERM the daemon has ended.
const TERMINATION: Duration = Duration::from_secs(5);

/// How long the last lines of a daemon that ended may take through the pipe.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Variables that tell a daemon of the host it runs on; a test's own surroundings aren't meant.
const FOREIGN: [&str; 6] =
    ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM", "CREDENTIALS_DIRECTORY", "RUST_LOG"];

/// A daemon with a configuration and a state of its own: prepared, running, or ended.
pub struct Daemon {
    directory: TempDir,
    settings: Builder,
    agent: Agent,
    log: Log,
    life: Mutex<Life>,
}

#[derive(Default)]
struct Life {
    process: Option<Child>,
    started_at: Option<Mark>,
    address: Option<SocketAddr>,
}

impl Daemon {
    /// Settings of a daemon for the application's database and a MongoDB.
    #[must_use]
    #[track_caller]
    pub fn builder(database: &Path, mongo_uri: &str) -> Builder {
        Builder::new(database, mongo_uri)
    }

    #[track_caller]
    pub(super) fn new(mut settings: Builder) -> Self {
        let directory =
            tempfile::Builder::new().prefix("mongo-uplink-daemon-").tempdir().expect("a temporary directory");
        guardian::watch(directory.path());
        if !settings.has("state", "directory") {
            let state = directory.path().join("state");
            settings = settings.set("state.directory", state.to_str().expect("a readable name"));
        }
        fs::write(directory.path().join("config.toml"), settings.to_toml()).expect("our own directory");
        Self { directory, settings, agent: web::agent(), log: Log::default(), life: Mutex::default() }
    }

    /// Its own directory, with `config.toml` and, unless set otherwise, `state`.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A command that runs the program with this configuration, to which a subcommand may be added.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.settings.program.clone().unwrap_or_else(daemon_binary));
        command.arg("--config").arg(self.directory.path().join("config.toml"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MONGO_UPLINK_") {
                command.env_remove(name);
            }
        }
        FOREIGN.iter().for_each(|name| {
            command.env_remove(name);
        });
        command.envs(self.settings.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.current_dir(self.directory.path());
        command
    }

    /// Starts a prepared or ended daemon and waits until it answers on HTTP.
    #[track_caller]
    pub fn start(&self) {
        self.launch();
        let line = self.wait_log("http_listening");
        let address = line.field("address").and_then(Value::as_str).and_then(|text| text.parse().ok());
        let address = address.unwrap_or_else(|| panic!("http_listening names no address: {}", line.text()));
        self.life().address = Some(address);
    }

    /// Starts it and waits for nothing: for a daemon that may not come up.
    #[track_caller]
    pub fn launch(&self) {
        let mut life = self.life();
        assert!(life.process.is_none(), "the daemon is running already");
        life.started_at = Some(self.log.mark());
        let mut process = self.command().spawn().expect("the daemon's program starts");
        guardian::note_process(self.directory.path(), process.id());
        self.log.follow(process.stdout.take().expect("stdout is piped"));
        self.log.follow(process.stderr.take().expect("stderr is piped"));
        life.process = Some(process);
    }

    /// Ends it by SIGTERM and starts it again with the same state.
    #[track_caller]
    pub fn restart(&self) {
        self.terminate();
        self.start();
    }

    /// Tells it to stop (SIGTERM), as systemd does; panics unless it has ended in time.
    #[track_caller]
    pub fn terminate(&self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait_exit(TERMINATION)
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub fn wait_exit(&self, deadline: Duration) -> ExitStatus {
        let status = self.wait(deadline, "the daemon's end", || self.exit_status());
        self.life().process = None;
        status
    }

    /// Ends it as a power cut would (SIGKILL).
    pub fn kill(&self) {
        if let Some(mut process) = self.life().process.take() {
            process.kill().expect("our own child can be killed");
            process.wait().expect("our own child can be waited for");
        }
    }

    /// Sends it a signal.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("an id from the kernel");
        kill_process(pid, signal).expect("our own child can be signalled");
    }

    /// The process's id; panics if it isn't running.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.life().process.as_ref().expect("the daemon is running").id()
    }

    /// Resident memory in KiB.
    #[track_caller]
    pub fn rss_kib(&self) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the daemon is running");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number of kB")
    }

    /// Where it listens.
    #[track_caller]
    pub fn address(&self) -> SocketAddr {
        self.life().address.expect("the daemon was started")
    }

    /// Status and JSON body of `GET path`.
    #[track_caller]
    pub fn get(&self, path: &str) -> (u16, Value) {
        self.json("GET", path)
    }

    /// Status and JSON body of `POST path`.
    #[track_caller]
    pub fn post(&self, path: &str) -> (u16, Value) {
        self.json("POST", path)
    }

    /// Status and text of `GET path`, for what isn't JSON.
    #[track_caller]
    pub fn get_text(&self, path: &str) -> (u16, String) {
        self.request("GET", path)
    }

    /// Status and text of an answer, by any method.
    #[track_caller]
    pub fn ask_text(&self, method: &str, path: &str) -> (u16, String) {
        self.request(method, path)
    }

    /// The `data` of `GET /api/export/status`.
    #[track_caller]
    pub fn status(&self) -> Value {
        let (code, mut body) = self.get("/api/export/status");
        assert_eq!(code, 200, "{body}");
        body["data"].take()
    }

    /// Waits until the `data` of `GET /api/export/status` are as wanted.
    #[track_caller]
    pub fn wait_status(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = poll(PATIENCE, || {
            last = self.status();
            wanted(&last).then(|| last.clone())
        });
        match found {
            Some(status) => status,
            None => {
                panic!("waited {PATIENCE:?} in vain for {what}; status: {last}; log:\n{}", self.log.tail())
            }
        }
    }

    /// Its log, over all starts.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Waits until this event is logged, or finds it since the last start.
    #[track_caller]
    pub fn wait_log(&self, event: &str) -> Line {
        let mark = self.life().started_at.expect("the daemon was started");
        self.wait_log_after(mark, event)
    }

    /// Waits until this event is logged after a place in the log.
    #[track_caller]
    pub fn wait_log_after(&self, mark: Mark, event: &str) -> Line {
        self.wait(PATIENCE, event, || {
            if let Some(line) = self.log.find(mark, event) {
                return Some(line);
            }
            let status = self.exit_status()?;
            // It may have written its last lines after the look above, and they may still be on their way.
            let last_words = poll(LAST_WORDS, || self.log.find(mark, event));
            last_words.or_else(|| {
                panic!("waited for {event}, but the daemon ended by {status}; log:\n{}", self.log.tail())
            })
        })
    }

    /// Finds this event among the last words of a daemon that has ended.
    #[track_caller]
    pub fn wait_log_of_the_dead(&self, event: &str) -> Line {
        let mark = self.life().started_at.expect("the daemon was started");
        self.wait(LAST_WORDS, event, || self.log.find(mark, event))
    }

    #[track_caller]
    fn wait<T>(&self, deadline: Duration, what: &str, probe: impl FnMut() -> Option<T>) -> T {
        match poll(deadline, probe) {
            Some(value) => value,
            None => panic!("waited {deadline:?} in vain for {what}; log:\n{}", self.log.tail()),
        }
    }

    #[track_caller]
    fn json(&self, method: &str, path: &str) -> (u16, Value) {
        let (status, text) = self.request(method, path);
        (status, web::json(path, &text))
    }

    #[track_caller]
    fn request(&self, method: &str, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.address());
        let (status, text) = web::request(&self.agent, method, &url)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}; log:\n{}", self.log.tail()));
        description::check(method, path, status, &text);
        (status, text)
    }

    fn exit_status(&self) -> Option<ExitStatus> {
        let mut life = self.life();
        life.process.as_mut()?.try_wait().expect("our own child can be asked")
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}
