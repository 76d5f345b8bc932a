//! What of the daemon's process a case needs: the exporter, its ledger and its status. Dropping it is a SIGKILL.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use mongo_uplink::config::Config;
use mongo_uplink::export::{Depth, Exporter, PassEnd, PassError, Pulse, abandon, claim};
use mongo_uplink::ledger::Store;
use mongo_uplink::report::{ExportStatus, Failure, RunRequest, Timestamp};
use mongo_uplink::target::Target;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use super::script::Pass;
use crate::support::runtime::{spawn, wait_for};
use crate::support::wait::eventually;

/// The deadline of one pass, on a machine with much else to do.
pub(super) const DEADLINE: Duration = Duration::from_secs(90);

/// How a pass ended.
pub(super) type Ended = Result<PassEnd, PassError>;

/// The exporter and what it works with.
pub(super) struct Daemon {
    exporter: Arc<Mutex<Exporter>>,
    pub(super) store: Arc<Store>,
    status: watch::Sender<ExportStatus>,
    pulse: watch::Receiver<Pulse>,
}

impl Daemon {
    pub(super) fn start(config: &Arc<Config>, source: &str) -> Self {
        let state: &Path = &config.state.directory;
        let store = Store::open(state).expect("at least a temporary ledger");
        let store = Arc::new(store);
        let status = watch::Sender::new(ExportStatus::default());
        let stop = Arc::new(AtomicBool::new(false));
        let exporter =
            Exporter::new(Arc::clone(config), source.to_owned(), Arc::clone(&store), status.clone(), stop);
        let pulse = exporter.pulse();
        Self { exporter: Arc::new(Mutex::new(exporter)), store, status, pulse }
    }

    pub(super) fn status(&self) -> ExportStatus {
        self.status.borrow().clone()
    }

    pub(super) fn steps(&self) -> u64 {
        self.pulse.borrow().steps
    }

    /// Begins a pass, as the driver of the loop does.
    pub(super) fn begin(
        &self,
        target: Result<Arc<Target>, Failure>,
        pass: Pass,
        request: RunRequest,
        again: bool,
    ) -> JoinHandle<Ended> {
        let (exporter, status) = (Arc::clone(&self.exporter), self.status.clone());
        spawn(async move {
            let mut exporter = exporter.lock().await;
            let target = target.as_ref().map(AsRef::as_ref).map_err(Clone::clone);
            match pass {
                Pass::Full => exporter.automatic(target?, Depth::Full, &request).await,
                Pass::Tail => exporter.automatic(target?, Depth::Tail, &request).await,
                Pass::Manual { .. } => {
                    let id = exporter.new_export_id().await?;
                    assert!(claim(&status, &request, &id, Timestamp::now()), "nothing else is running");
                    exporter.manual(target, &request, &id, again).await
                }
            }
        })
    }

    /// Gives up a pass that waits for the network.
    pub(super) fn give_up(&self, task: JoinHandle<Ended>) {
        task.abort();
        let ended = wait_for(DEADLINE, "the end of a pass that was given up", task);
        assert!(ended.is_err_and(|error| error.is_cancelled()), "it was waiting for the network");
        abandon(&self.status, None, "given up");
    }

    /// Waits until nothing of a pass that was given up works with the ledger any more: a killed process doesn't.
    pub(super) fn quiet(&self) {
        eventually(DEADLINE, "an end of all work", || (Arc::strong_count(&self.store) == 2).then_some(()));
    }

    /// Holds the ledger, lets the pass have its answer, gives the pass up, and lets the ledger go: what the pass had
    /// begun to record is recorded all the same, late.
    pub(super) fn stall_before_record(&mut self, task: JoinHandle<Ended>, answer: impl FnOnce()) {
        let (held, hold) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let store = Arc::clone(&self.store);
        let holder = thread::spawn(move || {
            store.with(|_| {
                held.send(()).expect("the test waits for it");
                // It ends when the other end is dropped.
                let _ended = wait.recv();
                Ok(())
            })
        });
        hold.recv().expect("a pass that waits for the network doesn't hold the ledger");
        let answers = self.pulse.borrow_and_update().answers;
        answer();
        let mut pulse = self.pulse.clone();
        wait_for(DEADLINE, "the batch's last answer", async move {
            pulse.wait_for(|pulse| pulse.answers > answers).await.map(drop).expect("the exporter lives on");
        });
        self.give_up(task);
        drop(go);
        holder.join().expect("it only waits").expect("it does nothing");
        self.quiet();
    }
}
