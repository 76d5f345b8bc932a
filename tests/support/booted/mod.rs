//! A machine with a real systemd and a real journald, booted in half a second on the files of this host.
//!
//! - [`on_a_host_of_its_own`] gives a test a network with nothing but a loopback interface, and a disk; both, and
//!   whatever runs there, are gone with the test. Servers that the test starts are on the machine's network, too.
//! - A [`Machine`] sees this host's files, and writes to its own disk. [`Machine::cut_power`] ends everything in it at
//!   once; what is on the disk is there when it is booted again.
//! - None of the host's services runs in it: only systemd, journald, and what the test enables.
//! - Needs root, as it makes namespaces, mounts and control groups.

mod group;
mod host;
mod machine;

pub use host::{Host, on_a_host_of_its_own};
pub use machine::Machine;
