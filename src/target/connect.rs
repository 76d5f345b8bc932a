//! From a connection string to a connection that was proved to work, in stages of our own.
//!
//! Names are resolved and ports are tried before the driver gets a client: so the reason of a failure is known at
//! once and by type, and while MongoDB is away there is no client at all, with its threads and timers. The handshakes
//! are the driver's, whose monitors tell why they fail. The proof is a read of the collection from a server that says
//! it takes writes, as `ping` succeeds without login and rights, and a read on a secondary.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mongodb::Client;
use mongodb::bson::{Document, doc};
use mongodb::error::ErrorKind;
use mongodb::options::{ClientOptions, ConnectionString, ReadPreference, SelectionCriteria, Tls};
use tokio::time::{Instant, timeout_at};

use super::failure::{classify, too_late};
use super::heartbeats::Heartbeats;
use super::holders::Crowds;
use super::prepare::RefusedIndexes;
use super::resolve::dns;
use super::warm::CONNECTING;
use super::{Target, compress, reach, sniff};
use crate::config::{Mongodb, Secret};
use crate::report::{Failure, Reason};

/// Shown by MongoDB in its log and in `currentOp`.
const APP_NAME: &str = "mongo-uplink";

/// Connections at most: sixteen commands that write, as many batches that look up and four more, and a few for look-ups in
/// parts and a probe. There are only as many as are needed; who finds none free waits for one.
const MAX_CONNECTIONS: u32 = 41;

/// Each stage keeps the deadline itself, and can say more about its end; should one not, it is broken off this much
/// later.
const LAST_RESORT: Duration = Duration::from_millis(100);

impl Target {
    /// Connects in one way, within `budget`, and proves that the collection can be read from a primary.
    ///
    /// # Errors
    /// The reason, see [`Failure`].
    pub async fn connect(config: &Mongodb, uri: &Secret, budget: Duration) -> Result<Self, Failure> {
        let end = Instant::now() + budget;
        match timeout_at(end + LAST_RESORT, connect(config, uri, end)).await {
            Ok(result) => result,
            Err(_) => Err(too_late("connect", budget)),
        }
    }

    /// Proves once more that the collection can be read from a primary.
    ///
    /// # Errors
    /// The reason, see [`Failure`].
    pub async fn check(&self) -> Result<(), Failure> {
        match self.command("check", doc! { "hello": 1 }).await {
            Ok(reply) => takes_writes(&reply)?,
            // A server too old for `hello`; whether it takes writes, the first write will tell.
            Err(failure) if failure.reason == Reason::Server => {}
            Err(failure) => return Err(failure),
        }
        let began = Instant::now();
        self.command("check", read_one(self.collection.name())).await?;
        *self.answers_within.lock().unwrap_or_else(PoisonError::into_inner) = Some(began.elapsed());
        Ok(())
    }
}

async fn connect(config: &Mongodb, uri: &Secret, end: Instant) -> Result<Target, Failure> {
    let parsed = timeout_at(end, parse(uri)).await;
    let parsed = parsed.map_err(|_| dns("the DNS servers don't answer for the SRV record"))?;
    let mut options = parsed.map_err(|error| classify(&error))?;
    let address = reach::any(&options.hosts, end).await?;
    let asked = Asked {
        address,
        tls: matches!(options.tls, Some(Tls::Enabled(_))),
        login: options.credential.is_some(),
    };

    let heartbeats = Arc::new(Heartbeats::new(options.repl_set_name.clone()));
    let left = end.saturating_duration_since(Instant::now());
    options.sdam_event_handler = Some(heartbeats.handler());
    options.app_name.get_or_insert_with(|| APP_NAME.to_owned());
    options.max_pool_size = Some(MAX_CONNECTIONS);
    // The driver makes two at a time: on a long way most of a small export would be over by the time there are enough.
    options.max_connecting.get_or_insert(CONNECTING);
    // Between two processes of one host it only costs; and what the connection string says itself goes first.
    if options.compressors.is_none()
        && address.is_some_and(|address| !address.ip().to_canonical().is_loopback())
    {
        options.compressors = compress::with(&config.compressors);
    }
    // What a secondary hasn't got yet would be taken for missing, whatever the connection string prefers.
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
    // Each below the next, else a failure has no cause: the connection's, the selection's, ours.
    let connecting = options.connect_timeout.map_or(left, |own| own.min(left)) * 8 / 10;
    options.connect_timeout = Some(connecting);
    options.server_selection_timeout = Some(left * 9 / 10);
    let client = Client::with_options(options).map_err(|error| match error.kind.as_ref() {
        // No connection is made here: what is read is the options' files.
        ErrorKind::Io(_) => Failure::new(Reason::Tls, "tlsCertificateKeyFile can't be read"),
        _ => classify(&error),
    })?;
    let database = client.database(&config.database);
    let collection = database.collection(&config.collection);
    let deadline = config.operation_timeout;
    let refused_indexes = RefusedIndexes::default();
    let crowds = Crowds::default();
    let warming = Mutex::default();
    let target = Target {
        client,
        database,
        collection,
        heartbeats,
        deadline,
        refused_indexes,
        crowds,
        answers_within: Mutex::default(),
        connecting,
        weighed: Mutex::default(),
        warming,
        closed: false,
    };
    let failure = match timeout_at(end, target.check()).await {
        Ok(Ok(())) => {
            return Ok(target);
        }
        Ok(Err(failure)) => failure,
        Err(_) => Failure::new(Reason::Timeout, "the server doesn't answer in time"),
    };
    let nobody_answered = target.heartbeats.nobody_answered();
    drop(target);
    Err(asked.explain(failure, nobody_answered, end).await)
}

/// Reads a connection string; for `mongodb+srv` asks the DNS servers.
pub(super) async fn parse(uri: &Secret) -> mongodb::error::Result<ClientOptions> {
    let mut string = ConnectionString::parse(uri.expose())?;
    #[expect(deprecated, reason = "the driver refuses this option; our own deadlines do what it is for")]
    let socket_timeout = &mut string.socket_timeout;
    *socket_timeout = None;
    ClientOptions::parse(string).await
}

/// What the connection string asked for, as far as it helps to explain a failure.
struct Asked {
    address: Option<SocketAddr>,
    tls: bool,
    login: bool,
}

impl Asked {
    async fn explain(&self, failure: Failure, nobody_answered: bool, end: Instant) -> Failure {
        match (failure.reason, self.address) {
            (Reason::NotAuthorized, _) if !self.login => {
                Failure::new(Reason::Auth, "the server asks for a login; the connection string has none")
            }
            (Reason::Timeout, _) if nobody_answered => {
                Failure::new(Reason::Timeout, "the server accepts connections, but doesn't answer in time")
            }
            (Reason::Disconnected | Reason::NotMongodb, Some(address)) if nobody_answered => {
                sniff::explain(address, self.tls, failure, end).await
            }
            _ => failure,
        }
    }
}

fn takes_writes(hello: &Document) -> Result<(), Failure> {
    let is = |key| hello.get_bool(key).unwrap_or(false);
    // Without the field it is no MongoDB that we know; the first write will tell.
    if is("isWritablePrimary") || !hello.contains_key("isWritablePrimary") {
        return Ok(());
    }
    let detail = if is("secondary") {
        "the server is a secondary: name all members of the set, and no directConnection"
    } else if is("isreplicaset") {
        "the server waits for its set to be initiated"
    } else {
        "the server is no primary at the moment"
    };
    Err(Failure::new(Reason::NotPrimary, detail))
}

fn read_one(collection: &str) -> Document {
    doc! { "find": collection, "filter": {}, "projection": { "_id": 1 }, "limit": 1, "singleBatch": true }
}
