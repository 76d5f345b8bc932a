//! Resident memory: the peak of an export, of rows of a megabyte, and what is left when the daemon is idle.

use std::time::Duration;

use crate::arguments::Arguments;
use crate::figures::Bar;
use crate::place::Place;
use crate::report::Report;
use crate::support::mongod::Mongod;
use crate::support::wait::poll;
use crate::table::Table;
use crate::uplink::Uplink;

/// The size of the table. A second one is asked for by `--rows 1000000,5000000`.
const SIZES: [u32; 1] = [1_000_000];

/// Rows of a megabyte: a few batches, as bytes count too.
const LARGE_ROWS: u32 = 100;
const LARGE_ROW: usize = 1024 * 1024;

/// After an export, once its connections are closed, memory is given back within this time.
const SETTLED: Duration = Duration::from_secs(15);

pub(crate) fn measure(mongod: &Mongod, arguments: &Arguments, report: &mut Report) {
    report.heading("Memory");
    let batch = arguments.batches.iter().copied().max().unwrap_or(1_000);
    let mut peaks: Vec<(u32, f64)> = Vec::new();
    for rows in arguments.rows(&SIZES) {
        let table = Table::write(rows);
        let peak = export(mongod, &table, batch, &format!("{rows} rows in batches of {batch}"), report);
        peaks.push((rows, peak));
    }
    if let [(less, before), .., (more, after)] = peaks[..] {
        let what = format!("peak of {more} rows / of {less}");
        report.bar(&what, after / before, Bar::AtMost(1.1));
    }
    let table = Table::of_large_rows(LARGE_ROWS, LARGE_ROW);
    export(mongod, &table, batch, &format!("{LARGE_ROWS} rows of 1 MiB"), report);
}

/// Exports the table twice with a fresh daemon; tells and answers the peak.
fn export(mongod: &Mongod, table: &Table, batch: u16, what: &str, report: &mut Report) -> f64 {
    let place = Place::new(mongod);
    let daemon = Uplink::settings(table.path(), &mongod.uri(), &place)
        .set("export.batch_size", batch)
        .set("mongodb.idle_disconnect", "1s")
        .start();
    let uplink = Uplink { daemon };
    report.figure(&format!("{what}: before the first export"), &[uplink.resident_mib()], "MiB");
    let first = uplink.wait_completed(None);
    assert_eq!(first.written, table.distinct);
    let peak = uplink.peak_mib();
    let idle = uplink.settled_mib(SETTLED);
    uplink.export(batch);
    report.bar(&format!("{what}: peak of the first export, MiB"), peak, Bar::AtMost(40.0));
    report.figure(&format!("{what}: peak after a second one"), &[uplink.peak_mib()], "MiB");
    report.bar(&format!("{what}: idle after the first, MiB"), idle, Bar::AtMost(10.0));
    report.figure(&format!("{what}: idle after the second"), &[uplink.settled_mib(SETTLED)], "MiB");
    peak
}

impl Uplink {
    /// Resident memory now.
    fn resident_mib(&self) -> f64 {
        mib(self.daemon.rss_kib())
    }

    /// The most that was resident since the start.
    pub(crate) fn peak_mib(&self) -> f64 {
        mib(crate::support::usage::peak_kib(self.daemon.pid()))
    }

    /// The least that is resident within this time from now.
    fn settled_mib(&self, within: Duration) -> f64 {
        let mut least = f64::INFINITY;
        poll(within, || {
            least = least.min(self.resident_mib());
            None::<()>
        });
        least
    }
}

#[expect(clippy::cast_precision_loss, reason = "no memory comes near 2^52 KiB")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
