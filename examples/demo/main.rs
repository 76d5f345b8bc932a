//! A demonstration on this machine alone: rows are written while MongoDB is away, and arrive when it comes.
//!
//! `cargo run --example demo` tells the story and then waits for curl; `-- --quick` tells it shorter and ends.
//! Nothing needs to be installed or to run beforehand. Whatever it starts and writes is gone when it ends, however
//! it ends. It fails, with an exit code, if any number isn't the one expected.

mod audience;
mod pace;
mod program;
mod stage;
mod tell;

#[expect(dead_code, unused_imports, reason = "the story needs a part of what the tests stand on")]
#[path = "../../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;

use crate::pace::Pace;
use crate::stage::Stage;
use crate::tell::{Story, count};

fn main() -> ExitCode {
    let pace = match Pace::from_arguments(std::env::args().skip(1)) {
        Ok(pace) => pace,
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::from(64);
        }
    };
    match perform(&pace) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            println!("\nNot as promised: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn perform(pace: &Pace) -> Result<(), String> {
    println!("mongo-uplink: rows of a SQLite table reach MongoDB whenever it can be reached.");
    println!("Everything here runs on 127.0.0.1 and is removed at the end.");
    program::build("demo")?;
    let mut stage = Stage::set(pace);
    let story = Story::begin();

    story.chapter("The application writes, and MongoDB is away");
    let first = stage.write(pace.rows, pace.duplicates);
    story.line(&format!(
        "{} inquiries in SQLite, {} by people who had asked before",
        first.rows(),
        first.again()
    ));
    stage.daemon.start();
    story.line(&format!(
        "the daemon runs and answers on {}; nothing listens on MongoDB's port",
        stage.daemon.address()
    ));
    stage.show_probes(&story, pace.probes)?;

    story.chapter("MongoDB starts");
    let before = stage.daemon.log().mark();
    stage.mongod.launch();
    story.line("MongoDB takes writes; nobody tells the daemon");
    stage.wait_connected(&story, before);
    let runs = stage.show_export(&story, before, &first)?;
    stage.expect_documents(&story, first.new)?;
    stage.show_document(&story)?;

    story.chapter("MongoDB is killed, and the application goes on writing");
    let before = stage.daemon.log().mark();
    stage.mongod.kill();
    story.line("MongoDB is gone (kill -9)");
    let second = stage.write(pace.more_rows, pace.more_duplicates);
    story.line(&format!(
        "{} more inquiries, {} by people who had asked before",
        second.rows(),
        second.again()
    ));
    let lost = stage.daemon.wait_log_after(before, "connectivity_lost");
    story.line(&format!("the daemon noticed: {}", tell::field(&lost, "reason")));

    story.chapter("MongoDB comes back");
    let before = stage.daemon.log().mark();
    stage.mongod.launch();
    story.line("MongoDB takes writes again");
    stage.wait_connected(&story, before);
    stage.show_export(&story, before, &second)?;
    stage.expect_documents(&story, first.new + second.new)?;
    let arrived = stage.documents_of_later_runs(&runs);
    tell::expect("documents that arrived since", arrived, second.new)?;
    story.line(&format!("only the {} new ones were written, none a second time", count(arrived)));

    if pace.waits_for_audience {
        story.chapter("Your turn");
        audience::invite(&stage);
    }

    story.chapter("The end");
    let status = stage.daemon.terminate();
    if !status.success() {
        return Err(format!("the daemon ended by {status} after SIGTERM"));
    }
    story.line("the daemon stopped in good order; all is removed");
    Ok(())
}
