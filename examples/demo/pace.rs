//! How much is shown, and how fast.

use std::io::{IsTerminal, stdin};

/// The numbers of the story.
pub(crate) struct Pace {
    /// Rows written before MongoDB is there, duplicates included.
    pub(crate) rows: u32,
    /// Of these: rows by people who had asked before.
    pub(crate) duplicates: u32,
    /// Rows written while MongoDB is away again, duplicates included.
    pub(crate) more_rows: u32,
    /// Of these: rows by people who had asked before.
    pub(crate) more_duplicates: u32,
    /// Until which failed probe in a row the story goes on without MongoDB.
    pub(crate) probes: u64,
    /// `probe.initial_interval`.
    pub(crate) initial_interval: &'static str,
    /// `probe.max_interval`.
    pub(crate) max_interval: &'static str,
    /// Whether somebody is there to try the API by hand.
    pub(crate) waits_for_audience: bool,
}

impl Pace {
    /// Reads the command line; the error is how to use it.
    pub(crate) fn from_arguments(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut quick = false;
        for argument in arguments {
            match argument.as_str() {
                "--quick" => quick = true,
                _ => return Err(format!("unknown argument {argument:?}; usage: demo [--quick]")),
            }
        }
        Ok(if quick { Self::quick() } else { Self::told() })
    }

    fn told() -> Self {
        Self {
            rows: 5_000,
            duplicates: 250,
            more_rows: 500,
            more_duplicates: 20,
            probes: 5,
            initial_interval: "250ms",
            max_interval: "3s",
            waits_for_audience: stdin().is_terminal(),
        }
    }

    fn quick() -> Self {
        Self {
            rows: 1_000,
            duplicates: 50,
            more_rows: 100,
            more_duplicates: 5,
            probes: 3,
            initial_interval: "50ms",
            max_interval: "500ms",
            waits_for_audience: false,
        }
    }
}
