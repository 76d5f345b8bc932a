//! Real daemons on this machine, each with an application of its own, and one MongoDB that is restarted under them.

use std::fmt;
use std::time::{Duration, Instant};

use mongodb::bson::doc;
use tempfile::TempDir;

use crate::support::daemon::Daemon;
use crate::support::mongo::Mongo;
use crate::support::mongod::Mongod;
use crate::support::sqlite::{App, TABLE};
use crate::support::wait::eventually;

const DATABASE: &str = "fleet";

/// For a hundred daemons on two cores.
const DEADLINE: Duration = Duration::from_secs(300);

/// What was seen.
pub(crate) struct Seen {
    /// Daemons.
    pub(crate) daemons: usize,
    /// Most connections of all daemons together, from the server's return to the last row.
    pub(crate) peak_connections: u64,
    /// Connections that were made in that time, the test's own among them.
    pub(crate) new_connections: u64,
    /// From the server's return to the last row.
    pub(crate) drained: Duration,
    /// Connections at the end, when there is nothing to do.
    pub(crate) idle_connections: u64,
    /// From the last row to the last connection's end.
    pub(crate) disconnected: Duration,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} daemons, one server that was away and came back", self.daemons)?;
        writeln!(f, "  all rows there after                {:>10.1?}", self.drained)?;
        writeln!(f, "  most connections at a time          {:>10}", self.peak_connections)?;
        writeln!(f, "  connections made until then         {:>10}", self.new_connections)?;
        writeln!(f, "  no connection any more after        {:>10.1?}", self.disconnected)?;
        write!(f, "  connections of idle daemons         {:>10}", self.idle_connections)
    }
}

/// A host: an application and its daemon.
struct Host {
    daemon: Daemon,
    app: App,
    _directory: TempDir,
}

impl Host {
    fn start(number: usize, mongod: &Mongod, rows: u32) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut app = App::create(directory.path());
        app.insert_inquiries(rows);
        let daemon = Daemon::builder(app.path(), &mongod.uri())
            .set("sqlite.source_id", format!("host-{number}"))
            .set("mongodb.database", DATABASE)
            .set("mongodb.idle_disconnect", "2s")
            // Every host has the same inquiries.
            .set("export.skip_duplicates", false)
            .set("probe.initial_interval", "500ms")
            .set("probe.max_interval", "2s")
            .start();
        Self { daemon, app, _directory: directory }
    }
}

/// Starts `count` daemons, has each export `rows` rows, restarts MongoDB while each gets as many again, and watches.
pub(crate) fn run(count: usize, rows: u32) -> Seen {
    let mongod = Mongod::start();
    let mut hosts: Vec<Host> = (0..count).map(|number| Host::start(number, &mongod, rows)).collect();
    let each_once = u64::from(rows) * count as u64;
    let client = mongod.client();
    eventually(DEADLINE, "the first rows of each", || {
        (client.count(DATABASE, TABLE) == each_once).then_some(())
    });
    client.close();

    mongod.kill();
    for host in &mut hosts {
        host.app.insert_inquiries(rows);
    }
    for host in &hosts {
        let state = || host.daemon.get("/api/export/connectivity").1["data"]["state"].clone();
        eventually(DEADLINE, "an outage noticed", || (state() == "offline").then_some(()));
    }
    mongod.launch();
    let back = Instant::now();
    let client = mongod.client();
    let mut peak_connections = 0;
    eventually(DEADLINE, "all rows of each", || {
        peak_connections = peak_connections.max(connections(&client));
        (client.count(DATABASE, TABLE) == 2 * each_once).then_some(())
    });
    let (drained, new_connections) = (back.elapsed(), connections_made(&client));
    let done = Instant::now();
    eventually(DEADLINE, "no connection of idle daemons", || (connections(&client) == 0).then_some(()));
    Seen {
        daemons: count,
        peak_connections,
        new_connections,
        drained,
        idle_connections: connections(&client),
        disconnected: done.elapsed(),
    }
}

/// Open connections of daemons, by the name that they give themselves.
fn connections(client: &Mongo) -> u64 {
    let answer = client.run(
        "admin",
        doc! {
            "aggregate": 1,
            "pipeline": [
                { "$currentOp": { "allUsers": true, "idleConnections": true } },
                { "$match": { "appName": "mongo-uplink" } },
                { "$count": "connections" },
            ],
            "cursor": {},
        },
    );
    let first = answer.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch"));
    let counted = first.ok().and_then(|batch| batch.first()?.as_document()?.get_i32("connections").ok());
    // With none there is nothing to count.
    counted.map_or(0, |counted| u64::from(counted.unsigned_abs()))
}

/// Connections since the server's start.
fn connections_made(client: &Mongo) -> u64 {
    let status = client.run("admin", doc! { "serverStatus": 1 });
    let made = status.get_document("connections").and_then(|connections| connections.get_i32("totalCreated"));
    u64::from(made.expect("each server tells").unsigned_abs())
}
