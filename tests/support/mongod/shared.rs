//! One server for all tests of a process that don't break it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Mongod;

/// The server that tests share. Freeze, kill and restart one of your own; here, keep to a
/// [`fresh_database`]. It is cleaned up by the guardian, since a static is never dropped.
#[track_caller]
pub fn shared_mongod() -> &'static Mongod {
    static SHARED: OnceLock<Mongod> = OnceLock::new();
    SHARED.get_or_init(Mongod::start)
}

/// The name of a database that nobody else on the shared server uses. `test` makes it recognizable.
pub fn fresh_database(test: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    // The server refuses names of more than 63 bytes.
    let test: String = test.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    format!("{test}_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
