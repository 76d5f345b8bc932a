//! From a connection string to a connection that was proved to work, in stages of our own.
//!
//! Names are resolved and ports are tried before the driver gets a client: so the reason of a failure is known at
//! once and by type, and while MongoDB is away there is no client at all, with its threads and timers. The proof is a
//! read of the collection, as `ping` succeeds without login and rights.

use std::sync::Arc;
use std::time::Duration;

use mongodb::Client;
use mongodb::bson::{Document, doc};
use mongodb::options::{ClientOptions, ServerAddress};
use tokio::time::timeout;

use super::Target;
use super::failure::{classify, of_io, too_late};
use super::heartbeats::Heartbeats;
use super::prepare::RefusedIndexes;
use crate::config::{Mongodb, Secret};
use crate::report::{Failure, Reason};

/// Shown by MongoDB in its log and in `currentOp`.
const APP_NAME: &str = "mongo-uplink";

/// Connections at most: the batches in flight, a look-up beside each, and a probe.
const MAX_CONNECTIONS: u32 = 8;

impl Target {
    /// Connects in one way, within `budget`, and proves that the collection can be read from a primary.
    ///
    /// # Errors
    /// The reason, see [`Failure`].
    pub async fn connect(config: &Mongodb, uri: &Secret, budget: Duration) -> Result<Self, Failure> {
        match timeout(budget, connect(config, uri, budget)).await {
            Ok(result) => result,
            Err(_) => Err(too_late("connect", budget)),
        }
    }

    /// Proves once more that the collection can be read from a primary.
    ///
    /// # Errors
    /// The reason, see [`Failure`].
    pub async fn check(&self) -> Result<(), Failure> {
        let command = read_one(self.collection.name());
        self.command("check", command).await.map(drop)
    }
}

async fn connect(config: &Mongodb, uri: &Secret, budget: Duration) -> Result<Target, Failure> {
    let mut options = ClientOptions::parse(uri.expose()).await.map_err(|error| classify(&error))?;
    reach_any(&options.hosts).await?;

    let heartbeats = Arc::new(Heartbeats::default());
    options.sdam_event_handler = Some(heartbeats.handler());
    options.app_name.get_or_insert_with(|| APP_NAME.to_owned());
    options.max_pool_size = Some(MAX_CONNECTIONS);
    options.server_selection_timeout = Some(budget);
    // Below the selection's, else a failure has no cause.
    options.connect_timeout = Some(options.connect_timeout.map_or(budget, |own| own.min(budget)) * 4 / 5);
    let client = Client::with_options(options).map_err(|error| classify(&error))?;
    let database = client.database(&config.database);
    let collection = database.collection(&config.collection);
    let target = Target {
        client,
        database,
        collection,
        heartbeats,
        deadline: config.operation_timeout,
        refused_indexes: RefusedIndexes::default(),
    };
    match target.check().await {
        Ok(()) => Ok(target),
        Err(failure) => {
            // Not waited for: the caller's deadline is short, and the connections are closed all the same.
            drop(tokio::spawn(target.close()));
            Err(failure)
        }
    }
}

fn read_one(collection: &str) -> Document {
    doc! { "find": collection, "filter": {}, "projection": { "_id": 1 }, "limit": 1, "singleBatch": true }
}

/// Resolves the hosts and tries their ports, all at once; enough if one answers.
async fn reach_any(hosts: &[ServerAddress]) -> Result<(), Failure> {
    let mut tries = tokio::task::JoinSet::new();
    for host in hosts {
        let ServerAddress::Tcp { host, port } = host else { return Ok(()) };
        let (host, port) = (host.clone(), port.unwrap_or(27017));
        tries.spawn(async move { reach(&host, port).await });
    }
    let mut first = None;
    while let Some(tried) = tries.join_next().await {
        match tried {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(failure)) => first = first.or(Some(failure)),
            Err(_) => {}
        }
    }
    Err(first.unwrap_or_else(|| Failure::new(Reason::Options, "the connection string names no host")))
}

async fn reach(host: &str, port: u16) -> Result<(), Failure> {
    let unresolved = || Failure::new(Reason::Dns, "the host name doesn't resolve");
    let addresses: Vec<_> = tokio::net::lookup_host((host, port)).await.map_err(|_| unresolved())?.collect();
    let mut last = unresolved();
    for address in addresses {
        match tokio::net::TcpStream::connect(address).await {
            Ok(_) => return Ok(()),
            Err(error) => last = of_io(&error),
        }
    }
    Err(last)
}
