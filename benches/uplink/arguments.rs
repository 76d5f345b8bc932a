//! What is to be measured.

use std::path::{PathBuf, absolute};
use std::str::FromStr;
use std::time::Duration;

/// How it is called.
pub(crate) const USAGE: &str = "\
usage: cargo bench [-- [PART ...] [--quick] [--rows N,N,...] [--batch N,N] [--rounds N] [--minutes N]
                        [--delay N] [--program PATH]]
parts: throughput latency memory start (these four if none is named) idle order
  --quick     small tables, few rounds: whether everything runs, not how fast it is
  --rows      sizes of the table (throughput: 10000,100000,1000000; memory: 1000000)
  --batch     sizes of a batch, 1 to 1000 (100,1000)
  --rounds    rounds of each size, instead of fewer for larger tables
  --minutes   how long an idle daemon is watched, for each of its two states (5)
  --delay     how far away the server of latency is: milliseconds there and back (100)
  --program   the daemon's program, instead of the one that is built beside this: an older one, or one as it is
              installed, without what the benchmark needs of the libraries";

/// One thing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Throughput,
    Latency,
    Memory,
    Start,
    Idle,
    /// Measures nothing: writes down what the linker puts side by side.
    Order,
}

/// The command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) parts: Vec<Part>,
    pub(crate) quick: bool,
    rows: Option<Vec<u32>>,
    pub(crate) batches: Vec<u16>,
    rounds: Option<u32>,
    pub(crate) watched: Duration,
    /// There and back.
    pub(crate) delay: Duration,
    /// The daemon's.
    pub(crate) program: Option<PathBuf>,
}

impl Arguments {
    /// Reads the command line; the error says what is wrong with it.
    pub(crate) fn read(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut read = Self {
            parts: Vec::new(),
            quick: false,
            rows: None,
            batches: vec![100, 1_000],
            rounds: None,
            watched: Duration::from_secs(300),
            delay: Duration::from_millis(100),
            program: None,
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                // Cargo says it to every benchmark.
                "--bench" => {}
                "--quick" => read.quick = true,
                "--rows" => read.rows = Some(numbers(&value()?, 10, 100_000_000)?),
                "--batch" => read.batches = numbers(&value()?, 1, 1_000)?,
                "--rounds" => read.rounds = Some(number(&value()?, 1, 1_000)?),
                "--minutes" => read.watched = Duration::from_secs(60 * number::<u64>(&value()?, 1, 1_440)?),
                "--delay" => read.delay = Duration::from_millis(number(&value()?, 1, 10_000)?),
                "--program" => read.program = Some(program(&value()?)?),
                "throughput" => read.parts.push(Part::Throughput),
                "latency" => read.parts.push(Part::Latency),
                "memory" => read.parts.push(Part::Memory),
                "start" => read.parts.push(Part::Start),
                "idle" => read.parts.push(Part::Idle),
                "order" => read.parts.push(Part::Order),
                other => return Err(format!("there is no {other:?}")),
            }
        }
        if read.parts.is_empty() {
            read.parts = vec![Part::Throughput, Part::Latency, Part::Memory, Part::Start];
        }
        Ok(read)
    }

    /// The sizes of the table; `usual` unless others were asked for.
    pub(crate) fn rows(&self, usual: &[u32]) -> Vec<u32> {
        let usual = if self.quick { vec![10_000] } else { usual.to_vec() };
        self.rows.clone().unwrap_or(usual)
    }

    /// Rounds for a table of so many rows.
    pub(crate) fn rounds(&self, rows: u32) -> u32 {
        let usual = match rows {
            _ if self.quick => 1,
            0..=50_000 => 5,
            50_001..=500_000 => 5,
            _ => 1,
        };
        self.rounds.unwrap_or(usual)
    }
}

/// The daemon is started in a directory of its own.
fn program(path: &str) -> Result<PathBuf, String> {
    absolute(path).ok().filter(|path| path.is_file()).ok_or_else(|| format!("there is no program {path:?}"))
}

fn numbers<T: FromStr + PartialOrd + Copy>(text: &str, least: T, most: T) -> Result<Vec<T>, String> {
    text.split(',').map(|part| number(part, least, most)).collect()
}

fn number<T: FromStr + PartialOrd>(text: &str, least: T, most: T) -> Result<T, String> {
    text.parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("{text:?} is no number that goes here"))
}
