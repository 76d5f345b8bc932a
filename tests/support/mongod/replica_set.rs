//! A replica set of several members.

use std::time::Duration;

use mongodb::bson::{Bson, doc};

use super::builder::SET;
use super::{Builder, Mongod};
use crate::support::mongo::{Mongo, Role};
use crate::support::wait::eventually;

/// How long an election may take on a machine with much else to do.
const ELECTION: Duration = Duration::from_secs(60);

/// A running set. Its members are killed, frozen and restarted one by one.
pub struct ReplicaSet {
    members: Vec<Mongod>,
}

impl ReplicaSet {
    /// A set of `size` members with a primary.
    #[must_use]
    #[track_caller]
    pub fn start(size: usize) -> Self {
        Self::start_with(size, &Mongod::builder())
    }

    /// A set whose members have these settings.
    #[must_use]
    #[track_caller]
    pub fn start_with(size: usize, settings: &Builder) -> Self {
        let members: Vec<Mongod> = (0..size).map(|_| settings.clone().reserve()).collect();
        // All of them first: each spends most of its start waiting.
        members.iter().for_each(Mongod::spawn);
        members.iter().for_each(Mongod::wait_until_listening);
        let named: Vec<Bson> = (0_i32..)
            .zip(&members)
            .map(|(id, member)| doc! { "_id": id, "host": member.host() }.into())
            .collect();
        // A failed primary is noticed after one second instead of ten.
        let settings = doc! { "electionTimeoutMillis": 1_000, "heartbeatIntervalMillis": 250 };
        members[0].initiate(doc! { "_id": SET, "members": named, "settings": settings });
        let set = Self { members };
        set.wait_until_whole();
        set
    }

    /// The connection string with all members.
    pub fn uri(&self) -> String {
        let hosts: Vec<String> = self.members.iter().map(Mongod::host).collect();
        format!("mongodb://{}/?replicaSet={SET}", hosts.join(","))
    }

    /// A client of the set.
    #[track_caller]
    pub fn client(&self) -> Mongo {
        Mongo::connect(&self.uri())
    }

    /// The members, in the order of their ids.
    pub fn members(&self) -> &[Mongod] {
        &self.members
    }

    /// One member.
    #[track_caller]
    pub fn member(&self, index: usize) -> &Mongod {
        &self.members[index]
    }

    /// Waits until there is a primary among the members that answer, and tells which.
    #[track_caller]
    pub fn primary_index(&self) -> usize {
        self.wait_for_primary(|_| true)
    }

    /// Has the primary step down, waits for another one and tells which.
    #[track_caller]
    pub fn step_down(&self) -> usize {
        let former = self.primary_index();
        let client = self.members[former].client();
        client.run("admin", doc! { "replSetStepDown": 60, "secondaryCatchUpPeriodSecs": 10 });
        client.close();
        self.wait_for_primary(|index| index != former)
    }

    /// Starts a killed member again and waits until it takes part.
    #[track_caller]
    pub fn restart(&self, index: usize) {
        let member = &self.members[index];
        member.kill();
        member.spawn();
        member.wait_until_listening();
        wait_until_it_takes_part(member);
    }

    /// Waits until every member takes part and one of them is the primary.
    #[track_caller]
    pub fn wait_until_whole(&self) {
        self.members.iter().for_each(wait_until_it_takes_part);
        self.primary_index();
    }

    #[track_caller]
    fn wait_for_primary(&self, wanted: impl Fn(usize) -> bool) -> usize {
        // The set's own client finds the primary without waiting for members that are frozen or gone.
        let client = self.client();
        let found = eventually(ELECTION, "a primary", || {
            let hello = client.hello()?;
            let index = self.members.iter().position(|member| member.host() == hello.me)?;
            (hello.role == Role::Primary && wanted(index)).then_some(index)
        });
        client.close();
        found
    }
}

#[track_caller]
fn wait_until_it_takes_part(member: &Mongod) {
    member.wait_for_role("a member that takes part", |role| role != Role::Other);
}
