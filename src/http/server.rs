//! Connections: accepting, serving and ending them.
//!
//! What holds: there are at most [`CONNECTIONS`] at a time; a client that is slow to ask, slow to read, or silent
//! loses its connection after a limit; after the shutdown none of them holds the server for longer than
//! [`SHUTDOWN_LIMIT`].

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::arrival::{Arrival, Peer};

/// More clients than this at a time wait in the kernel's queue.
const CONNECTIONS: usize = 128;

/// For the head of each request, and so also for an idle connection between two of them.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// For a whole connection, after which it is asked to end: a client that never reads its answers can't hold it.
const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// For the end of what is under way when the server stops or a lifetime is over.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(1);

/// The buffer of a connection, and so the limit of a request's head.
const BUFFER: usize = 16 * 1024;

/// After a failed accept: with no file descriptors left the next one fails at once, too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves until `shutdown`, then ends within [`SHUTDOWN_LIMIT`].
pub(super) async fn run(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let (stop, stopping) = watch::channel(false);
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &slots, &mut failing) => accepted,
        };
        let (stream, slot) = accepted;
        let (router, stopping) = (router.clone(), stopping.clone());
        connections.spawn(async move {
            serve_one(stream, router, stopping).await;
            drop(slot);
        });
    }
    // Refuses newcomers from here on.
    drop(listener);
    stop.send_replace(true);
    let drained = timeout(SHUTDOWN_LIMIT, async { while connections.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::debug!(
            event = "connections_closed",
            connections = connections.len(),
            "Closed HTTP connections that did not end by themselves"
        );
    }
    connections.shutdown().await;
    Ok(())
}

/// The next connection, with its slot.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    failing: &mut bool,
) -> (TcpStream, tokio::sync::OwnedSemaphorePermit) {
    loop {
        let slot = Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((stream, _)) => {
                *failing = false;
                return (stream, slot);
            }
            // The client was gone before we came.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if !std::mem::replace(failing, true) {
                    tracing::warn!(event = "accept_failed", %error, "Can't accept HTTP connections");
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_one(stream: TcpStream, router: Router, mut stopping: watch::Receiver<bool>) {
    // Answers are small and written at once: nothing to gain from waiting for more.
    let _ = stream.set_nodelay(true);
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(BUFFER)
        // A client may close its side after the question; the handlers are bounded, so nobody waits for nothing.
        .half_close(true);
    let arrival = Arrival {
        peer: stream.peer_addr().map_or(Peer::Unknown, Peer::Address),
        local: stream.local_addr().map(|address| address.ip()).ok(),
    };
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(arrival);
        router.call(request)
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        // Errors here are the client's: it broke off, or spoke no HTTP.
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(|&stopping| stopping) => {}
        () = sleep(LIFETIME) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(SHUTDOWN_LIMIT, connection).await;
}
