//! Times out of the forms in which SQLite's applications keep them.

use jiff::Timestamp;
use mongodb::bson::DateTime;

use super::text;
use crate::record::ValueRef;
use crate::record::moment::parse;

/// Integers from here on, either way, are milliseconds since the Unix epoch, the others seconds: as seconds this would be
/// the year 5138, as milliseconds it is March 1973.
const MILLISECONDS: u64 = 100_000_000_000;

/// The first Julian day number behind the year 9999: real numbers below it, from 0 on, are such, as SQLite has them.
const JULIAN_DAYS: f64 = 5_373_484.5;

/// The Julian day of the Unix epoch.
const EPOCH_DAY: f64 = 2_440_587.5;

/// A time, to the millisecond. Times outside of the years -9999 to 9999 are none.
pub(super) fn date(value: ValueRef<'_>) -> Option<DateTime> {
    let millis = match value {
        ValueRef::Integer(number) if number.unsigned_abs() < MILLISECONDS => number * 1000,
        ValueRef::Integer(number) => number,
        ValueRef::Real(day) if (0.0..JULIAN_DAYS).contains(&day) => whole((day - EPOCH_DAY) * 86_400_000.0)?,
        ValueRef::Real(seconds) => {
            whole(seconds * 1000.0).filter(|millis| millis.unsigned_abs() < MILLISECONDS * 1000)?
        }
        _ => {
            let text = text(value)?;
            let time = parse(text).or_else(|| midnight(text))?;
            // Down, also before 1970.
            i64::try_from(time.as_nanosecond().div_euclid(1_000_000)).ok()?
        }
    };
    Timestamp::from_millisecond(millis).ok()?;
    Some(DateTime::from_millis(millis))
}

/// A day alone begins at midnight, UTC.
fn midnight(text: &str) -> Option<Timestamp> {
    // Nothing that is longer gets to be a time only by this addition.
    (text.len() == 10).then(|| parse(&format!("{text} 00:00"))).flatten()
}

/// The nearest whole number: Julian days are exact to less than a millisecond only.
fn whole(millis: f64) -> Option<i64> {
    crate::record::value::exact_integer(millis.round())
}
