//! Which functions the daemon calls in its daily life, written down for the linker: `packaging/order.txt`, by which build.rs has
//! them put side by side.
//!
//! - The daemon is the real one, under valgrind, against real servers: with TLS and a login, and without either.
//! - Names of functions are kept without what a compiler makes of them anew: hashes, and marks of parts and copies.

mod day;
mod names;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use self::day::Kind;
use crate::report::Report;
use crate::support::certs::{Authority, Validity};
use crate::support::mongod::Mongod;
use crate::uplink;

/// Where they are written down.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/order.txt");

const HEAD: &str = "\
# The functions that a running daemon calls, for build.rs: as patterns, since hashes are others in each build.
# Made by cargo bench -- order --program PATH, of a release that keeps its names (CARGO_PROFILE_RELEASE_STRIP=none).
# A name that is no more costs nothing; a function that is missing costs an idle daemon 64 KiB. Another compiler may name all of
# them otherwise.
";

/// What isn't seen here and happens elsewhere: the hash by instructions that valgrind's processor lacks, and a log in text or to
/// the journal, from which the harness couldn't tell where the daemon listens.
const ELSEWHERE: [&str; 2] = ["_ZN4sha26sha256*", "_ZN12mongo_uplink9telemetry*"];

/// Lets the daemon live through a day of each kind and writes down what it called.
pub(crate) fn write(mongod: &Mongod, report: &Report) {
    report.heading("The functions that the daemon calls");
    let valgrind = Command::new("valgrind").arg("--version").output();
    assert!(valgrind.is_ok_and(|told| told.status.success()), "please install valgrind");
    let mut called = BTreeSet::new();
    let mut live = |mongod: &Mongod, kind| {
        for profile in day::live(mongod, &kind).profiles() {
            called.extend(names::called(&profile).iter().map(|name| names::pattern(name)));
        }
        assert!(
            called.len() > 1_000,
            "{} has no names of its functions: build it with CARGO_PROFILE_RELEASE_STRIP=none",
            uplink::program().display()
        );
    };
    live(mongod, Kind::Plain);
    let authority = Authority::new();
    let certificate = authority.issue("server", "IP:127.0.0.1", Validity::Now);
    let guarded = Mongod::builder()
        .with_tls(&certificate, &authority.ca_file())
        .arg("--tlsAllowConnectionsWithoutCertificates")
        .with_login()
        .start();
    live(&guarded, Kind::Careful);
    let names = ELSEWHERE.into_iter().chain(called.iter().map(String::as_str));
    let text = names.fold(HEAD.to_owned(), |text, name| text + name + "\n");
    fs::write(FILE, text).expect("a file of the project's own");
    report.line(&format!("{} names in {FILE}", called.len()));
}
