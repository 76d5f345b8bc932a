//! From the program's start to its word that it is ready, with a ledger of a million rows.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::figures::{Bar, median};
use crate::place::Place;
use crate::report::Report;
use crate::support::mongod::Mongod;
use crate::table::{Table, scratch};
use crate::uplink::Uplink;

/// The size of the table.
const ROWS: u32 = 1_000_000;

/// Starts that are timed.
const STARTS: u32 = 15;

pub(crate) fn measure(mongod: &Mongod, arguments: &Arguments, report: &mut Report) {
    report.heading("Start");
    let rows = if arguments.quick { 10_000 } else { ROWS };
    let table = Table::write(rows);
    let place = Place::new(mongod);
    let (_directory, path) = scratch("notify");
    let socket = UnixDatagram::bind(&path).expect("our own directory");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a valid timeout");
    let path = path.to_str().expect("temporary files have readable names");
    let daemon = Uplink::settings(table.path(), &mongod.uri(), &place)
        .set("export.batch_size", 1_000)
        .env("NOTIFY_SOCKET", path)
        .prepare();
    daemon.start();
    let uplink = Uplink { daemon };
    uplink.wait_completed(None);
    let mut times = Vec::new();
    for _ in 0..STARTS {
        uplink.daemon.terminate();
        while socket.set_nonblocking(true).is_ok() && socket.recv(&mut [0; 4096]).is_ok() {}
        socket.set_nonblocking(false).expect("it was so before");
        let began = Instant::now();
        uplink.daemon.launch();
        times.push(ready(&socket, began).as_secs_f64() * 1e3);
    }
    report.figure(&format!("{STARTS} starts with a ledger of {rows} rows"), &times, "ms");
    let middle = median(&times).unwrap_or(f64::NAN);
    report.bar(&format!("start to READY with a ledger of {rows} rows, ms"), middle, Bar::AtMost(50.0));
}

/// Waits for the daemon's word.
fn ready(socket: &UnixDatagram, began: Instant) -> Duration {
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).expect("the daemon says that it is ready");
        if String::from_utf8_lossy(&buffer[..length]).lines().any(|line| line == "READY=1") {
            return began.elapsed();
        }
    }
}
