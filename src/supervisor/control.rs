//! What the outside may ask of the daemon. The HTTP server talks to this, and knows nothing behind it.
//!
//! What holds:
//! - [`Control::status`] and [`Control::link`] are snapshots: they never wait, whatever the loop is doing.
//! - Everything else has a deadline, and a loop that is gone is a typed error at once.
//! - A caller who hangs up cuts nothing in half: a check that has begun is brought to its end.
//! - Of each kind of check one is under way at a time; the queue of commands has a length.

mod changes;
mod command;
mod rollback;
mod services;
mod snapshots;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

pub use changes::{Change, Changes};
pub use command::{Command, PauseError, Pausing, ResetError, StartError, Started, StopError, Stopped};
pub use services::{Answer, Connected, LedgerRefusal, RollbackRefusal, Services, SourceUnavailable};
pub use snapshots::Snapshots;

use crate::report::{ExportStatus, Failure, PastExport, Reason, RemarkQuery, Remarks, Summary};

/// Commands that may wait for the loop. More of them at once come from a client that doesn't wait for answers.
const QUEUE: usize = 16;

/// The longest that a caller waits.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// For the loop to take a command and answer it.
    pub command: Duration,
    /// For the test of the connection, waiting for its turn included.
    pub test_connection: Duration,
    /// For the look at the source, waiting for its turn included.
    pub summary: Duration,
    /// For a question to the ledger, waiting for its turn included.
    pub ledger: Duration,
    /// For taking an export back, waiting for its turn included.
    pub rollback: Duration,
}

/// A handle that is cheap to clone.
#[derive(Clone, Debug)]
pub struct Control {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    snapshots: Snapshots,
    commands: mpsc::Sender<Command>,
    services: Arc<dyn Services>,
    testing: Arc<Semaphore>,
    summing: Arc<Semaphore>,
    remembering: Arc<Semaphore>,
    rolling_back: Arc<Semaphore>,
    deadlines: Deadlines,
}

/// The loop did not answer: it is gone, or too busy.
enum NoReply {
    Gone,
    Late,
}

impl From<NoReply> for PauseError {
    fn from(none: NoReply) -> Self {
        match none {
            NoReply::Gone => Self::Stopping,
            NoReply::Late => Self::NoAnswer,
        }
    }
}

impl Control {
    /// A handle for the outside, and the commands that it will send for the loop.
    #[must_use]
    pub fn new(
        snapshots: Snapshots,
        services: Arc<dyn Services>,
        deadlines: Deadlines,
    ) -> (Self, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(QUEUE);
        let turn = || Arc::new(Semaphore::new(1));
        let (testing, summing, remembering, rolling_back) = (turn(), turn(), turn(), turn());
        let shared =
            Shared { snapshots, commands, services, testing, summing, remembering, rolling_back, deadlines };
        (Self { shared: Arc::new(shared) }, receiver)
    }

    /// Whether the loop is there to take commands.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.shared.commands.is_closed()
    }

    /// Starts a manual export and answers as soon as the loop has taken it on. What isn't given is as configured.
    ///
    /// # Errors
    /// Another export is running, or the loop is stopping or doesn't answer.
    pub async fn start(
        &self,
        batch_size: Option<u16>,
        skip_duplicates: Option<bool>,
    ) -> Result<Started, StartError> {
        match self.ask(|reply| Command::Start { batch_size, skip_duplicates, reply }).await {
            Ok(answer) => answer,
            Err(NoReply::Gone) => Err(StartError::Stopping),
            Err(NoReply::Late) => Err(StartError::NoAnswer),
        }
    }

    /// Sets the status back to idle, and forgets no delivery state.
    ///
    /// # Errors
    /// An export is running, or the loop is stopping or doesn't answer.
    pub async fn reset(&self) -> Result<ExportStatus, ResetError> {
        match self.ask(|reply| Command::Reset { reply }).await {
            Ok(answer) => answer.map(|status| self.with_backlog(status)),
            Err(NoReply::Gone) => Err(ResetError::Stopping),
            Err(NoReply::Late) => Err(ResetError::NoAnswer),
        }
    }

    /// Lets no export start by itself; a running one that did is ended at its next batch boundary. Manual exports go on.
    ///
    /// # Errors
    /// The loop is stopping or doesn't answer.
    pub async fn pause(&self) -> Result<Pausing, PauseError> {
        self.ask(|reply| Command::Pause { reply }).await.map_err(PauseError::from)
    }

    /// Lets exports start by themselves again.
    ///
    /// # Errors
    /// The loop is stopping or doesn't answer.
    pub async fn resume(&self) -> Result<Pausing, PauseError> {
        self.ask(|reply| Command::Resume { reply }).await.map_err(PauseError::from)
    }

    /// Ends the running export at its next batch boundary, without waiting for that.
    ///
    /// # Errors
    /// No export is running, or the loop is stopping or doesn't answer.
    pub async fn stop(&self) -> Result<Stopped, StopError> {
        match self.ask(|reply| Command::Stop { reply }).await {
            Ok(answer) => answer,
            Err(NoReply::Gone) => Err(StopError::Stopping),
            Err(NoReply::Late) => Err(StopError::NoAnswer),
        }
    }

    /// Tries the configured ways to MongoDB now, whatever the backoff says. A success wakes the loop.
    ///
    /// # Errors
    /// Why MongoDB can't be used; [`Reason::Timeout`] when the deadline is over.
    pub async fn test_connection(&self) -> Result<Connected, Failure> {
        let services = Arc::clone(&self.shared.services);
        let limit = self.shared.deadlines.test_connection;
        let check = async move { services.test_connection().await };
        let connected =
            bring_to_its_end(&self.shared.testing, limit, check).await.unwrap_or_else(|Late| {
                Err(Failure::new(Reason::Timeout, format!("no result within {} ms", limit.as_millis())))
            })?;
        // A hint: if the queue is full, the loop is awake as it is.
        let _ = self.shared.commands.try_send(Command::Wake);
        Ok(connected)
    }

    /// Looks at the rows in SQLite.
    ///
    /// # Errors
    /// The file or the table can't be read, or not within the deadline.
    pub async fn summary(&self) -> Result<Summary, SourceUnavailable> {
        let services = Arc::clone(&self.shared.services);
        let limit = self.shared.deadlines.summary;
        let look = async move { services.summary().await };
        bring_to_its_end(&self.shared.summing, limit, look).await.unwrap_or_else(|Late| {
            Err(SourceUnavailable::new(format!("no result within {} ms", limit.as_millis())))
        })
    }

    /// Past exports, the latest first, at most `limit`.
    ///
    /// # Errors
    /// The ledger can't be read, or not within the deadline.
    pub async fn history(&self, limit: u16) -> Result<Vec<PastExport>, LedgerRefusal> {
        let services = Arc::clone(&self.shared.services);
        self.remember(async move { services.history(limit).await }).await
    }

    /// Rows that are not in the collection, and why.
    ///
    /// # Errors
    /// The cursor is none, or the ledger can't be read, or not within the deadline.
    pub async fn records(&self, query: RemarkQuery) -> Result<Remarks, LedgerRefusal> {
        let services = Arc::clone(&self.shared.services);
        self.remember(async move { services.records(query).await }).await
    }

    /// Lets rejected and held rows be sent again, at once if exports start by themselves. Answers how many there were.
    ///
    /// # Errors
    /// The ledger can't be written, or not within the deadline.
    pub async fn release(&self) -> Result<u64, LedgerRefusal> {
        let services = Arc::clone(&self.shared.services);
        let commands = self.shared.commands.clone();
        self.remember(async move {
            let released = services.release().await?;
            // If the loop is gone, the next daemon looks at them: it begins with a comparison.
            let _gone = commands.send(Command::Compare).await;
            Ok(released)
        })
        .await
    }

    async fn remember<T: Send + 'static>(
        &self,
        question: impl Future<Output = Result<T, LedgerRefusal>> + Send + 'static,
    ) -> Result<T, LedgerRefusal> {
        let limit = self.shared.deadlines.ledger;
        bring_to_its_end(&self.shared.remembering, limit, question).await.unwrap_or_else(|Late| {
            Err(LedgerRefusal::Unavailable(format!("no result within {} ms", limit.as_millis())))
        })
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, NoReply> {
        let (reply, answer) = oneshot::channel();
        let exchange = async {
            self.shared.commands.send(command(reply)).await.map_err(|_| NoReply::Gone)?;
            answer.await.map_err(|_| NoReply::Gone)
        };
        timeout(self.shared.deadlines.command, exchange).await.unwrap_or(Err(NoReply::Late))
    }
}

/// The deadline is over.
struct Late;

/// Runs `work` in a task of its own, one at a time, so that a caller who goes away doesn't drop it halfway: a
/// connection that is dropped instead of closed lingers. Waiting for the turn and the work share the `limit`.
async fn bring_to_its_end<T: Send + 'static>(
    turn: &Arc<Semaphore>,
    limit: Duration,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Late> {
    let end = tokio::time::Instant::now() + limit;
    let turn = Arc::clone(turn).acquire_owned();
    let permit = tokio::time::timeout_at(end, turn).await.map_err(|_| Late)?;
    let task = tokio::spawn(async move {
        let result = tokio::time::timeout_at(end, work).await;
        drop(permit);
        result
    });
    match task.await {
        Ok(result) => result.map_err(|_| Late),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going down.
            Err(_) => Err(Late),
        },
    }
}

#[cfg(test)]
mod tests;
