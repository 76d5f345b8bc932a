//! The server on a real socket, with a stand-in for the loop and its checks behind [`Control`].

mod brakes;
mod checks;
mod connections;
mod documented;
mod events;
mod noise;
mod page;
mod past;
mod refusals;
mod rollback;
mod token;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::{Entrance, Policy};
use crate::config::{Config, Sources};
use crate::report::{
    Backlog, ExportStatus, Failure, Link, PastExport, RemarkQuery, Remarks, RunState, Summary,
};
use crate::supervisor::control::{
    Command, Control, Deadlines, Pausing, ResetError, Services, Snapshots, SourceUnavailable, StartError,
    Started, StopError, Stopped,
};
use checks::Checks;

/// Longer than anything here takes; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// `batch_size` and `skip_duplicates`, as the loop gets them.
type Parameters = (Option<u16>, Option<bool>);

/// A server under test.
struct Server {
    runtime: Runtime,
    address: SocketAddr,
    checks: Arc<Checks>,
    status: watch::Sender<ExportStatus>,
    link: watch::Sender<Link>,
    backlog: watch::Sender<Backlog>,
    /// What the loop was asked to start.
    started: Arc<Mutex<Vec<Parameters>>>,
    driver: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<std::io::Result<()>>>,
}

impl Server {
    fn start() -> Self {
        Self::start_with(open())
    }

    fn start_with(policy: Policy) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let (status, link) = (watch::Sender::default(), watch::Sender::default());
        let backlog = watch::Sender::default();
        let snapshots = snapshots(&status, &link, &backlog);
        let checks = Arc::new(Checks::default());
        let deadlines = Deadlines {
            command: PATIENCE,
            test_connection: PATIENCE,
            summary: PATIENCE,
            ledger: PATIENCE,
            rollback: PATIENCE,
        };
        let services = Arc::clone(&checks) as Arc<dyn Services>;
        let (control, commands) = Control::new(snapshots, services, deadlines);
        let started = Arc::default();
        let driver = runtime.spawn(drive(commands, status.clone(), Arc::clone(&started)));

        let (stop, stopped) = oneshot::channel();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let serving = runtime.spawn(super::serve(Entrance::over(listener), policy, control, async {
            stopped.await.unwrap_or(())
        }));
        let (stop, serving) = (Some(stop), Some(serving));
        Self { runtime, address, checks, status, link, backlog, started, driver, stop, serving }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    /// Sends a whole request, and reads the answer to its end.
    fn send(&self, request: &str) -> Reply {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).expect("the server reads");
        Reply::read(stream)
    }

    fn ask(&self, method: &str, target: &str) -> Reply {
        self.ask_with(method, target, "")
    }

    /// `headers` are whole lines.
    fn ask_with(&self, method: &str, target: &str, headers: &str) -> Reply {
        let host = self.address;
        self.send(&format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\n{headers}Connection: close\r\n\r\n"
        ))
    }

    fn summary_is(&self, summary: Result<Summary, SourceUnavailable>) {
        *self.checks.summary.lock().expect("no test panics with it") = summary;
    }

    fn starts(&self) -> Vec<Parameters> {
        self.started.lock().expect("no test panics with it").clone()
    }

    /// The loop dies; returns when it is gone.
    fn kill_driver(&mut self) {
        self.driver.abort();
        let _ = self.runtime.block_on(&mut self.driver);
    }

    /// Tells the server to stop, and waits until it has.
    fn stop(&mut self) {
        let _ = self.stop.take().expect("stopped once").send(());
        let serving = self.serving.take().expect("stopped once");
        let ended = async { tokio::time::timeout(PATIENCE, serving).await };
        self.runtime.block_on(ended).expect("in time").expect("no panic").expect("no error");
    }
}

/// Everybody on this host is let in.
fn open() -> Policy {
    Policy::new(&Config::load(&Sources::default()).expect("the defaults are right").http)
}

/// What is shown in these channels.
fn snapshots(
    status: &watch::Sender<ExportStatus>,
    link: &watch::Sender<Link>,
    backlog: &watch::Sender<Backlog>,
) -> Snapshots {
    let past = watch::Sender::default();
    Snapshots {
        status: status.subscribe(),
        link: link.subscribe(),
        past: past.subscribe(),
        backlog: backlog.subscribe(),
        metrics: Arc::default(),
    }
}

/// Stands in for the loop: one export at a time, which never ends by itself.
async fn drive(
    mut commands: tokio::sync::mpsc::Receiver<Command>,
    status: watch::Sender<ExportStatus>,
    started: Arc<Mutex<Vec<Parameters>>>,
) {
    while let Some(command) = commands.recv().await {
        let running = status.borrow().status == RunState::Running;
        match command {
            Command::Start { reply, .. } if running => {
                let _ = reply.send(Err(StartError::AlreadyRunning));
            }
            Command::Start { batch_size, skip_duplicates, reply } => {
                started.lock().expect("no test panics with it").push((batch_size, skip_duplicates));
                status.send_modify(|status| status.status = RunState::Running);
                let _ = reply.send(Ok(Started {
                    export_id: "export_20240927_143022".into(),
                    batch_size: batch_size.unwrap_or(100),
                    skip_duplicates: skip_duplicates.unwrap_or(true),
                }));
            }
            Command::Reset { reply } if running => {
                let _ = reply.send(Err(ResetError::AlreadyRunning));
            }
            Command::Reset { reply } => {
                status.send_replace(ExportStatus::default());
                let _ = reply.send(Ok(ExportStatus::default()));
            }
            Command::Pause { reply } => {
                status.send_modify(|status| status.paused = true);
                let _ = reply.send(Pausing { paused: true, survives_restart: true });
            }
            Command::Resume { reply } => {
                status.send_modify(|status| status.paused = false);
                let _ = reply.send(Pausing { paused: false, survives_restart: false });
            }
            Command::Stop { reply } if running => {
                let export_id = Some("export_20240927_143022".into());
                let _ = reply.send(Ok(Stopped { export_id }));
            }
            Command::Stop { reply } => {
                let _ = reply.send(Err(StopError::NotRunning));
            }
            Command::Wake | Command::Compare => {}
        }
    }
}

/// An answer, taken apart.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("the server answers and closes");
        Self::parse(&String::from_utf8(bytes).expect("text"))
    }

    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// The answer is this status and this text, to the letter and in this order.
    #[track_caller]
    fn is(&self, status: u16, body: &Value) {
        assert_eq!((self.status, self.body.as_str()), (status, body.to_string().as_str()));
        self.is_proper();
    }

    /// The answer is a failure with these texts.
    #[track_caller]
    fn fails(&self, status: u16, message: &str, error: &str) {
        self.is(status, &json!({ "success": false, "message": message, "data": null, "error": error }));
    }

    #[track_caller]
    fn is_proper(&self) {
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(self.header("x-frame-options"), Some("DENY"));
        assert_eq!(self.header("referrer-policy"), Some("no-referrer"));
        let policy = self.header("content-security-policy");
        assert_eq!(policy, Some("default-src 'none'; frame-ancestors 'none'"));
    }
}
