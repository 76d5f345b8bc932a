//! What an idle daemon costs its host: how often it wakes, and CPU time, with its connection open and without.

use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::figures::Bar;
use crate::place::Place;
use crate::report::Report;
use crate::support::mongod::Mongod;
use crate::support::usage::{Sleeps, cpu_time};
use crate::support::wait::poll;
use crate::table::Table;
use crate::uplink::Uplink;

/// A moment in which it is awake or not: each passes through a few threads.
const MOMENT: Duration = Duration::from_millis(500);

/// After an export everything comes to rest within this time.
const REST: Duration = Duration::from_secs(40);

pub(crate) fn measure(mongod: &Mongod, arguments: &Arguments, report: &mut Report) {
    let watched = if arguments.quick { Duration::from_secs(20) } else { arguments.watched };
    for (what, idle_disconnect, bar) in [("its connection open", "24h", 5.0), ("disconnected", "1s", 0.1)] {
        report.heading(&format!("Idle with {what}, watched for {} s", watched.as_secs()));
        let (table, place) = (Table::write(1_000), Place::new(mongod));
        let daemon = Uplink::settings(table.path(), &mongod.uri(), &place)
            .set("mongodb.idle_disconnect", idle_disconnect)
            .start();
        let uplink = Uplink { daemon };
        uplink.wait_completed(None);
        poll(REST, || None::<()>);
        watch(uplink.daemon.pid(), watched, bar, report);
    }
}

fn watch(pid: u32, watched: Duration, bar: f64, report: &mut Report) {
    let (began, worked) = (Instant::now(), cpu_time(pid));
    let (mut moments, mut woken) = (0_u32, 0);
    while began.elapsed() < watched {
        let before = Sleeps::of(pid);
        poll(MOMENT, || None::<()>);
        let threads = Sleeps::of(pid).since(&before);
        moments += u32::from(threads > 0);
        woken += u32::try_from(threads).unwrap_or(u32::MAX);
    }
    let (took, worked) = (began.elapsed().as_secs_f64(), cpu_time(pid) - worked);
    report.figure("half seconds in which it was awake, a minute", &[f64::from(moments) * 60.0 / took], "");
    report.figure("CPU time, an hour", &[worked.as_secs_f64() * 3600.0 / took], "s");
    report.bar("wake-ups a second, over all threads", f64::from(woken) / took, Bar::AtMost(bar));
}
