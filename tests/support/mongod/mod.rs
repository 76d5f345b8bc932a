//! A real `mongod`, as a replica set of one or more members, in a throwaway directory.
//!
//! - A [`Mongod`] that is dropped is dead and its directory gone, also when it was frozen.
//! - A server that was killed keeps its data and its port.
//! - Whoever gets a started server can write to it.

mod binary;
mod builder;
mod fetch;
mod replica_set;
mod server;
mod shared;

pub use binary::mongod_binary;
pub use builder::Builder;
pub use replica_set::ReplicaSet;
pub use server::Mongod;
pub use shared::{fresh_database, shared_mongod};
