//! The commands of the program, with the daemon and without.

mod check;
mod export;
mod manual;
mod rollback;
mod status;
mod verify;

use std::process::Output;

use serde_json::Value;

use crate::scene::Scene;
use crate::support::daemon::{Builder, Daemon};
use crate::support::ports;

/// What a command said, and its exit code.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs a command with the daemon's configuration.
#[track_caller]
fn run(daemon: &Daemon, arguments: &[&str]) -> Said {
    Said::of(daemon.command().args(arguments).output().expect("the program starts"))
}

/// A daemon at a port that commands can know before it runs.
fn at_a_port(scene: &Scene) -> Builder {
    scene.daemon().set("http.listen", format!("127.0.0.1:{}", ports::free()))
}

/// Makes an export without the daemon; its id.
#[track_caller]
fn export(daemon: &Daemon, arguments: &[&str]) -> String {
    let said = run(daemon, &[&["export"], arguments].concat());
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    let line = said.out.lines().rev().nth(1).expect("what became of it");
    line.split(':').next().expect("an id").to_owned()
}
