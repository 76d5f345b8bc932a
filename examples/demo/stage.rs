//! What the story is played with: an application, a MongoDB and the daemon between them.

use std::time::Duration;

use mongodb::bson::doc;
use serde_json::Value;
use tempfile::TempDir;

use crate::pace::Pace;
use crate::support::daemon::{Daemon, Line, Mark};
use crate::support::guardian;
use crate::support::mongod::Mongod;
use crate::support::sqlite::{App, TABLE};
use crate::support::wait::poll;
use crate::tell::{Story, aside, count, expect, field, number};

const DATABASE: &str = "inquiryassistant";
/// For anything that takes longer, something is wrong.
const DEADLINE: Duration = Duration::from_secs(60);
/// At least this part of the rows lies between two lines about progress.
const PROGRESS_LINES: u64 = 5;

/// Rows that the application wrote.
pub(crate) struct Written {
    /// By people who hadn't asked before: these are to arrive.
    pub(crate) new: u64,
    /// By people who had asked before: these are to be left out.
    pub(crate) duplicates: u64,
}

impl Written {
    fn all(&self) -> u64 {
        self.new + self.duplicates
    }

    /// All of them, as text.
    pub(crate) fn rows(&self) -> String {
        count(self.all())
    }

    /// The duplicates, as text.
    pub(crate) fn again(&self) -> String {
        count(self.duplicates)
    }
}

/// Everything that takes part.
pub(crate) struct Stage {
    /// Dropped first: nobody reads or writes any more when the others go.
    pub(crate) daemon: Daemon,
    pub(crate) mongod: Mongod,
    pub(crate) app: App,
    _directory: TempDir,
}

impl Stage {
    /// Nothing runs yet but the application, and its table is empty.
    pub(crate) fn set(pace: &Pace) -> Self {
        let directory =
            tempfile::Builder::new().prefix("mongo-uplink-demo-").tempdir().expect("a temporary directory");
        guardian::watch(directory.path());
        let app = App::create(directory.path());
        let mongod = Mongod::reserve();
        let daemon = Daemon::builder(app.path(), &mongod.uri())
            .set("mongodb.database", DATABASE)
            // The daemon tells of failed probes more and more rarely; the story wants each of them.
            .set("log.filter", "info,mongo_uplink=debug")
            .set("probe.initial_interval", pace.initial_interval)
            .set("probe.max_interval", pace.max_interval)
            .prepare();
        Self { daemon, mongod, app, _directory: directory }
    }

    /// The application writes rows, the last ones by people who had asked before.
    pub(crate) fn write(&mut self, rows: u32, duplicates: u32) -> Written {
        self.app.insert_inquiries(rows - duplicates);
        self.app.insert_duplicates(duplicates);
        Written { new: u64::from(rows - duplicates), duplicates: u64::from(duplicates) }
    }

    /// Shows failed probes until the one with this number.
    pub(crate) fn show_probes(&self, story: &Story, last: u64) -> Result<(), String> {
        let (mut read, mut seen) = (0, 0);
        poll(DEADLINE, || {
            for line in self.daemon.log().all().iter().skip(read) {
                read += 1;
                seen = seen.max(show_probe(story, line));
            }
            (seen >= last).then_some(())
        })
        .ok_or_else(|| format!("after {DEADLINE:?} only {seen} probes had failed"))
    }

    /// Waits until the daemon has found MongoDB.
    pub(crate) fn wait_connected(&self, story: &Story, since: Mark) {
        self.daemon.wait_log_after(since, "connectivity_restored");
        story.line("the daemon found it by itself");
    }

    /// Shows progress until all rows have their outcome, and gives the ids of the exports that did it.
    pub(crate) fn show_export(
        &self,
        story: &Story,
        since: Mark,
        written: &Written,
    ) -> Result<Vec<String>, String> {
        let step = (written.all() / PROGRESS_LINES).max(1);
        let mut shown = 0;
        let finished = poll(DEADLINE, || {
            let status = self.daemon.status();
            let processed = status["processed_records"].as_u64().unwrap_or(0);
            if status["status"] == "running" && processed >= shown + step {
                shown = processed;
                story.line(&format!("{} of {}", aligned(&status["processed_records"]), total(&status)));
            }
            let runs = self.completed_since(since);
            (runs.written >= written.new && runs.skipped >= written.duplicates).then_some(runs)
        });
        let Some(runs) = finished else {
            return Err(format!("not all rows were exported within {DEADLINE:?}: {}", self.daemon.status()));
        };
        expect("rows written", runs.written, written.new)?;
        expect("rows refused", runs.failed, 0)?;
        story.line(&format!("{:>7} written", count(runs.written)));
        story.line(&format!("{:>7} left out as duplicates", count(runs.skipped)));
        Ok(runs.ids)
    }

    fn completed_since(&self, since: Mark) -> Runs {
        let mut runs = Runs::default();
        for line in self.daemon.log().since(since) {
            if line.event() == Some("export_completed") {
                runs.written += number(&line, "successful");
                runs.skipped += number(&line, "skipped");
                runs.failed += number(&line, "failed");
                runs.ids.push(field(&line, "export_id"));
            }
        }
        runs
    }

    /// Counts what is in the collection.
    pub(crate) fn expect_documents(&self, story: &Story, expected: u64) -> Result<(), String> {
        let mongo = self.mongod.client();
        let found = mongo.count(DATABASE, TABLE);
        mongo.close();
        expect("documents in MongoDB", found, expected)?;
        story.line(&format!("{:>7} documents in MongoDB, as expected", count(found)));
        Ok(())
    }

    /// Shows some of the first row's document as it is in MongoDB.
    pub(crate) fn show_document(&self, story: &Story) -> Result<(), String> {
        let mongo = self.mongod.client();
        let found = mongo.find(DATABASE, TABLE, doc! { "export_metadata.original_sqlite_id": "1" });
        mongo.close();
        let document = found.first().ok_or("the first row has no document")?;
        story.line("the first of them, read back:");
        for key in ["_id", "id", "firstName", "mobile", "created_at"] {
            let value = document.get(key).map(ToString::to_string).unwrap_or_default();
            aside(&format!("{key:>16}  {value}"));
        }
        let metadata = document.get_document("export_metadata").map_err(|error| error.to_string())?;
        aside(&format!("{:>16}", "export_metadata"));
        for key in ["exported_at", "original_sqlite_id", "export_version", "export_id"] {
            let value = metadata.get(key).map(ToString::to_string).unwrap_or_default();
            aside(&format!("{key:>20}  {value}"));
        }
        Ok(())
    }

    /// How many documents were written by other exports than these.
    pub(crate) fn documents_of_later_runs(&self, runs: &[String]) -> u64 {
        let mongo = self.mongod.client();
        let found =
            mongo.count_where(DATABASE, TABLE, doc! { "export_metadata.export_id": { "$nin": runs } });
        mongo.close();
        found
    }
}

/// Exports that completed, taken together.
#[derive(Default)]
struct Runs {
    written: u64,
    skipped: u64,
    failed: u64,
    ids: Vec<String>,
}

/// Shows a failed probe and gives its number; 0 for any other line.
fn show_probe(story: &Story, line: &Line) -> u64 {
    let reason = || field(line, "reason");
    match line.event() {
        // The first one: it makes the difference between not knowing and knowing.
        Some("connectivity_lost") => {
            story.line(&format!("probe  1: {}", reason()));
            1
        }
        Some("probe_failed") => {
            let attempt = number(line, "attempts");
            let delay = Duration::from_millis(number(line, "next_in_ms")).as_secs_f64();
            story.line(&format!("probe {attempt:>2}: {}, next in {delay:4.2} s", reason()));
            attempt
        }
        _ => 0,
    }
}

fn aligned(value: &Value) -> String {
    format!("{:>7}", count(value.as_u64().unwrap_or(0)))
}

fn total(status: &Value) -> String {
    count(status["total_records"].as_u64().unwrap_or(0))
}
