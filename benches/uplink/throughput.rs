//! How many rows a second: the daemon against what the driver reaches at best, a plain loop and `mongoimport`.
//!
//! Every rate is in rows of the table a second, until everything that belongs there is in the collection. The ceiling
//! and `mongoimport` don't have to find out which rows are duplicates: the one is given none, the other inserts all.

use std::time::Duration;

use mongodb::bson::Document;

use crate::arguments::Arguments;
use crate::ceiling::{self, Documents};
use crate::comparison;
use crate::figures::{Bar, median, rate};
use crate::mongoimport::{self, Lines, Mode};
use crate::place::Place;
use crate::plain;
use crate::report::Report;
use crate::support::mongod::Mongod;
use crate::support::usage::cpu_time;
use crate::table::Table;
use crate::uplink::Uplink;

/// The sizes of the table.
const SIZES: [u32; 3] = [10_000, 100_000, 1_000_000];

/// How many batches the ceiling is tried with at the same time.
const IN_FLIGHT: [u32; 4] = [1, 2, 4, 8];

/// The size at which the slow ones are measured, too, and the best number in flight is looked for.
const MIDDLE: u32 = 100_000;

/// Rows that the plain loop and upserts are given: they would take minutes.
const SAMPLE: u32 = 2_000;

/// Everything for one size.
struct Case<'a> {
    mongod: &'a Mongod,
    table: Table,
    made: Option<Made>,
    others: bool,
    /// If `mongoimport` is there: all rows, and a sample of them.
    lines: Option<(Lines, Lines)>,
}

/// What the daemon made.
struct Made {
    documents: Documents,
    indexes: Vec<Document>,
}

/// Seconds, in rounds.
#[derive(Default)]
struct Times {
    ceiling: Vec<Duration>,
    first: Vec<Duration>,
    again: Vec<Duration>,
    compared: Vec<Duration>,
    plain: Vec<Duration>,
    import: Vec<Duration>,
    upsert: Vec<Duration>,
    peak_mib: Vec<f64>,
    /// CPU time of the first export: the daemon's, the server's.
    cpu: Vec<(Duration, Duration)>,
    /// CPU time of the server under the ceiling.
    server: Vec<Duration>,
}

/// Measures all sizes with all batch sizes.
pub(crate) fn measure(mongod: &Mongod, arguments: &Arguments, report: &mut Report) {
    let mut sizes = arguments.rows(&SIZES);
    sizes.sort_unstable();
    let middle = sizes.iter().rev().find(|size| **size <= MIDDLE).or(sizes.first()).copied();
    let mut before: Vec<(u32, u16, Duration)> = Vec::new();
    let mut best: Vec<(u16, u32)> = Vec::new();
    if !mongoimport::is_there() {
        report.line("mongoimport isn't on the PATH: it is left out");
    }
    // The middle one first: it tells how many batches in flight are best for the ceiling.
    sizes.sort_by_key(|size| Some(*size) != middle);
    for rows in sizes {
        report.heading(&format!("Throughput, {rows} rows, of which one in ten is a duplicate"));
        let others = Some(rows) == middle;
        let lines =
            (others && mongoimport::is_there()).then(|| (Lines::write(rows), Lines::write(SAMPLE.min(rows))));
        let mut case = Case { mongod, table: Table::write(rows), made: None, others, lines };
        report.line(&format!("{} bytes a row in SQLite", case.table.bytes_a_row()));
        for &batch in &arguments.batches {
            let flights = best.iter().find(|(of, _)| *of == batch).map(|(_, best)| *best);
            let flights = flights.unwrap_or_else(|| {
                let found = case.best_in_flight(batch, report);
                best.push((batch, found));
                found
            });
            let times = case.rounds(batch, flights, arguments.rounds(rows));
            case.tell(&times, batch, flights, report);
            if let Some(took) = median_of(&times.first) {
                before.push((rows, batch, took));
            }
        }
    }
    linear(&before, report);
}

/// Ten times the rows, ten times the time.
fn linear(first: &[(u32, u16, Duration)], report: &mut Report) {
    report.heading("Growth");
    for (rows, batch, took) in first {
        let Some((_, _, less)) = first.iter().find(|(less, of, _)| *less == rows / 10 && of == batch) else {
            continue;
        };
        let what = format!("batch {batch}: time of {rows} rows / of {}", rows / 10);
        if *rows == 1_000_000 {
            report.bar(&what, took.as_secs_f64() / less.as_secs_f64(), Bar::AtMost(11.0));
        } else {
            report.figure(&what, &[took.as_secs_f64() / less.as_secs_f64()], "");
        }
    }
}

impl Case<'_> {
    /// Tries the ceiling with different numbers of batches in flight.
    fn best_in_flight(&mut self, batch: u16, report: &Report) -> u32 {
        let mut times = Times::default();
        if self.made.is_none() {
            self.uplink(batch, &mut times);
        }
        let mut found: Vec<(u32, Vec<f64>)> =
            IN_FLIGHT.iter().map(|flights| (*flights, Vec::new())).collect();
        for _ in 0..3 {
            for (flights, rates) in &mut found {
                let took = self.ceiling(batch, *flights).0;
                rates.push(rate(self.table.rows, took));
            }
        }
        for (flights, rates) in &found {
            report.figure(&format!("the ceiling, batches of {batch}, {flights} in flight"), rates, "rows/s");
        }
        let key = |rates: &[f64]| median(rates).unwrap_or(0.0);
        found.iter().max_by(|a, b| key(&a.1).total_cmp(&key(&b.1))).map_or(4, |(flights, _)| *flights)
    }

    fn rounds(&mut self, batch: u16, flights: u32, rounds: u32) -> Times {
        let mut times = Times::default();
        for round in 0..rounds {
            // Whoever comes second finds another machine than who comes first: they take turns.
            let ceiling_first = round % 2 == 1 && self.made.is_some();
            if !ceiling_first {
                self.uplink(batch, &mut times);
            }
            let (took, server) = self.ceiling(batch, flights);
            times.ceiling.push(took);
            times.server.push(server);
            if ceiling_first {
                self.uplink(batch, &mut times);
            }
            if self.others {
                self.others(&mut times);
            }
        }
        times
    }

    fn ceiling(&self, batch: u16, flights: u32) -> (Duration, Duration) {
        let made = self.made.as_ref().expect("the daemon comes first");
        let place = Place::with_indexes(self.mongod, &made.indexes);
        let before = cpu_time(self.mongod.pid());
        let took = ceiling::insert(&self.mongod.uri(), &place, &made.documents, batch, flights);
        let server = cpu_time(self.mongod.pid()) - before;
        assert_eq!(place.documents(), made.documents.len(), "all documents are there");
        (took, server)
    }

    /// The daemon: first export, second one, automatic comparison.
    fn uplink(&mut self, batch: u16, times: &mut Times) {
        let place = Place::new(self.mongod);
        let uplink = Uplink::start(self.table.path(), &self.mongod.uri(), &place);
        let (pid, server) = (uplink.daemon.pid(), self.mongod.pid());
        let before = (cpu_time(pid), cpu_time(server));
        let first = uplink.export(batch);
        times.cpu.push((cpu_time(pid) - before.0, cpu_time(server) - before.1));
        let counted = (first.written, first.skipped, place.documents());
        let expected = (self.table.distinct, self.table.rows - self.table.distinct, self.table.distinct);
        assert_eq!(counted, expected, "written, skipped, documents");
        times.first.push(first.took);
        let again = uplink.export(batch);
        assert_eq!((again.written, again.skipped), (0, self.table.rows), "written, skipped");
        times.again.push(again.took);
        times.peak_mib.push(uplink.peak_mib());
        assert!(uplink.daemon.terminate().success());
        times.compared.push(comparison::compare(uplink.daemon.directory()));
        if self.made.is_none() {
            let documents = Documents::new(place.read_back());
            self.made = Some(Made { documents, indexes: place.indexes() });
        }
    }

    fn others(&self, times: &mut Times) {
        let made = self.made.as_ref().expect("the daemon comes first");
        let uri = self.mongod.uri();
        let place = || Place::with_indexes(self.mongod, &made.indexes);
        times.plain.push(plain::deliver(&uri, &place(), SAMPLE));
        if let Some((all, sample)) = &self.lines {
            times.import.push(all.import(&uri, &place(), Mode::Insert));
            times.upsert.push(sample.import(&uri, &place(), Mode::Upsert));
        }
    }

    fn tell(&self, times: &Times, batch: u16, flights: u32, report: &mut Report) {
        let rows = self.table.rows;
        let sample = u64::from(SAMPLE).min(rows);
        let tell = |what: &str, times: &[Duration], rows: u64| {
            let rates: Vec<f64> = times.iter().map(|took| rate(rows, *took)).collect();
            report.figure(what, &rates, "rows/s");
        };
        let bytes = self.made.as_ref().map_or(0, |made| made.documents.bytes_each());
        report.heading(&format!("  {rows} rows in batches of {batch}, {bytes} bytes a document"));
        tell(&format!("(a) the ceiling: insert_many, {flights} in flight"), &times.ceiling, rows);
        tell("(b) the daemon, first export", &times.first, rows);
        tell("(c) the daemon, everything there already", &times.again, rows);
        tell("(c2) the daemon, automatic comparison with the ledger", &times.compared, rows);
        tell("(d) a plain loop: find one, insert one", &times.plain, sample);
        tell("(e) mongoimport, insert", &times.import, rows);
        tell("(e) mongoimport, upsert", &times.upsert, sample);
        report.figure("the daemon's peak of memory", &times.peak_mib, "MiB");
        let micros = |cpu: Duration| cpu.as_secs_f64() * 1e6 / rows as f64;
        let of = |pick: fn(&(Duration, Duration)) -> Duration| {
            times.cpu.iter().map(|cpu| micros(pick(cpu))).collect::<Vec<f64>>()
        };
        report.figure("CPU a row, first export: the daemon", &of(|cpu| cpu.0), "µs");
        report.figure("CPU a row, first export: the server", &of(|cpu| cpu.1), "µs");
        let server: Vec<f64> = times.server.iter().map(|cpu| micros(*cpu)).collect();
        report.figure("CPU a row, the ceiling: the server", &server, "µs");

        let bar = if batch >= 1_000 { 0.85 } else { 0.75 };
        let ratio = |quick: &[Duration], slow: &[Duration]| {
            let ratios: Vec<f64> = quick
                .iter()
                .zip(slow)
                .map(|(quick, slow)| slow.as_secs_f64() / quick.as_secs_f64())
                .collect();
            median(&ratios)
        };
        // Medians of the ratios of each round: what slows the machine for a while slows both.
        if let Some(of_ceiling) = ratio(&times.first, &times.ceiling) {
            report.bar("(b) / (a)", of_ceiling, Bar::AtLeast(bar));
        }
        if let Some(again) = ratio(&times.again, &times.first) {
            report.bar("(c) / (b)", again, Bar::AtLeast(2.0));
        }
        if let Some(compared) = median_of(&times.compared) {
            report.bar("(c2), rows a second", rate(rows, compared), Bar::AtLeast(400_000.0));
        }
        let scaled = |times: &[Duration], of: u64| -> Vec<Duration> {
            times.iter().map(|took| took.mul_f64(rows as f64 / of as f64)).collect()
        };
        for (what, slow, bar) in [
            ("(b) / (d) plain loop", scaled(&times.plain, sample), 80.0),
            ("(b) / (e) mongoimport insert", times.import.clone(), 2.5),
            ("(b) / (e) mongoimport upsert", scaled(&times.upsert, sample), 12.0),
        ] {
            if let Some(ratio) = ratio(&times.first, &slow) {
                report.bar(what, ratio, Bar::AtLeast(bar));
            }
        }
    }
}

fn median_of(times: &[Duration]) -> Option<Duration> {
    let seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
    median(&seconds).map(Duration::from_secs_f64)
}
