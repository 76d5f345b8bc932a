//! A server that is far away: 100 ms there and back unless told otherwise, through the delaying proxy.

use crate::arguments::Arguments;
use crate::ceiling::{self, Documents};
use crate::figures::{Bar, median, rate};
use crate::place::Place;
use crate::report::Report;
use crate::support::mongod::Mongod;
use crate::support::proxy::Proxy;
use crate::table::Table;
use crate::uplink::Uplink;

/// How many batches the ceiling has in flight: what gains nothing more on a server nearby, and twice as many.
const IN_FLIGHT: [u32; 2] = [4, 8];

pub(crate) fn measure(mongod: &Mongod, arguments: &Arguments, report: &mut Report) {
    for &batch in &arguments.batches {
        // Some dozens of round trips.
        let rows = if arguments.quick { u32::from(batch) * 20 } else { u32::from(batch) * 100 };
        report.heading(&format!(
            "A server {} ms away: {rows} rows in batches of {batch}",
            arguments.delay.as_millis()
        ));
        let table = Table::write(rows);
        let (documents, indexes) = {
            let place = Place::new(mongod);
            Uplink::start(table.path(), &mongod.uri(), &place).export(batch);
            (Documents::new(place.read_back()), place.indexes())
        };
        let mut ceilings: Vec<Vec<f64>> = vec![Vec::new(); IN_FLIGHT.len()];
        let (mut first, mut anew, mut again, mut peaks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let proxy = Proxy::start(mongod.port());
        proxy.delay(arguments.delay / 2);
        for _ in 0..if arguments.quick { 1 } else { arguments.rounds(rows).min(3) } {
            for (flights, rates) in IN_FLIGHT.iter().zip(&mut ceilings) {
                let place = Place::with_indexes(mongod, &indexes);
                let took = ceiling::insert(&proxy.uri(), &place, &documents, batch, *flights);
                rates.push(rate(table.rows, took));
            }
            for (place, rates) in
                [(Place::with_indexes(mongod, &indexes), &mut first), (Place::new(mongod), &mut anew)]
            {
                let uplink = Uplink::start(table.path(), &proxy.uri(), &place);
                rates.push(rate(table.rows, uplink.export(batch).took));
                peaks.push(uplink.peak_mib());
                again.push(rate(table.rows, uplink.export(batch).took));
                assert_eq!(place.documents(), table.distinct);
            }
        }
        for (flights, rates) in IN_FLIGHT.iter().zip(&ceilings) {
            report.figure(&format!("(a) the ceiling, {flights} in flight"), rates, "rows/s");
        }
        report.figure("(b) the daemon, first export", &first, "rows/s");
        report.figure("(b) the same, the collection and its indexes made by it, too", &anew, "rows/s");
        report.figure("(c) the daemon, everything there already", &again, "rows/s");
        report.figure("the daemon's peak of memory", &peaks, "MiB");
        let middle = |rates: &[f64]| median(rates).unwrap_or(f64::NAN);
        for (flights, rates) in IN_FLIGHT.iter().zip(&ceilings) {
            let (what, ratio) =
                (format!("(b) / (a) with {flights} in flight"), middle(&first) / middle(rates));
            report.figure(&what, &[ratio], "");
        }
        let best = ceilings.iter().map(|rates| middle(rates)).fold(f64::NAN, f64::max);
        report.bar("(b) / (a) with the best number in flight", middle(&first) / best, Bar::AtLeast(0.8));
        report.bar("the same, the collection made by it, too", middle(&anew) / best, Bar::AtLeast(0.8));
    }
}
