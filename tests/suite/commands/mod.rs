//! The commands of the program, with the daemon and without.

mod export;
mod manual;
mod status;

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
