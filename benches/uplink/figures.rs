//! What is done with measured numbers: the middle one, ratios, bars.

use std::fmt;
use std::time::Duration;

/// The one in the middle; of an even number, the mean of the two there. `None` of nothing.
#[must_use]
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len() % 2 == 1 { upper } else { f64::midpoint(sorted[middle - 1], upper) })
}

/// How far the outermost values are apart, as a part of the middle one: what a difference must exceed to mean anything.
#[must_use]
pub(crate) fn spread(values: &[f64]) -> Option<f64> {
    let least = values.iter().copied().min_by(f64::total_cmp)?;
    let most = values.iter().copied().max_by(f64::total_cmp)?;
    median(values).map(|middle| (most - least) / middle)
}

/// How many of them a second.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "no number of rows comes near 2^52")]
pub(crate) fn rate(rows: u64, took: Duration) -> f64 {
    rows as f64 / took.as_secs_f64()
}

/// What a number has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bar {
    /// So much, or more.
    AtLeast(f64),
    /// So much, or less.
    AtMost(f64),
}

impl Bar {
    /// Whether the number is as it has to be. What isn't a number never is.
    #[must_use]
    pub(crate) fn is_met_by(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bar) => value >= bar,
            Self::AtMost(bar) => value <= bar,
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bar) => write!(f, "at least {}", Number(*bar)),
            Self::AtMost(bar) => write!(f, "at most {}", Number(*bar)),
        }
    }
}

/// A number as it is read most easily: `1,234,568`, `1,235`, `12.3`, `0.857`.
pub(crate) struct Number(pub(crate) f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = match self.0.abs() {
            large if large >= 1_000.0 => return f.pad(&grouped(self.0)),
            large if large >= 10.0 => 1,
            _ => 3,
        };
        f.pad(&format!("{:.decimals$}", self.0))
    }
}

/// `12345.6` as `12,346`.
fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    if number < 0.0 {
        text.push('-');
    }
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
