//! One asynchronous runtime for all of the support, and a bridge to it that any thread may cross.

use std::sync::LazyLock;
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("test-support")
        .enable_all()
        .build()
        .expect("a runtime for the test support")
});

/// Lets `future` run beside the test.
pub fn spawn<F>(future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    RUNTIME.spawn(future)
}

/// Waits for `future`; panics after `deadline`, naming `what`.
///
/// It waits on a channel rather than with `block_on`, so that an asynchronous test may call it, too.
#[track_caller]
pub fn wait_for<F>(deadline: Duration, what: &str, future: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    let (sender, receiver) = mpsc::sync_channel(1);
    let task = RUNTIME.spawn(async move {
        // The receiver is gone only if the deadline has passed: nobody is interested any more.
        let _ = sender.send(future.await);
    });
    match receiver.recv_timeout(deadline) {
        Ok(output) => output,
        Err(error) => {
            task.abort();
            panic!("{what}: {error} (deadline {deadline:?})")
        }
    }
}
