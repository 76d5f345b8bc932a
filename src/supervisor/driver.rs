//! Performs what the machine decides: runs probes and passes as tasks of their own, tells the outside, feeds the
//! watchdog.
//!
//! What holds: the loop itself never waits for the network or a disk, so that status, commands and the watchdog go on
//! whatever hangs; a task's report counts only as long as the machine waits for it.

mod brakes;
mod commands;
mod connection;
mod drain;
mod parts;
mod reloading;
mod tasks;
mod telling;
mod trouble;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use super::backlog::Counting;
use super::calls::Calls;
use super::control::Command;
use super::health::Health;
use super::hints::{Clock, Network};
use super::machine::{AbortCause, Effect, Event, HintKind, Machine, PassEnd};
use super::pace::Pace;
use super::reload::{Reload, read};
use super::tell;
use crate::config::Config;
use crate::export::{Exporter, Pulse};
use crate::ledger::Store;
use crate::metrics::Metrics;
use crate::report::{Backlog, ExportStatus, Failure, Link, LinkPast, LinkState, RunRequest, RunState};
use crate::signals::{Signal, Signals};
use crate::source::Watch;
use crate::systemd::Notifier;
use crate::target::Ways;
use connection::Connection;
pub use parts::Parts;
use tasks::{Probed, joined, passed};

/// How often the outside is told at most.
const TELL_EVERY: Duration = Duration::from_millis(250);

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
    past: watch::Sender<LinkPast>,
    backlog: watch::Sender<Backlog>,
    counting: Counting,
    metrics: Arc<Metrics>,
    stop: Arc<AtomicBool>,
    commands: mpsc::Receiver<Command>,
    notifier: Arc<Notifier>,
    reload: Reload,
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
    /// When everything that the last pass or connection needed is free.
    free_at: Option<Instant>,
    give_back: fn(),
    health: Health,
    stall_limit: Duration,
    /// Whether the ledger on the disk says what the status says of being paused.
    pause_kept: Arc<AtomicBool>,
    /// Tells what keeps rows from being sent, first at once and then only if it changes.
    trouble: Arc<Mutex<Option<String>>>,
    first_effects: Vec<Effect>,
}

impl Supervisor {
    /// A loop that begins with a probe.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { config, timing, exporter, store, paused, ways, status, .. } = parts;
        let Parts { link, past, backlog, stop, commands, notifier, reload, give_back, .. } = parts;
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
            metrics: exporter.metrics(),
            exporter: Arc::new(Mutex::new(exporter)),
            store,
            link_to: Arc::default(),
            ways,
            status,
            link,
            past,
            backlog,
            counting: Counting::new(),
            stop,
            commands,
            notifier,
            reload,
            probe: None,
            pass: None,
            promised: None,
            reset_id: None,
            queued: None,
            told: String::new(),
            telling: Pace::new(TELL_EVERY),
            idle_at: None,
            free_at: None,
            give_back,
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
        let calls = Calls::listen(&self.config.state.directory);
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
                    Signal::Reload => self.begin_reload(),
                },
                Some(command) = self.commands.recv() => {
                    let runs = self.status.borrow().status == RunState::Running;
                    let stops = matches!(&command, Command::Stop { reply } if runs && !reply.is_closed());
                    self.command(command).await;
                    if stops {
                        // Whoever stops an export doesn't want the next one for what was written before.
                        source.let_be();
                    }
                }
                ended = joined(&mut self.probe) => {
                    self.probe = None;
                    self.metrics.probed(ended.as_ref().err().map(|failure| failure.reason));
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
                outcome = read(&mut self.reload) => self.end_reload(outcome),
                end = passed(&mut self.pass) => {
                    self.pass = None;
                    self.health.ended();
                    self.plan_disconnect();
                    self.plan_giving_back();
                    self.remember_paused();
                    self.count_after(&end);
                    self.on(Event::PassEnded(end));
                    if let Some(request) = self.queued.take() {
                        self.on(Event::StartRequested(request));
                    }
                }
                Ok(()) = self.pulse.changed() => {
                    let Pulse { answers, recorded, .. } = *self.pulse.borrow_and_update();
                    if self.health.recorded(recorded) {
                        self.on(Event::Recorded);
                    }
                    let answered = answers > std::mem::replace(&mut self.answers, answers);
                    self.on(if answered { Event::Acknowledged } else { Event::Progress });
                }
                () = sleep_until(deadline.into()) => self.on(Event::Timer),
                () = source.changed() => {
                    self.counting.ask(Instant::now());
                    self.on(Event::SourceChanged);
                }
                () = at(self.counting.due()), if self.pass.is_none() => {
                    self.counting.begin(&self.config, &self.store);
                }
                Some(found) = self.counting.found() => {
                    self.backlog.send_replace(self.counting.saw(found, Instant::now()));
                }
                () = calls.heard() => self.on(Event::CompareWanted),
                // News that comes while MongoDB can be reached waits for the first failure.
                () = network.changed(), if is_waiting => self.hint(HintKind::Network),
                () = clock.jumped() => self.hint(HintKind::ClockJump),
                Ok(()) = shown.changed() => self.telling.ask(Instant::now()),
                () = at(self.telling.due()) => self.tell(),
                () = at(self.idle_at) => self.disconnect_if_idle(),
                () = at(self.free_at), if self.pass.is_none() => self.give_back(),
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
            self.note(&effect);
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
}

/// Waits until then; for ever if there is no time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}
