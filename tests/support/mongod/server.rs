//! One `mongod` process.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mongodb::bson::{Document, doc};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::builder::SET;
use super::{Builder, mongod_binary};
use crate::support::mongo::{Mongo, Role};
use crate::support::wait::{PATIENCE, eventually, poll};
use crate::support::{guardian, ports};

/// How long a start may take on a machine with much else to do.
const START: Duration = Duration::from_secs(60);
/// The user that may do everything, where a login is needed; his password is his name.
const ROOT: &str = "root";
/// How many lines of its log a panic shows.
const TAIL: usize = 25;

/// A `mongod` with a port and a directory of its own: reserved, running, frozen or killed.
pub struct Mongod {
    port: u16,
    directory: TempDir,
    settings: Builder,
    life: Mutex<Life>,
}

#[derive(Default)]
struct Life {
    process: Option<Child>,
    /// Whether the data belong to a set already; they outlive the process.
    initiated: bool,
    /// Whether there is a user that may do everything.
    has_root: bool,
}

impl Mongod {
    /// A server with default settings, running and writable.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// A server that knows its port and connection string and isn't running: [`launch`](Self::launch) it later.
    #[must_use]
    #[track_caller]
    pub fn reserve() -> Self {
        Self::builder().reserve()
    }

    /// Settings for another kind of server.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(super) fn new(settings: Builder) -> Self {
        let directory =
            tempfile::Builder::new().prefix("mongo-uplink-mongod-").tempdir().expect("a temporary directory");
        fs::create_dir(directory.path().join("data")).expect("the temporary directory is writable");
        guardian::watch(directory.path());
        Self { port: ports::free(), directory, settings, life: Mutex::default() }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The connection string. It names this one server, so that its port may be replaced by a proxy's.
    pub fn uri(&self) -> String {
        self.uri_at(self.port)
    }

    /// The connection string by way of another port, such as that of a proxy.
    pub fn uri_at(&self, port: u16) -> String {
        if self.settings.login { self.uri_with(port, &login(ROOT, ROOT)) } else { self.uri_with(port, "") }
    }

    /// The connection string of a user of the database `admin`.
    pub fn uri_as(&self, user: &str, password: &str) -> String {
        self.uri_with(self.port, &login(user, password))
    }

    fn uri_with(&self, port: u16, login: &str) -> String {
        format!("mongodb://{login}127.0.0.1:{port}/?directConnection=true{}", self.settings.uri_options)
    }

    /// A client that doesn't log in. Until there is a user, it may make the set and the first one.
    #[track_caller]
    fn stranger(&self) -> Mongo {
        Mongo::connect(&self.uri_with(self.port, ""))
    }

    /// A client of this server.
    #[track_caller]
    pub fn client(&self) -> Mongo {
        Mongo::connect(&self.uri())
    }

    /// The process's id; panics if it isn't running.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.life().process.as_ref().expect("the mongod is running").id()
    }

    /// Starts a reserved or killed server and waits until it is a writable primary.
    #[track_caller]
    pub fn launch(&self) {
        self.spawn();
        self.wait_until_listening();
        if !self.life().initiated {
            self.initiate(doc! { "_id": SET, "members": [{ "_id": 0, "host": self.host() }] });
        }
        self.wait_for_role("a writable primary", |role| role == Role::Primary);
        if self.settings.login && !std::mem::replace(&mut self.life().has_root, true) {
            let stranger = self.stranger();
            stranger.run("admin", doc! { "createUser": ROOT, "pwd": ROOT, "roles": ["root"] });
            stranger.close();
        }
    }

    /// Starts a reserved server that stays a member without a set.
    #[track_caller]
    pub fn launch_uninitiated(&self) {
        self.spawn();
        self.wait_until_listening();
    }

    /// Kills it if it runs, and starts it again with the same data on the same port.
    #[track_caller]
    pub fn restart(&self) {
        self.kill();
        self.launch();
    }

    /// Ends it as a power cut would (SIGKILL). Data and port stay its own.
    pub fn kill(&self) {
        if let Some(mut process) = self.life().process.take() {
            process.kill().expect("our own child can be killed");
            process.wait().expect("our own child can be waited for");
        }
    }

    /// Stops it without closing anything (SIGSTOP): connections succeed, answers don't come.
    #[track_caller]
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
        eventually(PATIENCE, "a frozen mongod", || self.is_stopped().then_some(()));
    }

    /// Lets a frozen server go on.
    #[track_caller]
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
        eventually(PATIENCE, "a thawed mongod", || (!self.is_stopped()).then_some(()));
    }

    /// Host and port as members of its set name it.
    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts the process and waits for nothing.
    #[track_caller]
    pub(super) fn spawn(&self) {
        let mut life = self.life();
        assert!(life.process.is_none(), "the mongod is running already");
        let mut command = Command::new(mongod_binary());
        if !self.settings.arguments.iter().any(|argument| argument == "--bind_ip_all") {
            command.args(["--bind_ip", "127.0.0.1"]);
        }
        command.args(["--port", &self.port.to_string(), "--replSet", SET]);
        command.arg("--dbpath").arg(self.directory.path().join("data"));
        command.args(["--nounixsocket", "--wiredTigerCacheSizeGB", "0.5", "--oplogSize", "256"]);
        command.args(["--setParameter", "diagnosticDataCollectionEnabled=false"]);
        // Fail points (`configureFailPoint`) are refused without it.
        command.args(["--setParameter", "enableTestCommands=1"]);
        if self.settings.login {
            command.arg("--keyFile").arg(self.key_file());
        }
        command.args(&self.settings.arguments);
        let log = self.open_log();
        let same_log = log.try_clone().expect("a file can be cloned");
        command.stdin(Stdio::null()).stdout(log).stderr(same_log).current_dir("/");
        // A Ctrl-C is for the tests to handle, not for their servers.
        command.process_group(0);
        let process = command.spawn().expect("the mongod that told its version starts");
        guardian::note_process(self.directory.path(), process.id());
        life.process = Some(process);
    }

    /// Waits until the process accepts connections.
    #[track_caller]
    pub(super) fn wait_until_listening(&self) {
        self.wait_or_show_log("a listening mongod", || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
        });
    }

    /// Makes the data a set of these members.
    #[track_caller]
    pub(super) fn initiate(&self, configuration: Document) {
        let client = self.stranger();
        client.run("admin", doc! { "replSetInitiate": configuration });
        client.close();
        self.life().initiated = true;
    }

    /// Waits until the server says that it is what is wanted.
    #[track_caller]
    pub(super) fn wait_for_role(&self, what: &str, wanted: impl Fn(Role) -> bool) {
        let client = self.stranger();
        self.wait_or_show_log(what, || client.hello().is_some_and(|hello| wanted(hello.role)));
        client.close();
    }

    #[track_caller]
    fn wait_or_show_log(&self, what: &str, mut reached: impl FnMut() -> bool) {
        let outcome = poll(START, || {
            if let Some(status) = self.exit_status() {
                return Some(Err(format!("it ended by {status}")));
            }
            reached().then_some(Ok(()))
        });
        match outcome {
            Some(Ok(())) => {}
            Some(Err(reason)) => {
                panic!("{what} was expected: {reason}; its log ends with\n{}", self.log_tail())
            }
            None => panic!("not {what} within {START:?}; its log ends with\n{}", self.log_tail()),
        }
    }

    fn exit_status(&self) -> Option<String> {
        let mut life = self.life();
        let process = life.process.as_mut()?;
        process.try_wait().expect("our own child can be asked").map(|status| status.to_string())
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("an id from the kernel");
        kill_process(pid, signal).expect("our own child can be signalled");
    }

    fn is_stopped(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        status.lines().any(|line| line.starts_with("State:") && line.contains('T'))
    }

    /// What the members of a set know each other by; with it, clients have to log in.
    fn key_file(&self) -> PathBuf {
        let path = self.directory.path().join("key");
        // Refused if anybody else may read it.
        let file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&path);
        let mut file = file.expect("the server's directory is writable");
        file.write_all(b"bm90IGEgc2VjcmV0").expect("the server's directory is writable");
        path
    }

    fn open_log(&self) -> File {
        let path = self.directory.path().join("log");
        OpenOptions::new().create(true).append(true).open(path).expect("the server's directory is writable")
    }

    fn log_tail(&self) -> String {
        tail(&self.directory.path().join("log"))
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Mongod {
    fn drop(&mut self) {
        self.kill();
    }
}

fn login(user: &str, password: &str) -> String {
    format!("{user}:{password}@")
}

fn tail(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}
