//! One connection through a proxy: two pumps, each a reader and a writer with a bounded queue between them.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::rules::{Ending, Rules, Shared};
use crate::support::runtime::spawn;

/// How much is read at once.
const CHUNK: usize = 16 * 1024;
/// How many chunks one direction holds while they are delayed or stalled.
const QUEUE: usize = 64;
/// With a limited rate, how often a portion is delivered.
const PORTIONS_PER_SECOND: u32 = 20;

/// After how long what was lost is sent again: what follows it has to wait, as in any stream.
const RETRANSMISSION: Duration = Duration::from_millis(300);

/// A chunk and when it is due.
type Queued = (Instant, Vec<u8>);

/// Accepts connections until it is aborted.
pub(super) async fn accept(listener: TcpListener, target: u16, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let id = shared.accepted.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(&shared);
        spawn(async move {
            carry(id, client, target, &shared).await;
            shared.closed.fetch_add(1, Ordering::SeqCst);
        });
    }
}

async fn carry(id: u64, mut client: TcpStream, target: u16, shared: &Shared) {
    let mut watched = shared.rules.subscribe();
    let born = watched.borrow().endings;
    let ended_by_test = async {
        // The sender lives in `shared`, so this fails only if it is gone together with everything else.
        watched.wait_for(|rules| rules.endings != born).await.map_or(Ending::Reset, |rules| rules.last_ending)
    };
    let mut server = None;
    let carried = async {
        let Ok(connected) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else {
            return Ending::Reset;
        };
        let connected = server.insert(connected);
        for stream in [&client, &*connected] {
            // No network between two hosts waits for an acknowledgement of what came before. A socket that can't be told
            // is slower.
            let _ = stream.set_nodelay(true);
        }
        let (from_server, to_server) = connected.split();
        let (from_client, to_client) = client.split();
        let there = Direction::Requests { id, shared };
        let back = Direction::Replies { id, shared };
        match tokio::try_join!(there.pump(from_client, to_server), back.pump(from_server, to_client)) {
            Ok(_) => Ending::Close,
            Err(ending) => ending,
        }
    };
    let ending = tokio::select! {
        ending = ended_by_test => ending,
        ending = carried => ending,
    };
    if ending == Ending::Reset {
        for stream in [Some(&client), server.as_ref()].into_iter().flatten() {
            // A socket that can't be told is closed in good order instead, which ends it as well.
            let _ = stream.set_zero_linger();
        }
    }
}

#[derive(Clone, Copy)]
enum Direction<'a> {
    Requests { id: u64, shared: &'a Shared },
    Replies { id: u64, shared: &'a Shared },
}

impl Direction<'_> {
    /// Carries bytes until the stream ends, which it passes on. The error is how to end the connection.
    async fn pump(self, from: ReadHalf<'_>, to: WriteHalf<'_>) -> Result<(), Ending> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::try_join!(self.read(from, sender), self.write(to, receiver)).map(|_| ())
    }

    async fn read(self, mut from: ReadHalf<'_>, queue: mpsc::Sender<Queued>) -> Result<(), Ending> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let length = from.read(&mut buffer).await.map_err(|_| Ending::Reset)?;
            if length == 0 {
                return Ok(());
            }
            if let Self::Requests { id, shared } = self {
                shared.plan.request(id, &buffer[..length]);
            }
            let due = Instant::now() + self.shared().rules.borrow().delay;
            queue.send((due, buffer[..length].to_vec())).await.map_err(|_| Ending::Reset)?;
        }
    }

    async fn write(self, mut to: WriteHalf<'_>, mut queue: mpsc::Receiver<Queued>) -> Result<(), Ending> {
        let mut rules = self.shared().rules.subscribe();
        while let Some((due, chunk)) = queue.recv().await {
            sleep_until(due).await;
            unless_stalled(&mut rules).await?;
            let passing = match self {
                Self::Requests { .. } => chunk.len(),
                Self::Replies { id, shared } => shared.plan.reply(id, chunk.len()),
            };
            self.deliver(&mut to, &chunk[..passing], &mut rules).await?;
            if passing < chunk.len() {
                return Err(Ending::Reset);
            }
        }
        to.shutdown().await.map_err(|_| Ending::Reset)
    }

    /// Writes at the rate of the moment.
    async fn deliver(
        self,
        to: &mut WriteHalf<'_>,
        mut bytes: &[u8],
        rules: &mut watch::Receiver<Rules>,
    ) -> Result<(), Ending> {
        while !bytes.is_empty() {
            unless_stalled(rules).await?;
            let Rules { rate, narrow, loses, .. } = *rules.borrow();
            let slowest = [rate, narrow].into_iter().flatten().min();
            let portion = slowest.map_or(CHUNK, |rate| (rate / PORTIONS_PER_SECOND).max(1) as usize);
            let (now, later) = bytes.split_at(portion.min(bytes.len()));
            if let Some(narrow) = narrow {
                let direction = usize::from(matches!(self, Self::Replies { .. }));
                sleep_until(self.shared().take_line(direction, now.len(), narrow)).await;
            }
            if loses.is_some_and(|one_in| self.shared().loses(one_in)) {
                sleep_until(Instant::now() + RETRANSMISSION).await;
            }
            // Before they are written: whoever has received bytes finds them counted.
            self.counter().fetch_add(now.len() as u64, Ordering::SeqCst);
            to.write_all(now).await.map_err(|_| Ending::Reset)?;
            if let Some(rate) = rate {
                let took = Duration::from_secs_f64(now.len() as f64 / f64::from(rate));
                sleep_until(Instant::now() + took).await;
            }
            bytes = later;
        }
        Ok(())
    }

    fn shared(&self) -> &Shared {
        match self {
            Self::Requests { shared, .. } | Self::Replies { shared, .. } => shared,
        }
    }

    fn counter(&self) -> &AtomicU64 {
        match self {
            Self::Requests { shared, .. } => &shared.request_bytes,
            Self::Replies { shared, .. } => &shared.reply_bytes,
        }
    }
}

async fn unless_stalled(rules: &mut watch::Receiver<Rules>) -> Result<(), Ending> {
    rules.wait_for(|rules| !rules.stalled).await.map(|_| ()).map_err(|_| Ending::Reset)
}
