//! The HTTP server. It reads snapshots and sends commands through [`Control`]; it knows no database.
//!
//! | method | path | answers |
//! |---|---|---|
//! | GET | `/api/export/sqlite-data` | what is in SQLite: number of rows, samples, statistics |
//! | POST | `/api/export/test-mongodb-connection` | whether MongoDB can be used now |
//! | GET | `/api/export/status` | the running or the last export |
//! | POST | `/api/export/sqlite-to-mongodb` | starts an export; `batch_size`, `skip_duplicates` |
//! | POST | `/api/export/reset-export-status` | sets the status back to idle |
//! | POST | `/api/export/pause`, `/api/export/resume` | whether exports start by themselves |
//! | POST | `/api/export/stop` | ends the running export at its next batch boundary |
//! | GET | `/api/export/connectivity` | the link to MongoDB |
//! | GET | `/api/export/connectivity/history` | the link in the last 24 hours |
//! | GET | `/api/export/history` | past exports, the latest first; `limit` |
//! | GET | `/api/export/records` | rows that aren't in the collection, and why; `outcome`, `after`, `limit` |
//! | POST | `/api/export/records/retry` | lets rejected and held rows be sent again |
//! | POST | `/api/export/rollback` | takes an export back; `export_id`, `changed_too`, `dry_run` |
//! | GET | `/api/export/events` | status and connectivity as they change, as server-sent events |
//! | GET | `/`, `/page.css`, `/page.js` | a page that shows all of it |
//! | GET | `/live` | whether the process answers |
//! | GET | `/ready` | whether the loop runs |
//! | GET | `/metrics` | what is counted, for Prometheus |
//! | GET | `/openapi.json` | the description of all this |
//!
//! What holds: every JSON answer but the description has the keys `success`, `message`, `data`, `error`, in this order; HEAD works where GET
//! does; GET changes nothing; a request that is refused changed nothing. (What isn't HTTP, or has a head of more than
//! 16 KiB, never gets here: it is answered without a body.)
//!
//! | status | when |
//! |---|---|
//! | 200 | it succeeded, be it only in starting |
//! | 400, 408, 413 | the body can't be read, is too slow, too large (none is needed) |
//! | 401 | the token is asked for, and wasn't shown |
//! | 403 | a host or origin that isn't this one |
//! | 404, 405 | no such path, or not with this method |
//! | 409 | an export is running, or none is to be stopped |
//! | 422 | a parameter is wrong |
//! | 500 | a mistake of our own |
//! | 503 | MongoDB, SQLite or the loop can't be used |

mod answers;
mod api;
mod arrival;
mod brakes;
mod edge;
mod entrance;
mod envelope;
mod events;
mod guard;
mod log;
mod observe;
mod openapi;
mod page;
mod past;
mod places;
mod policy;
mod query;
mod rollback;
mod server;
mod socket;
mod tls;
mod token;

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use tokio::sync::Semaphore;

use self::edge::Edge;
pub use self::entrance::{Entrance, EntranceError};
use self::events::Listeners;
use self::log::AccessLog;
pub use self::openapi::description;
pub use self::policy::Policy;
use crate::supervisor::control::Control;

/// Serves whoever comes in by `entrance` until `shutdown` completes, and ends within about a second of it, whatever clients do.
///
/// # Errors
/// None so far: a connection that fails, or can't be accepted, ends nothing.
pub async fn serve(
    entrance: Entrance,
    policy: Policy,
    control: Control,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let edge = Arc::new(Edge { policy, log: AccessLog::default(), at_work: Semaphore::new(places::AT_WORK) });
    server::run(entrance, router(control, edge), shutdown).await
}

fn router(control: Control, edge: Arc<Edge>) -> Router {
    let listeners = Listeners::new();
    let counted = listeners.clone();
    let listen = move |State(control)| events::listen(control, listeners.clone());
    let metrics = move |State(control)| observe::metrics(control, counted.clone());
    Router::new()
        .route("/api/export/sqlite-data", get(api::sqlite_data))
        .route("/api/export/test-mongodb-connection", post(api::test_mongodb_connection))
        .route("/api/export/status", get(api::status))
        .route("/api/export/sqlite-to-mongodb", post(api::start))
        .route("/api/export/reset-export-status", post(api::reset))
        .route("/api/export/pause", post(brakes::pause))
        .route("/api/export/resume", post(brakes::resume))
        .route("/api/export/stop", post(brakes::stop))
        .route("/api/export/connectivity", get(api::connectivity))
        .route("/api/export/history", get(past::history))
        .route("/api/export/records", get(past::records))
        .route("/api/export/records/retry", post(past::retry))
        .route("/api/export/connectivity/history", get(api::link_history))
        .route("/api/export/rollback", post(rollback::rollback))
        .route("/api/export/events", get(listen))
        .route("/live", get(api::live))
        .route("/ready", get(api::ready))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(openapi::openapi))
        .route("/", get(page::html))
        .route("/page.css", get(page::css))
        .route("/page.js", get(page::script))
        .fallback(api::not_found)
        .method_not_allowed_fallback(api::method_not_allowed)
        .with_state(control)
        .layer(axum::middleware::from_fn_with_state(edge, edge::pass))
}

#[cfg(test)]
mod tests;
