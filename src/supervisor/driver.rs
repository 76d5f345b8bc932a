//! Performs what the machine decides: runs probes and passes as tasks of their own, tells the outside, feeds the
//! watchdog.
//!
//! What holds: the loop itself never waits for the network or a disk, so that status, commands and the watchdog go on
//! whatever hangs; a task's report counts only as long as the machine waits for it.

mod brakes;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use super::control::{Command, ResetError, StartError, Started};
use super::health::Health;
use super::hints::{Clock, Network};
use super::machine::{AbortCause, Effect, Event, HintKind, Machine, PassEnd, PassKind, PassRequest, Timing};
use super::pace::Pace;
use super::tell;
use crate::config::Config;
use crate::export::{self, Depth, Exporter, PassError, Pulse, abandon, claim};
use crate::ledger::Store;
use crate::report::{ExportStatus, Failure, Link, LinkState, RunRequest, RunState, Timestamp, Trigger};
use crate::signals::{Signal, Signals};
use crate::source::Watch;
use crate::systemd::Notifier;
use crate::target::{Target, Ways};

/// How often the outside is told at most.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// How long closing the connection may take at the end; the operating system closes it all the same.
const CLOSE: Duration = Duration::from_millis(250);

/// What the loop works with.
pub struct Parts {
    /// The configuration.
    pub config: Arc<Config>,
    /// The machine's times.
    pub timing: Timing,
    /// Makes the passes.
    pub exporter: Exporter,
    /// The memory of what was delivered, and of what else survives a restart.
    pub store: Arc<Store>,
    /// Whether exports start by themselves only after a command.
    pub paused: bool,
    /// The ways to MongoDB.
    pub ways: Ways,
    /// Where the export's status is shown.
    pub status: watch::Sender<ExportStatus>,
    /// Where the link's state is shown.
    pub link: watch::Sender<Link>,
    /// Asks a pass to end at the next batch boundary.
    pub stop: Arc<AtomicBool>,
    /// Commands from outside.
    pub commands: mpsc::Receiver<Command>,
    /// The service manager.
    pub notifier: Arc<Notifier>,
}

/// The loop.
pub struct Supervisor {
    config: Arc<Config>,
    machine: Machine,
    exporter: Arc<Mutex<Exporter>>,
    store: Arc<Store>,
    pulse: watch::Receiver<Pulse>,
    answers: u64,
    link_to: Arc<Mutex<Connection>>,
    ways: Ways,
    status: watch::Sender<ExportStatus>,
    link: watch::Sender<Link>,
    stop: Arc<AtomicBool>,
    commands: mpsc::Receiver<Command>,
    notifier: Arc<Notifier>,
    probe: Option<JoinHandle<Result<Probed, Failure>>>,
    pass: Option<JoinHandle<PassEnd>>,
    /// The id that a manual start was promised.
    promised: Option<String>,
    /// The last id that was shown before a reset: it isn't given twice.
    reset_id: Option<String>,
    /// A manual start that waits for a pass to make room.
    queued: Option<RunRequest>,
    told: String,
    telling: Pace,
    /// When the connection has been of no use for long enough.
    idle_at: Option<Instant>,
    health: Health,
    stall_limit: Duration,
    /// Whether the ledger on the disk says what the status says of being paused.
    pause_kept: Arc<AtomicBool>,
    /// Tells what keeps rows from being sent, first at once and then only if it changes.
    trouble: Arc<Mutex<Option<String>>>,
    first_effects: Vec<Effect>,
}

/// The connection that probes and passes share, and when it was last of use.
#[derive(Default)]
struct Connection {
    target: Option<Target>,
    used: Option<Instant>,
}

impl Supervisor {
    /// A loop that begins with a probe.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { config, timing, exporter, store, paused, ways, status, link, stop, commands, notifier } =
            parts;
        let stall_limit = timing.stall;
        let (mut machine, first_effects) = Machine::start(timing, Instant::now());
        if paused {
            // Nothing is under way that it could end.
            let _none = machine.on(Event::Pause, Instant::now(), 0.0);
            status.send_modify(|status| status.paused = true);
        }
        Self {
            config,
            machine,
            pulse: exporter.pulse(),
            answers: 0,
            exporter: Arc::new(Mutex::new(exporter)),
            store,
            link_to: Arc::default(),
            ways,
            status,
            link,
            stop,
            commands,
            notifier,
            probe: None,
            pass: None,
            promised: None,
            reset_id: None,
            queued: None,
            told: String::new(),
            telling: Pace::new(TELL_EVERY),
            idle_at: None,
            health: Health::default(),
            stall_limit,
            pause_kept: Arc::new(AtomicBool::new(true)),
            trouble: Arc::default(),
            first_effects,
        }
    }

    /// Runs until a signal says stop, calls `stopping`, then ends what is under way within `drain`.
    pub async fn run(mut self, signals: &Signals, drain: Duration, stopping: impl FnOnce()) {
        let source = Watch::start(&self.config.sqlite.path);
        let (mut network, mut clock) = (Network::listen(), Clock::listen());
        let mut shown = self.status.subscribe();
        let feed = self.notifier.watchdog_interval();
        let mut watchdog = interval(feed.unwrap_or(Duration::from_secs(3600)));
        watchdog.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let effects = std::mem::take(&mut self.first_effects);
        self.perform(effects);
        loop {
            let deadline = self.machine.deadline().unwrap_or_else(Instant::now);
            let is_waiting = self.machine.link().state != LinkState::Online;
            tokio::select! {
                signal = signals.next() => match signal {
                    Signal::Stop => break,
                    Signal::Wake => self.hint(HintKind::Signal),
                    Signal::Reload => tracing::info!(event = "reload_ignored", "Nothing can be reloaded yet: restart instead"),
                },
                Some(command) = self.commands.recv() => self.command(command).await,
                ended = joined(&mut self.probe) => {
                    self.probe = None;
                    self.plan_disconnect();
                    match ended {
                        Ok(probed) => {
                            if probed == Probed::AnotherCollection {
                                self.on(Event::CompareWanted);
                            }
                            self.on(Event::ProbeSucceeded);
                        }
                        Err(failure) => self.on(Event::ProbeFailed(failure)),
                    }
                }
                end = passed(&mut self.pass) => {
                    self.pass = None;
                    self.health.ended();
                    self.plan_disconnect();
                    self.remember_paused();
                    self.on(Event::PassEnded(end));
                    if let Some(request) = self.queued.take() {
                        self.on(Event::StartRequested(request));
                    }
                }
                Ok(()) = self.pulse.changed() => {
                    let Pulse { answers, recorded, .. } = *self.pulse.borrow_and_update();
                    self.health.recorded(recorded);
                    let answered = answers > std::mem::replace(&mut self.answers, answers);
                    self.on(if answered { Event::Acknowledged } else { Event::Progress });
                }
                () = sleep_until(deadline.into()) => self.on(Event::Timer),
                () = source.changed() => self.on(Event::SourceChanged),
                // News that comes while MongoDB can be reached waits for the first failure.
                () = network.changed(), if is_waiting => self.hint(HintKind::Network),
                () = clock.jumped() => self.hint(HintKind::ClockJump),
                Ok(()) = shown.changed() => self.telling.ask(Instant::now()),
                () = at(self.telling.due()) => self.tell(),
                () = at(self.idle_at) => self.disconnect_if_idle(),
                _ = watchdog.tick(), if feed.is_some() => {
                    if self.health.is_good() {
                        self.notifier.watchdog();
                    }
                }
            }
        }
        stopping();
        self.drain(drain).await;
    }

    fn hint(&mut self, kind: HintKind) {
        tracing::debug!(event = "hint", kind = kind.as_str(), "MongoDB might be reached now");
        self.on(Event::Hint(kind));
    }

    fn on(&mut self, event: Event) {
        let effects = self.machine.on(event, Instant::now(), fastrand::f64());
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            tell::log(&effect, Instant::now());
            match effect {
                Effect::StartProbe => self.start_probe(),
                Effect::CancelProbe => {
                    if let Some(probe) = self.probe.take() {
                        probe.abort();
                    }
                }
                Effect::StartPass(request) => self.start_pass(request),
                Effect::AbortPass(AbortCause::Stopping | AbortCause::Requested) => {
                    self.stop.store(true, Ordering::Relaxed);
                }
                Effect::AbortPass(AbortCause::Stalled) => self.break_off(),
                Effect::LinkUp { .. } | Effect::LinkDown { .. } | Effect::StillDown { .. } => {}
            }
        }
        self.telling.ask(Instant::now());
    }

    fn start_probe(&mut self) {
        let (connection, ways) = (Arc::clone(&self.link_to), self.ways.clone());
        let budget = self.config.probe.timeout;
        let store = Arc::clone(&self.store);
        // A re-check of an idle host leaves nothing behind.
        let is_recheck = self.machine.link().state == LinkState::Online;
        self.probe = Some(tokio::spawn(async move {
            let mut connection = connection.lock().await;
            let end = tokio::time::Instant::now() + budget;
            if let Some(target) = connection.target.take() {
                let checked = tokio::time::timeout(budget / 2, target.check()).await;
                if let Ok(Ok(())) = checked {
                    let first = ways.return_to_first(budget / 2).await;
                    let target = connection.target.insert(first.unwrap_or(target));
                    return Ok(look_at_collection(target, &store, end).await);
                }
            }
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            let target = ways.connect(left).await?;
            let probed = look_at_collection(&target, &store, end).await;
            if is_recheck {
                drop(tokio::spawn(target.close()));
            } else {
                connection.target = Some(target);
                connection.used = Some(Instant::now());
            }
            Ok(probed)
        }));
    }

    fn start_pass(&mut self, request: PassRequest) {
        self.stop.store(false, Ordering::Relaxed);
        let exporter = Arc::clone(&self.exporter);
        let connection = Arc::clone(&self.link_to);
        let (ways, config) = (self.ways.clone(), Arc::clone(&self.config));
        let promised = self.promised.take();
        let status = self.status.clone();
        let trouble = Arc::clone(&self.trouble);
        self.pass = Some(tokio::spawn(async move {
            let mut exporter = exporter.lock().await;
            let mut connection = connection.lock().await;
            if connection.target.is_none() {
                match ways.connect(config.probe.timeout).await {
                    Ok(target) => connection.target = Some(target),
                    Err(failure) => {
                        if let PassRequest::Manual(request) = request {
                            let _told =
                                manual(&mut exporter, Err(failure.clone()), &status, request, promised).await;
                        }
                        return PassEnd::ConnectivityFailed(failure);
                    }
                }
            }
            let Some(target) = &connection.target else { return PassEnd::Aborted };
            let result = match request {
                PassRequest::Automatic(kind) => {
                    let depth = if kind == PassKind::Full { Depth::Full } else { Depth::Tail };
                    let request = automatic(&config);
                    exporter.automatic(target, depth, &request).await
                }
                PassRequest::Manual(request) => {
                    manual(&mut exporter, Ok(target), &status, request, promised).await
                }
            };
            connection.used = Some(Instant::now());
            let end = end_of(&result);
            if let PassEnd::ConnectivityFailed(_) = end {
                // Not waited for: a server that is frozen would keep the loop from going on.
                drop(connection.target.take());
            }
            tell_trouble(&result, &trouble, &status).await;
            end
        }));
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Start { batch_size, skip_duplicates, reply } => {
                if reply.is_closed() {
                    return;
                }
                let export = &self.config.export;
                let request = RunRequest {
                    trigger: Trigger::Manual,
                    batch_size: batch_size.unwrap_or(export.batch_size),
                    skip_duplicates: skip_duplicates.unwrap_or(export.skip_duplicates),
                };
                let answer = self.start(request);
                // If the caller went away in this moment, the export runs all the same.
                let _gone = reply.send(answer);
            }
            Command::Reset { reply } => {
                if reply.is_closed() {
                    return;
                }
                let mut running = false;
                let shown = self.status.borrow().export_id.clone();
                self.reset_id = shown.or(self.reset_id.take());
                self.status.send_if_modified(|status| {
                    running = status.status == RunState::Running;
                    if !running {
                        *status = status.without_export();
                    }
                    !running
                });
                let answer =
                    if running { Err(ResetError::AlreadyRunning) } else { Ok(self.status.borrow().clone()) };
                let _gone = reply.send(answer);
            }
            Command::Pause { reply } if !reply.is_closed() => self.set_paused(true, Some(reply)),
            Command::Resume { reply } if !reply.is_closed() => self.set_paused(false, Some(reply)),
            Command::Stop { reply } if !reply.is_closed() => {
                let answer = self.stop_export();
                let _gone = reply.send(answer);
            }
            Command::Pause { .. } | Command::Resume { .. } | Command::Stop { .. } => {}
            Command::Wake => self.hint(HintKind::ConnectionTest),
            Command::Compare => self.on(Event::CompareWanted),
        }
    }

    /// Takes on a manual export, unless one is running. A pass that is only looking makes room for it.
    fn start(&mut self, request: RunRequest) -> Result<Started, StartError> {
        let export_id = self.unused_export_id();
        if self.queued.is_some() || !claim(&self.status, &request, &export_id, Timestamp::now()) {
            return Err(StartError::AlreadyRunning);
        }
        self.promised = Some(export_id.clone());
        if self.pass.is_some() {
            self.stop.store(true, Ordering::Relaxed);
            self.queued = Some(request);
        } else {
            self.on(Event::StartRequested(request));
        }
        Ok(Started { export_id, batch_size: request.batch_size, skip_duplicates: request.skip_duplicates })
    }

    fn unused_export_id(&self) -> String {
        let last = self.status.borrow().export_id.clone().or_else(|| self.reset_id.clone());
        export::next_export_id(last.as_deref())
    }

    /// Something used the connection, and is done.
    fn plan_disconnect(&mut self) {
        let limit = self.config.mongodb.idle_disconnect;
        // Held by a task: then its end plans anew.
        self.idle_at = self.link_to.try_lock().ok().and_then(|held| {
            held.target.as_ref()?;
            Some(held.used? + limit)
        });
    }

    fn disconnect_if_idle(&mut self) {
        let limit = self.config.mongodb.idle_disconnect;
        if let Ok(mut held) = self.link_to.try_lock()
            && held.used.is_some_and(|used| used.elapsed() >= limit)
            && let Some(target) = held.target.take()
        {
            drop(tokio::spawn(target.close()));
        }
        self.plan_disconnect();
    }

    fn tell(&mut self) {
        let now = Instant::now();
        self.telling.done(now);
        let link = tell::link(&self.machine, self.ways.last(), now);
        let line = tell::line(&link, &self.status.borrow());
        self.link.send_if_modified(|shown| {
            let changed = !link.is_same_as(shown);
            if changed {
                *shown = link;
            }
            changed
        });
        if line != self.told {
            self.notifier.status(&line);
            self.told = line;
        }
    }

    async fn drain(mut self, limit: Duration) {
        self.on(Event::Stop);
        self.tell();
        if let Some(pass) = self.pass.take() {
            let abort = pass.abort_handle();
            if tokio::time::timeout(limit, pass).await.is_err() {
                abort.abort();
                abandon(&self.status, None, "stopped by request");
            }
        }
        if let Ok(mut connection) = self.link_to.try_lock()
            && let Some(target) = connection.target.take()
        {
            let _late = tokio::time::timeout(CLOSE, target.close()).await;
        }
    }
}

/// What a good probe found beside the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probed {
    /// The collection that the ledger speaks of, as far as is known.
    SameCollection,
    /// It was dropped, or is another one: no change of the table will tell.
    AnotherCollection,
}

/// Compares the collection with the one that the ledger speaks of. If that can't be known by `end`, the next pass
/// finds out.
async fn look_at_collection(target: &Target, store: &Store, end: tokio::time::Instant) -> Probed {
    let Some(bound) = store.target() else { return Probed::SameCollection };
    match tokio::time::timeout_at(end, target.current_id()).await {
        Ok(Ok(now)) if now.as_ref() != Some(&bound) => Probed::AnotherCollection,
        _ => Probed::SameCollection,
    }
}

/// What an automatic export is asked for.
fn automatic(config: &Config) -> RunRequest {
    RunRequest {
        trigger: Trigger::Automatic,
        batch_size: config.export.batch_size,
        skip_duplicates: config.export.skip_duplicates,
    }
}

/// A manual export: the first time under the id that was promised, again under a new one.
async fn manual(
    exporter: &mut Exporter,
    target: Result<&Target, Failure>,
    status: &watch::Sender<ExportStatus>,
    request: RunRequest,
    promised: Option<String>,
) -> Result<export::PassEnd, PassError> {
    let again = promised.is_none();
    let export_id = match promised {
        Some(id) => id,
        None => exporter.new_export_id().await?,
    };
    if !claim(status, &request, &export_id, Timestamp::now()) {
        return Ok(export::PassEnd::Stopped);
    }
    exporter.manual(target, &request, &export_id, again).await
}

fn end_of(result: &Result<export::PassEnd, PassError>) -> PassEnd {
    match result {
        Ok(export::PassEnd::Complete { again_in }) => PassEnd::Complete { more_at: *again_in },
        Ok(export::PassEnd::Stopped) => PassEnd::Aborted,
        Err(PassError::Target(failure)) => PassEnd::ConnectivityFailed(failure.clone()),
        Err(PassError::Source(_) | PassError::Ledger(_) | PassError::Internal) => PassEnd::SourceFailed,
    }
}

/// Shows and logs what keeps rows from being sent on this side: once when it begins, changes and ends.
async fn tell_trouble(
    result: &Result<export::PassEnd, PassError>,
    trouble: &Mutex<Option<String>>,
    status: &watch::Sender<ExportStatus>,
) {
    let now = match result {
        Err(error @ (PassError::Source(_) | PassError::Ledger(_) | PassError::Internal)) => {
            Some(error.to_string())
        }
        Err(PassError::Target(_)) | Ok(export::PassEnd::Stopped) => return,
        Ok(export::PassEnd::Complete { .. }) => None,
    };
    let mut before = trouble.lock().await;
    if *before != now {
        match (&now, result) {
            (Some(error), Err(PassError::Source(_))) => tracing::warn!(
                event = "source_unavailable",
                error = error.as_str(),
                "SQLite can't be read; trying again by itself"
            ),
            (Some(error), _) => tracing::error!(
                event = "ledger_failed",
                error = error.as_str(),
                "The ledger can't be used; trying again by itself"
            ),
            (None, _) => {
                tracing::info!(event = "source_available", "SQLite and the ledger can be used again")
            }
        }
        before.clone_from(&now);
    }
    status.send_if_modified(|status| {
        let changed = status.waiting_for != now;
        status.waiting_for = now;
        changed
    });
}

/// Waits until then; for ever if there is no time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

/// Waits for the probe under way; for ever if there is none.
async fn joined(probe: &mut Option<JoinHandle<Result<Probed, Failure>>>) -> Result<Probed, Failure> {
    match probe {
        Some(task) => task.await.unwrap_or_else(|_| {
            Err(Failure::new(crate::report::Reason::Server, "the probe ended by an internal error"))
        }),
        None => std::future::pending().await,
    }
}

/// Waits for the pass under way; for ever if there is none.
async fn passed(pass: &mut Option<JoinHandle<PassEnd>>) -> PassEnd {
    match pass {
        Some(task) => task.await.unwrap_or(PassEnd::SourceFailed),
        None => std::future::pending().await,
    }
}
