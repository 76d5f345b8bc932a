//! What the benchmark calculates with, and how it is called. It isn't run here: that takes minutes.

#[expect(dead_code, reason = "how it is called is told by the benchmark itself")]
#[path = "../../benches/uplink/arguments.rs"]
mod arguments;
#[path = "../../benches/uplink/figures.rs"]
mod figures;

use std::time::Duration;

use arguments::{Arguments, Part};
use figures::{Bar, Number, median, rate, spread};

#[test]
fn the_median_is_the_one_in_the_middle_whatever_the_order() {
    assert_eq!(median(&[]), None);
    assert_eq!(median(&[3.0]), Some(3.0));
    assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), Some(3.0));
}

#[test]
fn the_spread_is_a_part_of_the_median() {
    assert_eq!(spread(&[]), None);
    assert_eq!(spread(&[5.0]), Some(0.0));
    assert_eq!(spread(&[9.0, 10.0, 12.0]), Some(0.3));
}

#[test]
fn a_rate_is_rows_a_second() {
    assert!((rate(1_000, Duration::from_millis(250)) - 4_000.0).abs() < 1e-9);
}

#[test]
fn a_bar_is_met_on_the_line_and_never_by_what_is_no_number() {
    assert!(Bar::AtLeast(0.85).is_met_by(0.85) && !Bar::AtLeast(0.85).is_met_by(0.849));
    assert!(Bar::AtMost(11.0).is_met_by(11.0) && !Bar::AtMost(11.0).is_met_by(11.01));
    assert!(!Bar::AtLeast(0.0).is_met_by(f64::NAN) && !Bar::AtMost(0.0).is_met_by(f64::NAN));
    assert_eq!(Bar::AtLeast(400_000.0).to_string(), "at least 400,000");
}

#[test]
fn numbers_are_shown_as_they_are_read() {
    let shown = |number| Number(number).to_string();
    assert_eq!(shown(1_234_567.8), "1,234,568");
    assert_eq!(shown(999.96), "1000.0");
    assert_eq!(shown(12.34), "12.3");
    assert_eq!(shown(0.8567), "0.857");
    assert_eq!(format!("{:>8}", Number(1_000.0)), "   1,000");
}

fn read(line: &str) -> Result<Arguments, String> {
    Arguments::read(line.split_whitespace().map(str::to_owned))
}

#[test]
fn the_benchmark_measures_what_it_is_told() {
    let usual = read("--bench").expect("cargo says it");
    assert_eq!(usual.parts, [Part::Throughput, Part::Latency, Part::Memory, Part::Start]);
    assert_eq!(usual.rows(&[7]), [7]);
    assert_eq!(usual.batches, [100, 1_000]);
    let told = read("idle memory --rows 1000000,5000000 --batch 1000 --rounds 2 --minutes 1").expect("valid");
    assert_eq!(told.parts, [Part::Idle, Part::Memory]);
    assert_eq!(told.rows(&[7]), [1_000_000, 5_000_000]);
    assert_eq!((told.batches.as_slice(), told.rounds(10), told.watched.as_secs()), (&[1_000][..], 2, 60));
    assert!(read("--quick").expect("valid").rows(&[7, 8])[0] >= 1_000, "smaller than that nothing is told");
    let other = read("order --program Cargo.toml").expect("it is there");
    assert_eq!(other.parts, [Part::Order]);
    assert!(other.program.is_some_and(|path| path.is_absolute()), "daemons have directories of their own");
    for wrong in [
        "fast",
        "--rows",
        "--rows many",
        "--batch 0",
        "--batch 1001",
        "--rounds 0",
        "--program",
        "--program none",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}
