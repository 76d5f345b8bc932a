//! What is known of the way to MongoDB, shared by the batches in flight.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::expectation::Expectation;
use super::pace::Pace;
use super::places::{self, Place, Places};
use crate::report::{Failure, Reason};
use crate::target::Target;

/// What is known of the way to MongoDB.
pub(in crate::export) struct Road {
    pace: Mutex<Pace>,
    expectation: Mutex<Expectation>,
    places: Places,
    /// Wakes whoever sends batches on their way: more of them may be than before.
    wider: Notify,
    /// Whether a batch that was read waits for others to land.
    queues: AtomicBool,
}

impl Road {
    pub(in crate::export) fn new(pace: Pace) -> Self {
        Self {
            pace: Mutex::new(pace),
            expectation: Mutex::default(),
            places: Places::default(),
            wider: Notify::new(),
            queues: AtomicBool::new(false),
        }
    }

    /// How much is sent at a time.
    pub(in crate::export) fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one command at a time is enough, as far as is known.
    pub(in crate::export) fn is_narrow(&self) -> bool {
        self.pace().window() < 2
    }

    /// Whether the server is far away, and more than one command at a time gets there, as far as is known.
    pub(in crate::export) fn is_long_and_wide(&self) -> bool {
        let pace = self.pace();
        pace.is_far() && pace.window() > 1
    }

    /// Bytes of the next command.
    pub(in crate::export) fn command(&self) -> usize {
        self.pace().command()
    }

    /// Waits until it is a batch's turn to write.
    pub(in crate::export) async fn turn(&self) -> Turn<'_> {
        Turn { turn: self.places.turn().await, road: self }
    }

    /// A batch is through; it was a `full` one, or what was left of the table.
    pub(in crate::export) fn delivered(&self, full: bool, took: Duration) {
        self.learn(|pace, waits| pace.delivered(full, took, waits));
    }

    /// Whether a batch that was read waits for others to land: it could be under way, were there more of them at a time.
    pub(in crate::export) fn queues(&self, queues: bool) {
        self.queues.store(queues, Ordering::Relaxed);
    }

    /// A command that writes was answered.
    pub(in crate::export) fn wrote(&self, took: Duration) {
        self.learn(|pace, waits| pace.wrote(took, waits));
    }

    /// Waits until more batches may be on their way than before.
    pub(in crate::export) async fn wider(&self) {
        self.wider.notified().await;
    }

    /// Takes a lesson, which is told whether anybody waits whom a wider road would let through.
    fn learn(&self, lesson: impl FnOnce(&mut Pace, bool)) {
        let mut pace = self.pace();
        let before = (pace.window(), pace.flights());
        let waits = self.queues.load(Ordering::Relaxed) || self.places.are_few(before.0);
        lesson(&mut pace, waits);
        let now = (pace.window(), pace.flights());
        drop(pace);
        if now.0 > before.0 {
            self.places.changed();
        }
        if now.0 > before.0 || now.1 > before.1 {
            self.wider.notify_one();
        }
    }

    /// Runs one command of so many bytes, as far as is known before, of which at least so many are `sent`; the pace follows how
    /// long it takes for what it `carried`, there and back.
    pub(in crate::export) async fn timed<T>(
        &self,
        bytes: usize,
        sent: usize,
        command: impl Future<Output = Result<T, Failure>>,
        carried: impl Fn(&T) -> usize,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        let result = command.await;
        match &result {
            Ok(answer) => self.learn(|pace, _| {
                let took = began.elapsed();
                pace.went_through(sent, took);
                pace.answered(carried(answer), took);
            }),
            Err(failure) if failure.reason == Reason::Timeout => self.pace().missed(bytes),
            Err(_) => {}
        }
        result
    }

    /// Another pass begins: nobody knows which copies there are. What is known of the way to the server is that of its connection.
    pub(in crate::export) fn begin(&self, target: &Target) {
        *self.expectation() = Expectation::default();
        self.pace().begin(target.answers_within(), target.weighed());
        self.queues.store(false, Ordering::Relaxed);
    }

    /// Whether copies of all rows are to be looked up.
    pub(in crate::export) fn looks(&self) -> bool {
        self.expectation().looks()
    }

    /// Whether no batch of this pass has told yet whether there are copies.
    pub(in crate::export) fn is_fresh(&self) -> bool {
        self.expectation().is_fresh()
    }

    /// Copies were looked up for a batch.
    pub(in crate::export) fn looked(&self, found: bool) {
        self.expectation().looked(found);
    }

    /// A copy was met that wasn't looked for.
    pub(in crate::export) fn surprised(&self) {
        self.expectation().surprised();
    }

    fn expectation(&self) -> MutexGuard<'_, Expectation> {
        self.expectation.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A batch's turn to write.
pub(in crate::export) struct Turn<'a> {
    turn: places::Turn<'a>,
    road: &'a Road,
}

impl<'a> Turn<'a> {
    /// Waits until it may send another command.
    pub(in crate::export) async fn place(&self) -> Place<'a> {
        self.turn.take(|| self.road.pace().window()).await
    }
}
