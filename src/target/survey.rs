//! What there is to know of a server and of what the user may do there, for a person who sets the daemon up. Nothing is
//! changed.

use std::net::SocketAddr;
use std::time::Duration;

use mongodb::bson::{Bson, Document, doc};
use mongodb::options::Tls;
use tokio::time::{Instant, timeout_at};

use super::connect::parse;
use super::prepare::race_index;
use super::resolve::dns;
use super::{Target, failure, reach};
use crate::config::Secret;
use crate::report::{Failure, Timestamp};

/// What an export can't do without.
const NEEDED: [&str; 3] = ["find", "insert", "update"];

/// What makes it better; see the README.
const USEFUL: [&str; 3] = ["createIndex", "listIndexes", "listCollections"];

/// Where a connection string leads.
#[derive(Clone, Debug)]
pub struct Reached {
    /// The address that accepts connections; `None` for a socket in the file system.
    pub address: Option<SocketAddr>,
    /// Whether it asks for TLS.
    pub tls: bool,
    /// Whether it holds a login.
    pub login: bool,
}

/// What was found behind a connection.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The server's version.
    pub version: String,
    /// How far this host's clock is ahead of the server's, in milliseconds; negative: behind.
    pub ahead_ms: Option<i64>,
    /// The rights; `None` if nobody has logged in: then the server asks for none, or the user has some by other means.
    pub rights: Option<Rights>,
    /// Whether the two indexes for duplicates are there.
    pub has_indexes: bool,
}

/// What the user may not do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Without these nothing can be exported.
    pub missing: Vec<&'static str>,
    /// Without these it goes less well.
    pub lacking: Vec<&'static str>,
}

impl Target {
    /// Resolves the names of a connection string and tries its ports.
    ///
    /// # Errors
    /// The reason, see [`Failure`].
    pub async fn reach(uri: &Secret, budget: Duration) -> Result<Reached, Failure> {
        let end = Instant::now() + budget;
        let parsed = timeout_at(end, parse(uri)).await;
        let parsed = parsed.map_err(|_| dns("the DNS servers don't answer for the SRV record"))?;
        let options = parsed.map_err(|error| failure::classify(&error))?;
        Ok(Reached {
            address: reach::any(&options.hosts, end).await?,
            tls: matches!(options.tls, Some(Tls::Enabled(_))),
            login: options.credential.is_some(),
        })
    }

    /// Looks what the server is and what may be done there. `duplicate_key` are the columns by which duplicates are
    /// looked up.
    ///
    /// # Errors
    /// A failure of the connection.
    pub async fn survey(&self, duplicate_key: &[String]) -> Result<Survey, Failure> {
        let before = Timestamp::now();
        let hello = self.command("check", doc! { "hello": 1 }).await?;
        let after = Timestamp::now();
        let middle = before.as_millis() + (after.as_millis() - before.as_millis()) / 2;
        let build = self.command("check", doc! { "buildInfo": 1 }).await.unwrap_or_default();
        let status = self.command("check", doc! { "connectionStatus": 1, "showPrivileges": true }).await;
        let keys = self.index_keys().await?;
        Ok(Survey {
            version: build.get_str("version").unwrap_or("of an unknown version").to_owned(),
            ahead_ms: hello.get_datetime("localTime").ok().map(|time| middle - time.timestamp_millis()),
            rights: status
                .ok()
                .and_then(|status| rights(&status, self.database.name(), self.collection.name())),
            has_indexes: duplicate_key.is_empty()
                || (keys.contains(&race_index())
                    && keys.iter().any(|key| key.keys().next() == duplicate_key.first())),
        })
    }
}

fn rights(status: &Document, database: &str, collection: &str) -> Option<Rights> {
    let info = status.get_document("authInfo").ok()?;
    if info.get_array("authenticatedUsers").ok()?.is_empty() {
        return None;
    }
    let privileges = info.get_array("authenticatedUserPrivileges").ok()?;
    let without = |action: &&'static str| {
        // It is a right on the database.
        let on = if *action == "listCollections" { "" } else { collection };
        !privileges.iter().filter_map(Bson::as_document).any(|grant| grants(grant, database, on, action))
    };
    Some(Rights {
        missing: NEEDED.into_iter().filter(without).collect(),
        lacking: USEFUL.into_iter().filter(without).collect(),
    })
}

fn grants(privilege: &Document, database: &str, collection: &str, action: &str) -> bool {
    let (Ok(resource), Ok(actions)) = (privilege.get_document("resource"), privilege.get_array("actions"))
    else {
        return false;
    };
    let is = |name, ours: &str| resource.get_str(name).is_ok_and(|text| text.is_empty() || text == ours);
    let there = resource.get_bool("anyResource").unwrap_or(false)
        || (is("db", database) && is("collection", collection));
    there
        && actions.iter().filter_map(Bson::as_str).any(|granted| granted == action || granted == "anyAction")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(privileges: Vec<Document>) -> Option<Rights> {
        let users = vec![doc! { "user": "u", "db": "admin" }];
        let info = doc! { "authenticatedUsers": users, "authenticatedUserPrivileges": privileges };
        rights(&doc! { "authInfo": info }, "db", "rows")
    }

    #[test]
    fn a_right_counts_where_it_is_granted() {
        let all = ["find", "insert", "update", "createIndex", "listIndexes", "listCollections"];
        let on = |db: &str, collection: &str| doc! { "resource": { "db": db, "collection": collection }, "actions": &all };
        for (resource, missing, lacking) in [
            (on("db", "rows"), vec![], vec!["listCollections"]),
            (on("db", ""), vec![], vec![]),
            (on("", ""), vec![], vec![]),
            (doc! { "resource": { "anyResource": true }, "actions": ["anyAction"] }, vec![], vec![]),
            (on("other", "rows"), NEEDED.to_vec(), USEFUL.to_vec()),
            (on("db", "others"), NEEDED.to_vec(), USEFUL.to_vec()),
            (doc! { "resource": { "cluster": true }, "actions": &all }, NEEDED.to_vec(), USEFUL.to_vec()),
        ] {
            assert_eq!(of(vec![resource.clone()]), Some(Rights { missing, lacking }), "{resource}");
        }
        let nobody = doc! { "authenticatedUsers": [], "authenticatedUserPrivileges": [] };
        assert_eq!(rights(&doc! { "authInfo": nobody }, "db", "rows"), None);
    }
}
