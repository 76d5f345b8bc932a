//! Connections that are made before they are needed.
//!
//! What holds: no more are made ahead than the link carries quickly, as they are in the way of each other, and where one isn't made
//! in time the driver gives up all. What it carries is weighed over a connection that is there: how long that one took tells
//! nothing, as nobody knows how much of it was the way.

use std::convert::Infallible;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, doc};
use tokio::sync::oneshot;

use super::Target;
use crate::report::Reason;

/// What takes no more than this part of a deadline is quick.
const QUICK: u32 = 10;

/// On a shorter way a connection is made soon enough when it is needed; and a busy host alone may take longer to answer than a server
/// is away.
const LONG: Duration = Duration::from_millis(20);

/// Connections that are made at a time.
pub(super) const CONNECTING: u32 = 16;

/// The bytes that making a connection takes at most, roughly: a certificate's chain, a login, and `hello`. Sent for what is
/// weighed; in the reply there are some more.
const CONNECTION: usize = 4096;

/// How many times as long as something small it may take, if all the time is that of the bytes.
const HEAVY: u32 = 10;

/// What the link carried.
#[derive(Clone, Copy, Debug)]
pub struct Weighed {
    /// At least so many bytes, as many as another connection takes,
    pub bytes: usize,
    /// were answered so soon,
    pub took: Duration,
    /// of which this isn't the way there and back.
    beside_the_way: Duration,
}

#[cfg(test)]
impl Weighed {
    /// So many bytes were answered so soon.
    pub(crate) fn of(bytes: usize, took: Duration) -> Self {
        Self { bytes, took, beside_the_way: took }
    }
}

impl Target {
    /// What the link carried, if that was tried; unless by now even something small takes much longer.
    #[must_use]
    pub fn weighed(&self) -> Option<Weighed> {
        let weighed = *self.weighed.lock().unwrap_or_else(PoisonError::into_inner);
        weighed.filter(|weighed| self.answers_within().is_some_and(|answered| answered < weighed.took * 2))
    }

    /// Finds out what the link carries: sends a server far away as many bytes as another connection takes. Nothing is found out
    /// where it is near, and where that might take longer than `within`. Once is enough.
    pub async fn weigh(&self, within: Duration) {
        let way = self.answers_within().filter(|way| *way > LONG && *way * HEAVY < within);
        let Some(way) = way.filter(|_| self.weighed().is_none()) else { return };
        // Nothing makes them fewer on the way.
        let mut bytes = vec![0; CONNECTION];
        fastrand::fill(&mut bytes);
        let weight = Binary { subtype: BinarySubtype::Generic, bytes };
        let began = Instant::now();
        let command = self.command("weigh", doc! { "buildInfo": 1, "comment": weight });
        match tokio::time::timeout(within, command).await {
            // Refused, they were carried all the same.
            Ok(Ok(_)) => {}
            Ok(Err(failure)) if matches!(failure.reason, Reason::Server | Reason::NotAuthorized) => {}
            Ok(Err(_)) | Err(_) => return,
        }
        let took = began.elapsed();
        // What never left isn't quick.
        if took > way / 2 {
            let weighed = Weighed { bytes: CONNECTION, took, beside_the_way: took.saturating_sub(way) };
            *self.weighed.lock().unwrap_or_else(PoisonError::into_inner) = Some(weighed);
        }
    }

    /// Makes connections in the background if the server is far away, so `many` as a manual export may want: to make one takes
    /// several ways there and back. But on a slow link they are in the way of each other, and where one isn't made in time the
    /// driver gives up all: there it is no more than come quickly.
    ///
    /// The answer waits until they are made, but not long: who asks a moment too early gets one made for himself, which takes
    /// another way there and back.
    pub fn warm(&self, many: usize) -> impl Future<Output = ()> + use<> {
        let (made, all_made) = oneshot::channel();
        let quick = self.deadline / QUICK;
        let far = self.answers_within().filter(|answered| *answered > LONG && *answered < quick);
        if far.is_some() {
            self.make(many.min(self.made_within(quick.min(self.connecting / 4))), made);
        }
        let patience = far.unwrap_or_default() / 4;
        async move {
            let _done = tokio::time::timeout(patience, all_made).await;
        }
    }

    /// How many connections the link carries in so long, each with its bytes, beside the ways there and back.
    fn made_within(&self, time: Duration) -> usize {
        let each = self.weighed().map(|weighed| weighed.beside_the_way.as_micros().max(1));
        let fits = each.map_or(0, |each| time.as_micros() / each);
        // Who waits for one to be made takes those that others need.
        usize::try_from(fits).unwrap_or(usize::MAX).min(CONNECTING as usize)
    }

    fn make(&self, number: usize, made: oneshot::Sender<Infallible>) {
        let mut warming = self.warming.lock().unwrap_or_else(PoisonError::into_inner);
        while warming.try_join_next().is_some() {}
        // One is there.
        if number < 2 || !warming.is_empty() {
            return;
        }
        let (database, deadline) = (self.database.clone(), self.deadline);
        warming.spawn(async move {
            let _made = made;
            let pings = (0..number).map(|_| async { database.run_command(doc! { "ping": 1 }).await });
            // Whoever needs them will meet the failure himself.
            let _ended = tokio::time::timeout(deadline, try_join_all(pings)).await;
        });
    }
}
