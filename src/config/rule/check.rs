//! What is wrong with a value, if anything: without quoting it.

use std::time::Duration;

use figment::value::Value;
use jiff::fmt::friendly::SpanParser;

use super::Setting;
use crate::config::near::nearest;
use crate::config::{filter as log_filter, names};

/// The value's kind as the reason for refusing it.
pub(in crate::config) fn kind_of(value: &Value) -> String {
    let kind = match value {
        Value::String(..) | Value::Char(..) => "a text",
        Value::Bool(..) => "true or false",
        Value::Num(_, number) if number.to_f64().is_some() => "a number with decimals",
        Value::Num(..) => "a whole number",
        Value::Empty(..) => "nothing",
        Value::Dict(..) => "a table",
        Value::Array(..) => "a list",
    };
    format!("is {kind}")
}

pub(super) fn plain_text(
    value: &Value,
    check: fn(&str) -> Result<(), &'static str>,
) -> Result<Setting, String> {
    let text = value.as_str().ok_or_else(|| kind_of(value))?;
    check(text)?;
    Ok(Setting::Text(text.to_owned()))
}

pub(super) fn connection_string(text: &str) -> Result<(), &'static str> {
    let rest = text.strip_prefix("mongodb://").or_else(|| text.strip_prefix("mongodb+srv://"));
    match rest {
        None => Err("doesn't begin with the scheme of a connection string"),
        Some("") => Err("names no host"),
        Some(_) => names::printable(text),
    }
}

pub(super) fn list(value: &Value, check: fn(&str) -> Result<(), &'static str>) -> Result<Setting, String> {
    let items = value.as_array().ok_or_else(|| kind_of(value))?;
    let mut list = Vec::with_capacity(items.len());
    for (position, item) in items.iter().enumerate() {
        let wrong = |what: &str| format!("item {} {what}", position + 1);
        let text = item.as_str().ok_or_else(|| wrong(&kind_of(item)))?;
        check(text).map_err(wrong)?;
        list.push(text.to_owned());
    }
    Ok(Setting::Texts(list))
}

/// SQLite's names differ by more than the case of their letters, so the items must as well.
pub(super) fn without_repeats(setting: Setting) -> Result<Setting, String> {
    if let Setting::Texts(list) = &setting {
        for (position, item) in list.iter().enumerate() {
            if list[..position].iter().any(|earlier| earlier.eq_ignore_ascii_case(item)) {
                return Err(format!("item {} repeats an earlier one", position + 1));
            }
        }
    }
    Ok(setting)
}

pub(super) fn whole(value: &Value, min: i64, max: i64) -> Result<Setting, String> {
    let number = value.to_i128().ok_or_else(|| kind_of(value))?;
    i64::try_from(number)
        .ok()
        .filter(|number| (min..=max).contains(number))
        .map(Setting::Whole)
        .ok_or_else(|| "is out of range".to_owned())
}

pub(super) fn number(value: &Value, min: f64, max: f64) -> Result<Setting, String> {
    let number = match value {
        Value::Num(_, number) => number
            .to_f64()
            .or_else(|| number.to_i128().and_then(|whole| i32::try_from(whole).ok()).map(f64::from))
            .ok_or("is out of range")?,
        other => return Err(kind_of(other)),
    };
    // NaN is in no range.
    if (min..=max).contains(&number) { Ok(Setting::Number(number)) } else { Err("is out of range".into()) }
}

pub(super) fn time(value: &Value, min: Duration, max: Duration) -> Result<Setting, String> {
    let text = match value {
        Value::Num(..) => return Err("has no unit".into()),
        other => other.as_str().ok_or_else(|| kind_of(other))?.trim(),
    };
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err("has no unit".into());
    }
    let span = SpanParser::new().parse_duration(text).map_err(|_| "isn't a duration")?;
    let span = Duration::try_from(span).map_err(|_| "is negative")?;
    if (min..=max).contains(&span) { Ok(Setting::Time(span)) } else { Err("is out of range".into()) }
}

pub(super) fn choice(value: &Value, choices: &[&str]) -> Result<Setting, String> {
    let text = value.as_str().ok_or_else(|| kind_of(value))?;
    if choices.contains(&text) {
        return Ok(Setting::Text(text.to_owned()));
    }
    Err(match nearest(text, choices.iter().copied()) {
        Some(near) => format!("isn't one of the choices; did you mean {near}?"),
        None => "isn't one of the choices".into(),
    })
}

pub(super) fn list_of(value: &Value, words: &[&str]) -> Result<Setting, String> {
    let items = value.as_array().ok_or_else(|| kind_of(value))?;
    let mut list = Vec::with_capacity(items.len());
    for (position, item) in items.iter().enumerate() {
        let Setting::Text(word) =
            choice(item, words).map_err(|what| format!("item {} {what}", position + 1))?
        else {
            continue;
        };
        list.push(word);
    }
    Ok(Setting::Texts(list))
}

pub(super) fn listen(value: &Value) -> Result<Setting, String> {
    let text = value.as_str().ok_or_else(|| kind_of(value))?;
    let address = text.parse().map_err(|_| "isn't an address with a port (names aren't looked up)")?;
    Ok(Setting::Address(address))
}

pub(super) fn filter(value: &Value) -> Result<Setting, String> {
    let text = value.as_str().ok_or_else(|| kind_of(value))?;
    log_filter::check(text)?;
    Ok(Setting::Text(text.to_owned()))
}
