//! Heads of requests that nobody would send.

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;
use crate::http::arrival::{Arrival, Peer};
use crate::http::edge::Edge;
use crate::http::log::AccessLog;
use crate::http::places::{AT_WORK, Places};
use crate::http::{router, server};
use crate::noise::{Damage, damage, each};

const SNIPPETS: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    ":",
    "Host: localhost\r\n",
    "Host: [::1]:80\r\n",
    "Host: \r\n",
    "Host: [\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: -1\r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: x\r\n",
    "Expect: 100-continue\r\n",
    "Connection: close\r\n",
    "Connection: upgrade\r\n",
    "Upgrade: h2c\r\n",
    "Origin: null\r\n",
    "Origin: http://\r\n",
    "Authorization: Bearer \r\n",
    "Authorization: Bearer t\r\n",
    "Authorization: Basic\r\n",
    "Sec-Fetch-Site: cross-site\r\n",
    "GET / HTTP/1.1\r\n",
    "POST http://localhost/live HTTP/1.1\r\n",
    "CONNECT localhost:80 HTTP/1.1\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    "HTTP/1.0",
    "HTTP/0.9",
    "%00",
    "%ff",
    "%",
    "?",
    "#",
    "//",
    "..",
    "\0",
    "\u{ff}",
    "5\r\nhello\r\n0\r\n\r\n",
    "ffffffffffffffff\r\n",
];

const TARGETS: &[&str] = &[
    "/",
    "/live",
    "/ready",
    "/api/export/status",
    "/api/export/sqlite-data",
    "/api/export/sqlite-to-mongodb?batch_size=5",
    "/api/export/stop",
    "/api/export/test-mongodb-connection",
    "/api/export/reset-export-status",
    "/api/export/history?limit=3",
    "/api/export/records?after=nonsense",
    "/api/export/records/retry",
    "/api/export/pause",
    "/api/export/connectivity",
    "/api/export/connectivity/history",
    "/metrics",
    "/openapi.json",
    "http://localhost/live",
    "*",
    "/%2e%2e/",
];

#[test]
fn no_head_whatever_makes_it_panic() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (status, link, backlog) =
        (watch::Sender::default(), watch::Sender::default(), watch::Sender::default());
    let deadlines = Deadlines {
        command: PATIENCE,
        test_connection: PATIENCE,
        summary: PATIENCE,
        ledger: PATIENCE,
        rollback: PATIENCE,
    };
    let (control, commands) =
        Control::new(snapshots(&status, &link, &backlog), Arc::new(Checks::default()), deadlines);
    let _driver = runtime.spawn(drive(commands, status, Arc::default()));
    let config = |settings: &[&str]| {
        let sources = settings.iter().fold(Sources::default(), |sources, one| sources.with_override(*one));
        Config::load(&sources).expect("valid settings").http
    };
    let routers = [config(&[]), config(&["http.token=t", "http.allowed_hosts=[::1],kiosk"])].map(|config| {
        let at_work = tokio::sync::Semaphore::new(AT_WORK);
        let edge = Edge { policy: Policy::new(&config), log: AccessLog::default(), at_work };
        router(control.clone(), Arc::new(edge))
    });
    let (_stop, stopping) = watch::channel(false);
    let places = Arc::new(Places::default());

    let method = prop::sample::select(&["GET", "POST", "HEAD", "PUT", "OPTIONS", "G\u{e4}T", ""][..]);
    let target = prop::sample::select(TARGETS);
    let snippets = prop::collection::vec(prop::sample::select(SNIPPETS), 0..6);
    let head = (method, target, snippets, prop::collection::vec(damage(SNIPPETS), 0..4), any::<bool>());
    each(
        "request heads",
        19,
        head,
        |(method, target, more, damages, with_token): (_, _, _, Vec<Damage>, bool)| {
            let more = more.concat();
            let mut bytes =
                format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n").into_bytes();
            damages.iter().for_each(|damage| damage.to(&mut bytes));
            let router = routers[usize::from(with_token)].clone();
            let answer = runtime.block_on(async {
                let seat = places.take().await;
                let arrival = Arrival { peer: Peer::Unknown, local: None, place: Arc::clone(seat.place()) };
                let (mut client, stream) = duplex(1 << 20);
                let serving = tokio::spawn(server::serve_stream(stream, arrival, router, stopping.clone()));
                // The server may be through with it before all is written.
                let _ = client.write_all(&bytes).await;
                let _ = client.shutdown().await;
                let mut answer = Vec::new();
                let _ =
                    tokio::time::timeout(PATIENCE, client.read_to_end(&mut answer)).await.expect("it ends");
                serving.await.expect("no panic");
                answer
            });
            let answer = String::from_utf8_lossy(&answer);
            assert!(answer.is_empty() || answer.starts_with("HTTP/1."), "{answer}");
            assert!(!answer.contains("HTTP/1.1 500"), "a handler panicked: {answer}");
        },
    );
}
