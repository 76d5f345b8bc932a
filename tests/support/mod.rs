//! What the integration tests and the demo stand on: real servers, a proxy that misbehaves, the application's
//! database and the daemon, each as a value that cleans up after itself.
//!
//! - Nothing outlives the process that started it, however that process ends: see [`guardian`].
//! - Nothing waits without a deadline, and nothing waits for time to pass: see [`wait`].
//! - Everything is synchronous and may be called from any test, an asynchronous one included: see [`runtime`].
//! - Everything listens on 127.0.0.1 only, and tests may run in parallel.

#![expect(unreachable_pub, reason = "a library in all but name: `pub` tells what tests may use")]

pub mod again;
pub mod booted;
pub mod browser;
pub mod certs;
pub mod daemon;
pub mod description;
pub mod dns;
pub mod guardian;
pub mod metrics;
pub mod mongo;
pub mod mongod;
pub mod package;
pub mod ports;
pub mod privilege;
pub mod proxy;
pub mod runtime;
pub mod sandbox;
pub mod sqlite;
pub mod talker;
pub mod usage;
pub mod wait;
