//! What the loop is made of.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::{mpsc, watch};

use crate::config::Config;
use crate::export::Exporter;
use crate::ledger::Store;
use crate::report::{Backlog, ExportStatus, Link, LinkPast};
use crate::supervisor::control::Command;
use crate::supervisor::machine::Timing;
use crate::supervisor::reload::Reload;
use crate::systemd::Notifier;
use crate::target::Ways;

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
    /// Where the link's last day is shown.
    pub past: watch::Sender<LinkPast>,
    /// Where the rows that wait are shown.
    pub backlog: watch::Sender<Backlog>,
    /// Asks a pass to end at the next batch boundary.
    pub stop: Arc<AtomicBool>,
    /// Commands from outside.
    pub commands: mpsc::Receiver<Command>,
    /// The service manager.
    pub notifier: Arc<Notifier>,
    /// How the configuration is read again.
    pub reload: Reload,
    /// Has the allocator give back what is free.
    pub give_back: fn(),
}
