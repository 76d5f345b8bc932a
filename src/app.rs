//! Builds everything, runs it, and drains with a limit.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::backoff::InvalidSchedule;
use crate::config::{self, Config, Sources};
use crate::export::Exporter;
use crate::http;
use crate::ledger::{self, LedgerError, Store, Taken};
use crate::report::{Backlog, ExportStatus, Link, LinkPast};
use crate::signals::Signals;
use crate::source::{NoHostId, SUMMARY_LIMIT, source_id};
use crate::supervisor::control::{Control, Deadlines, Snapshots};
use crate::supervisor::{Checks, Parts, Reload, Supervisor, schedule, was_paused};
use crate::systemd::Notifier;
use crate::target::Ways;
use crate::telemetry::Telemetry;

/// How long a pass may take to reach its next batch boundary when the daemon stops. With the rest of the way (the
/// connection's end, the HTTP server's, the runtime's) it stays below five seconds.
const DRAIN: Duration = Duration::from_secs(3);

/// The longest that clients may hold the HTTP server when the daemon stops.
const HTTP_DRAIN: Duration = Duration::from_millis(1_200);

/// The longest that `history`, `records` and `records/retry` may take.
const LEDGER_DEADLINE: Duration = Duration::from_secs(10);

/// The longest that taking an export back may take: a little less than an HTTP connection may live.
const ROLLBACK_DEADLINE: Duration = Duration::from_secs(285);

/// Why the daemon couldn't start, or run on.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Signals or threads were refused by the operating system.
    #[error("the operating system refuses signals or threads: {0}")]
    System(#[source] std::io::Error),
    /// The HTTP server's address or socket can't be used.
    #[error(transparent)]
    Http(#[from] http::EntranceError),
    /// The host can't be told from others.
    #[error(transparent)]
    Host(#[from] NoHostId),
    /// Another daemon works with the same state directory.
    #[error(transparent)]
    Taken(#[from] Taken),
    /// Not even a temporary ledger can be made.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The configured delays can't be used together.
    #[error(transparent)]
    Schedule(#[from] InvalidSchedule),
}

/// Runs the daemon until a signal stops it. `sources` is where the configuration came from, to be read again when a signal
/// asks for it; `telemetry` the log whose filter may change then. `give_back` has the allocator give back what is free.
///
/// # Errors
/// What keeps it from starting.
pub fn run(config: Config, sources: Sources, telemetry: Telemetry, give_back: fn()) -> Result<(), AppError> {
    let signals = Signals::register().map_err(AppError::System)?;
    // One thread for all that waits: what works long does so on threads of its own. Several wake each other, on an idle host
    // three times as often, and each costs memory; an export is no slower, as its batches are sent by one task.
    let runtime = tokio::runtime::Builder::new_current_thread()
        // Made only when they are needed: the driver's look-ups of names can hold one each for many seconds, and reads of
        // SQLite must not wait for those.
        .max_blocking_threads(16)
        // Longer than the watch's own interval: a thread that comes and goes with each look wakes an idle host twice.
        .thread_keep_alive(Duration::from_secs(135))
        .enable_all()
        .build()
        .map_err(AppError::System)?;
    let reload = Reload::new(sources, telemetry);
    let result = runtime.block_on(serve(Arc::new(config), reload, &signals, give_back));
    // A blocking read of SQLite that hangs in the file system can't be interrupted.
    runtime.shutdown_timeout(Duration::from_millis(200));
    if result.is_ok() {
        tracing::info!(event = "stopped", "Stopped");
    }
    result
}

async fn serve(
    config: Arc<Config>,
    reload: Reload,
    signals: &Signals,
    give_back: fn(),
) -> Result<(), AppError> {
    let notifier = Arc::new(Notifier::from_env());
    let source = source_id(&config.sqlite)?;
    let _taken = ledger::take(&config.state.directory)?;
    let store = Arc::new(Store::open(&config.state.directory)?);
    let entrance = http::Entrance::open(&config.http).await?;
    let bound = entrance.address();

    let status = ExportStatus { ledger: store.state(), ..ExportStatus::default() };
    let (status, link) = (watch::Sender::new(status), watch::Sender::new(Link::default()));
    let (past, backlog) = (watch::Sender::new(LinkPast::default()), watch::Sender::new(Backlog::default()));
    let stop = Arc::new(AtomicBool::new(false));
    let ways = Ways::new(config.mongodb.clone(), config.probe.online_interval);
    let paused = was_paused(&store);
    if paused {
        tracing::info!(event = "export_paused", "Exports don't start by themselves: they were paused before");
    }
    let exporter =
        Exporter::new(Arc::clone(&config), source, Arc::clone(&store), status.clone(), Arc::clone(&stop));
    let checks = Arc::new(Checks::new(Arc::clone(&config), ways.clone(), Arc::clone(&store)));
    let deadlines = Deadlines {
        command: Duration::from_secs(2),
        // The connection's own deadline is the probe's; counting documents may take a little on top.
        test_connection: config.probe.timeout + Duration::from_millis(300),
        summary: SUMMARY_LIMIT,
        ledger: LEDGER_DEADLINE,
        rollback: ROLLBACK_DEADLINE,
    };
    let snapshots = Snapshots {
        status: status.subscribe(),
        link: link.subscribe(),
        past: past.subscribe(),
        backlog: backlog.subscribe(),
        metrics: exporter.metrics(),
    };
    let (control, commands) = Control::new(snapshots, checks, deadlines);
    let timing = schedule(&config)?;
    let supervisor = Supervisor::new(Parts {
        config: Arc::clone(&config),
        timing,
        exporter,
        store,
        paused,
        ways,
        status,
        link,
        past,
        backlog,
        stop,
        commands,
        notifier: Arc::clone(&notifier),
        reload,
        give_back,
    });

    let closing = Arc::new(Notify::new());
    let server = {
        let (closing, policy) = (Arc::clone(&closing), http::Policy::new(&config.http));
        tokio::spawn(http::serve(entrance, policy, control, async move { closing.notified().await }))
    };
    tracing::info!(
        event = "started",
        version = env!("CARGO_PKG_VERSION"),
        table = config.sqlite.table.as_str(),
        database = config.mongodb.database.as_str(),
        collection = config.mongodb.collection.as_str(),
        "Started"
    );
    tell_where(&config.http, bound);
    notifier.ready();

    supervisor
        .run(signals, DRAIN, || {
            notifier.stopping();
            tracing::info!(event = "stopping", "Stopping at the next batch boundary");
        })
        .await;
    closing.notify_one();
    let _ended = tokio::time::timeout(HTTP_DRAIN, server).await;
    Ok(())
}

/// Where HTTP answers.
fn tell_where(http: &config::Http, bound: SocketAddr) {
    let (tls, socket) = (http.tls.is_some(), http.socket.as_ref().map(|path| path.display().to_string()));
    tracing::info!(event = "http_listening", address = %bound, tls, socket, "Listening for HTTP on {bound}");
    if http.token.is_some() && !tls && !bound.ip().to_canonical().is_loopback() {
        tracing::warn!(
            event = "http_unencrypted",
            address = %bound,
            "The token crosses the network in the clear: set http.tls_certificate_file and http.tls_key_file, or listen \
             on the loopback behind something that speaks TLS"
        );
    }
}
