//! Numbers out of numbers and texts.
//!
//! A text is a number if it is written in ASCII digits, with an optional sign, and for numbers with decimals an optional
//! point and exponent. No blanks, no thousands separators, no words.

use mongodb::bson::Decimal128;

use super::text;
use crate::record::ValueRef;
use crate::record::value::exact_integer;

/// Whole numbers that fit 64 bits, however they are stored.
pub(super) fn int(value: ValueRef<'_>) -> Option<i64> {
    match value {
        ValueRef::Integer(number) => Some(number),
        ValueRef::Real(real) => exact_integer(real),
        // Takes a sign and digits, nothing else.
        _ => text(value)?.parse().ok(),
    }
}

/// A whole number becomes a float only if it is that float exactly.
pub(super) fn double(value: ValueRef<'_>) -> Option<f64> {
    match value {
        ValueRef::Integer(number) => {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a number that isn't the same afterwards is refused"
            )]
            let real = number as f64;
            (exact_integer(real) == Some(number)).then_some(real)
        }
        ValueRef::Real(real) => Some(real),
        // The float nearest to the text, as for everything that reads decimals into floats; but never infinity.
        _ => written(text(value)?)?.parse().ok().filter(|real: &f64| real.is_finite()),
    }
}

/// Up to 34 digits, each of which is kept, trailing zeros included. A float is taken as the shortest decimal that reads
/// back as the same float, as people see it.
pub(super) fn decimal(value: ValueRef<'_>) -> Option<Decimal128> {
    match value {
        ValueRef::Integer(number) => number.to_string().parse().ok(),
        ValueRef::Real(real) if real.is_finite() => real.to_string().parse().ok(),
        _ => written(text(value)?)?.parse().ok(),
    }
}

/// The text, if it is written as a number: the library's parser takes more for one than anybody would.
fn written(text: &str) -> Option<&str> {
    let unsigned = |part: &'_ str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let mantissa = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let mantissa_reads = match (whole, fraction) {
        ("", fraction) => unsigned(fraction) && mantissa.starts_with('.'),
        (whole, "") => unsigned(whole),
        (whole, fraction) => unsigned(whole) && unsigned(fraction),
    };
    (mantissa_reads && unsigned(exponent)).then_some(text)
}
