//! Times in columns: which texts read as one, and which of two is older.
//!
//! The texts that read as a time decide about `_id`s, so that they are frozen here and not left to a library's
//! next version: `YYYY-MM-DD`, a space or `T`, `HH:MM`, then optional `:SS`, an optional fraction, and `Z`, an
//! offset `±HH:MM` or nothing (which is UTC). RFC 3339 and SQLite's own date functions write such texts.

use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use mongodb::bson::Bson;

use super::ValueRef;

/// Seconds since the Unix epoch, if the value is a text that reads as a time and they fit into 4 bytes.
#[must_use]
pub fn created_seconds(value: ValueRef<'_>) -> Option<u32> {
    let ValueRef::Text(bytes) = value else { return None };
    u32::try_from(parse(std::str::from_utf8(bytes).ok()?)?.as_millisecond().div_euclid(1000)).ok()
}

/// Whether the row's time is older than the copy's. Two times, or two numbers, can be compared; of anything else
/// nobody can say that it is older.
#[must_use]
pub fn is_older(row: &Bson, copy: &Bson) -> bool {
    match (Moment::of(row), Moment::of(copy)) {
        (Some(Moment::Number(row)), Some(Moment::Number(copy))) => row < copy,
        (Some(Moment::Time(row)), Some(Moment::Time(copy))) => row < copy,
        _ => false,
    }
}

enum Moment {
    Number(f64),
    Time(Timestamp),
}

impl Moment {
    #[expect(clippy::cast_precision_loss, reason = "a time as a number stays far below 2^53")]
    fn of(value: &Bson) -> Option<Self> {
        match value {
            Bson::Int32(i) => Some(Self::Number(f64::from(*i))),
            Bson::Int64(i) => Some(Self::Number(*i as f64)),
            Bson::Double(r) => Some(Self::Number(*r)),
            Bson::Decimal128(decimal) => decimal.to_string().parse().ok().map(Self::Number),
            Bson::String(text) => parse(text).map(Self::Time),
            Bson::DateTime(time) => Timestamp::from_millisecond(time.timestamp_millis()).ok().map(Self::Time),
            _ => None,
        }
    }
}

/// The time that a text reads as.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    shaped(date, "0000-00-00").then_some(())?;
    let rest = rest.strip_prefix(['T', ' '])?;
    let (time, zone) = match rest.find(['Z', '+', '-']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let clock_reads = shaped(clock, "00:00:00") || (shaped(clock, "00:00") && !time.contains('.'));
    let fraction_reads = (1..=9).contains(&fraction.len()) && fraction.bytes().all(|b| b.is_ascii_digit());
    let zone_reads = matches!(zone, "" | "Z") || (zone.len() == 6 && shaped(&zone[1..], "00:00"));
    (clock_reads && fraction_reads && zone_reads).then_some(())?;
    let utc = Offset::UTC.to_timestamp(civil(date, clock, fraction)?).ok()?;
    let Some(offset) = zone.strip_prefix(['+', '-']) else { return Some(utc) };
    let (hours, minutes) = (offset[..2].parse::<i64>().ok()?, offset[3..].parse::<i64>().ok()?);
    (hours < 24 && minutes < 60).then_some(())?;
    let east = if zone.starts_with('+') { 1 } else { -1 };
    Timestamp::from_millisecond(utc.as_millisecond() - east * (hours * 60 + minutes) * 60_000).ok()
}

/// The date and time that texts of the right shape tell, if there is one. A leap second is taken for the second before it.
fn civil(date: &str, clock: &str, fraction: &str) -> Option<DateTime> {
    let small = |text: &str, digits: Range<usize>| text.get(digits)?.parse::<i8>().ok();
    let second = if clock.len() > 5 { small(clock, 6..8)? } else { 0 };
    let billionth = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanosecond = billionth.fold(0, |number, digit| number * 10 + i32::from(digit - b'0'));
    DateTime::new(
        date.get(..4)?.parse().ok()?,
        small(date, 5..7)?,
        small(date, 8..10)?,
        small(clock, 0..2)?,
        small(clock, 3..5)?,
        if second == 60 { 59 } else { second },
        nanosecond,
    )
    .ok()
}

/// Whether the text has a digit where the form has `0`, and the form's own character elsewhere.
fn shaped(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text.bytes().zip(form.bytes()).all(|(t, f)| if f == b'0' { t.is_ascii_digit() } else { t == f })
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::*;

    fn seconds(text: &str) -> Option<u32> {
        created_seconds(ValueRef::Text(text.as_bytes()))
    }

    #[test]
    fn the_forms_of_rfc_3339_and_sqlite_read_as_times() {
        for text in [
            "2023-10-27T10:00:00.000Z",
            "2023-10-27T10:00:00Z",
            "2023-10-27 10:00:00",
            "2023-10-27 10:00",
            "2023-10-27T10:00:00.999999999",
            "2023-10-27T15:30:00+05:30",
            "2023-10-27 03:00:00-07:00",
        ] {
            assert_eq!(seconds(text), Some(1_698_400_800), "{text}");
        }
    }

    #[test]
    fn nothing_else_reads_as_a_time() {
        for text in [
            "",
            "2023",
            "2023-10-27",
            "2023-10-27T",
            "2023-10-27T10",
            "2023-13-27T10:00:00Z",
            "2023-10-27T25:00:00Z",
            "27.10.2023 10:00:00",
            "2023-10-27T10:00:00z",
            "2023-10-27T10:00:00 Z",
            "2023-10-27T10:00:00+0530",
            "1969-12-31T23:59:59Z",
            "2106-02-07T06:28:16Z",
            "2023-10-27T10:00.5",
            "2023-10-27T10:00:00.",
            "+023-10-27T10:00:00",
            "2023-10-27T10:00:00[UTC]",
            "2023-10-27T10:00:00.0000000000",
            "２０２３-10-27T10:00:00",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
        assert_eq!(created_seconds(ValueRef::Integer(1_698_400_800)), None);
    }

    #[test]
    fn a_leap_second_is_the_second_before_it() {
        assert_eq!(seconds("2016-12-31T23:59:60Z"), seconds("2016-12-31T23:59:59Z"));
        assert_eq!(seconds("2016-12-31T23:59:61Z"), None);
    }

    proptest! {
        /// The texts decide about `_id`s: what the library reads in them is what is read here.
        #[test]
        fn a_time_is_what_the_library_reads(
            date in "[0-9]{3}[0-9]-[01][0-9]-[0-3][0-9]",
            time in "[0-2][0-9]:[0-6][0-9](:[0-6][0-9](\\.[0-9]{1,9})?)?",
        ) {
            let theirs = format!("{date}T{time}").parse::<DateTime>().ok();
            let theirs = theirs.and_then(|civil| civil.to_zoned(TimeZone::UTC).ok());
            prop_assert_eq!(parse(&format!("{date} {time}")), theirs.map(|zoned| zoned.timestamp()));
        }
    }

    #[test]
    fn only_what_can_be_compared_is_older() {
        let text = |t: &str| Bson::String(t.to_owned());
        let copy = text("2024-01-01T00:00:00.000Z");
        assert!(is_older(&text("2023-12-31 23:59:59"), &copy));
        assert!(!is_older(&text("2024-01-01 00:00:00"), &copy));
        assert!(is_older(&Bson::Int32(5), &Bson::Double(5.5)));
        assert!(is_older(&Bson::Int64(5), &Bson::Decimal128("5.5".parse().unwrap())));
        assert!(!is_older(&Bson::Int32(5), &copy));
        assert!(!is_older(&Bson::Null, &copy));
        assert!(!is_older(&text("yesterday"), &copy));
        let date = Bson::DateTime(mongodb::bson::DateTime::from_millis(1_704_067_200_000));
        assert!(is_older(&text("2023-12-31 23:59:59"), &date) && !is_older(&copy, &date));
        assert!(is_older(&date, &text("2024-01-01T00:00:00.001Z")) && !is_older(&date, &copy));
    }
}
