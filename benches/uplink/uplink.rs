//! The daemon itself, timed by what it tells of its exports: its start isn't counted.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::place::Place;
use crate::support::daemon::{Builder, Daemon, daemon_binary};
use crate::support::wait::poll;
use crate::table::PATIENCE;

/// How often it is asked whether its export has ended; how long that took it tells itself.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// The program that is measured, if it isn't the one that is built beside this.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Another program is to be measured; once.
pub(crate) fn measure_program(path: PathBuf) {
    PROGRAM.set(path).expect("it is said once");
}

/// The program that is measured.
pub(crate) fn program() -> PathBuf {
    PROGRAM.get().cloned().unwrap_or_else(daemon_binary)
}

/// A daemon that exports only when it is told to.
pub(crate) struct Uplink {
    pub(crate) daemon: Daemon,
}

/// An export that went through.
pub(crate) struct Export {
    pub(crate) took: Duration,
    pub(crate) written: u64,
    pub(crate) skipped: u64,
}

impl Uplink {
    /// Its settings for a table and a place in MongoDB.
    pub(crate) fn settings(table: &Path, uri: &str, place: &Place) -> Builder {
        Daemon::builder(table, uri)
            .program(program())
            .set("mongodb.database", place.database.as_str())
            // What an operator of a slow line would set; nothing waits for it otherwise.
            .set("mongodb.operation_timeout", "60s")
            .set("probe.timeout", "20s")
    }

    /// Starts one that waits to be told, and has found MongoDB.
    pub(crate) fn start(table: &Path, uri: &str, place: &Place) -> Self {
        let daemon = Self::settings(table, uri, place).set("export.automatic", false).start();
        let uplink = Self { daemon };
        uplink.wait_online();
        uplink
    }

    fn wait_online(&self) {
        let online = poll(Duration::from_secs(60), || {
            let state = self.daemon.get("/api/export/connectivity").1["data"]["state"].take();
            (state == "online").then_some(())
        });
        assert!(online.is_some(), "the daemon doesn't find MongoDB; log:\n{}", self.daemon.log().tail());
    }

    /// One manual export, from its start to its end as the daemon tells them.
    pub(crate) fn export(&self, batch: u16) -> Export {
        let path = format!("/api/export/sqlite-to-mongodb?batch_size={batch}&skip_duplicates=true");
        let (code, started) = self.daemon.post(&path);
        assert_eq!(code, 200, "{started}");
        self.wait_completed(started["data"]["export_id"].as_str())
    }

    /// Waits until an export is completed, this one if it is named.
    pub(crate) fn wait_completed(&self, id: Option<&str>) -> Export {
        let mut last = Value::Null;
        let ended = poll(PATIENCE, || {
            // Who asks all the time is a part of what is measured.
            poll(BETWEEN_LOOKS, || None::<()>);
            last = self.daemon.status();
            let ours = id.is_none_or(|id| last["export_id"] == id);
            (ours && (last["status"] == "completed" || last["status"] == "failed")).then_some(())
        });
        assert!(
            ended.is_some() && last["status"] == "completed",
            "{last}; log:\n{}",
            self.daemon.log().tail()
        );
        Export {
            took: moment(&last["end_time"]).saturating_sub(moment(&last["start_time"])),
            written: last["successful_records"].as_u64().unwrap_or(0),
            skipped: last["skipped_records"].as_u64().unwrap_or(0),
        }
    }
}

/// A time of the daemon as time since the epoch, to the millisecond.
fn moment(value: &Value) -> Duration {
    let text = value.as_str().expect("an export that has ended has both times");
    let time: jiff::Timestamp = text.parse().expect("times are RFC 3339");
    Duration::from_millis(time.as_millisecond().unsigned_abs())
}
