//! Connections: accepting, serving and ending them.
//!
//! What holds: there are at most [`PLACES`](super::places::PLACES) at a time; a client that is slow to ask, slow to
//! read, or silent loses its connection after a limit, and earlier if somebody else needs its place; after the shutdown
//! none of them holds the server for longer than [`SHUTDOWN_LIMIT`].

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::arrival::{Arrival, Peer};
use super::entrance::{Connection, Entrance};
use super::places::{Place, Places, Seat};

/// For a handshake, for the head of each request, and so also for an idle connection between two of them.
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
    entrance: Entrance,
    router: Router,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let (stop, stopping) = watch::channel(false);
    let places = Arc::new(Places::default());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    let mut failing = false;
    let mut waiting = None;
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            connection = accept(&entrance, &mut failing), if waiting.is_none() => waiting = Some(connection),
            seat = places.take(), if waiting.is_some() => {
                if let Some(connection) = waiting.take() {
                    connections.spawn(serve_seated(connection, seat, router.clone(), stopping.clone()));
                }
            }
        }
    }
    // Refuses newcomers from here on.
    drop((entrance, waiting));
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

/// The next connection.
async fn accept(entrance: &Entrance, failing: &mut bool) -> Connection {
    loop {
        match entrance.accept().await {
            Ok(connection) => {
                *failing = false;
                return connection;
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

/// Serves a connection until it ends, or somebody else needs its place.
async fn serve_seated(connection: Connection, seat: Seat, router: Router, stopping: watch::Receiver<bool>) {
    let place = Arc::clone(seat.place());
    tokio::select! {
        () = serve_one(connection, &place, router, stopping) => {}
        () = place.leaving() => {}
    }
}

async fn serve_one(
    connection: Connection,
    place: &Arc<Place>,
    router: Router,
    stopping: watch::Receiver<bool>,
) {
    let place = Arc::clone(place);
    match connection {
        Connection::Plain(stream) => {
            let arrival = from_network(&stream, place);
            serve_stream(stream, arrival, router, stopping).await;
        }
        Connection::Encrypted(stream, tls) => {
            let arrival = from_network(&stream, place);
            // Errors are the client's here, too.
            if let Ok(Ok(stream)) = timeout(HEADER_TIMEOUT, tls.accept(stream)).await {
                serve_stream(stream, arrival, router, stopping).await;
            }
        }
        Connection::Local(stream) => {
            let arrival = Arrival { peer: Peer::Socket, local: None, place };
            serve_stream(stream, arrival, router, stopping).await;
        }
    }
}

fn from_network(stream: &TcpStream, place: Arc<Place>) -> Arrival {
    Arrival {
        peer: stream.peer_addr().map_or(Peer::Unknown, Peer::Address),
        local: stream.local_addr().map(|address| address.ip()).ok(),
        place,
    }
}

pub(super) async fn serve_stream(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    arrival: Arrival,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(BUFFER)
        // A client may close its side after the question; the handlers are bounded, so nobody waits for nothing.
        .half_close(true);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(arrival.clone());
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
