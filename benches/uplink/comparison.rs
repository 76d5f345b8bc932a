//! The automatic comparison of every row with the ledger, when nothing has changed: no export begins, so that no status
//! tells how long it took. It is called as the supervisor calls it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use mongo_uplink::config::{Config, Sources};
use mongo_uplink::export::{Depth, Exporter, PassEnd};
use mongo_uplink::ledger::Store;
use mongo_uplink::report::{ExportStatus, RunRequest, RunState, Trigger};
use mongo_uplink::source::source_id;
use mongo_uplink::target::Ways;
use tokio::sync::watch;

/// Compares the table of a daemon that has ended with the ledger that it left, and tells how long that took.
/// `directory` is the daemon's, with its configuration.
pub(crate) fn compare(directory: &Path) -> Duration {
    let sources = Sources::default().with_file(directory.join("config.toml"));
    let config = Arc::new(Config::load(&sources).expect("the daemon took it, too"));
    let source = source_id(&config.sqlite).expect("the daemon found it, too");
    let store = Arc::new(Store::open(&config.state.directory).expect("the daemon made it"));
    let status = watch::Sender::new(ExportStatus::default());
    let stop = Arc::new(AtomicBool::new(false));
    let mut exporter = Exporter::new(Arc::clone(&config), source, store, status.clone(), stop);
    let request = RunRequest { trigger: Trigger::Automatic, batch_size: 1_000, skip_duplicates: true };
    // As many threads as the daemon has.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("threads").block_on(async {
        let ways = Ways::new(config.mongodb.clone(), config.probe.online_interval);
        let target = ways.connect(Duration::from_secs(20)).await.expect("the server is there");
        let began = Instant::now();
        let end = exporter.automatic(&target, Depth::Full, &request).await;
        let took = began.elapsed();
        assert!(matches!(end, Ok(PassEnd::Complete { .. })), "{end:?}");
        assert_eq!(status.borrow().status, RunState::Idle, "the ledger knew every row");
        target.close().await;
        took
    })
}
