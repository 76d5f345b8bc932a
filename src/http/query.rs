//! The parameters of requests.
//!
//! What holds: a parameter that is given is either understood or refused by name; none is guessed. What isn't known is
//! ignored, as the documented API's clients expect, but where a request deletes something. Texts for booleans are those that FastAPI takes: `true`, `false`,
//! `1`, `0`, `yes`, `no`, `y`, `n`, `on`, `off`, `t`, `f`, in any case.

use axum::extract::Query;
use axum::http::{StatusCode, Uri};

use super::envelope::Envelope;

/// Of a refused value or name, what is shown to whoever sent it.
const SHOWN: usize = 40;

/// What was asked for; what isn't given is as configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StartParameters {
    pub(super) batch_size: Option<u16>,
    pub(super) skip_duplicates: Option<bool>,
}

/// A query that isn't understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidQuery {
    #[error("{name} {}: {allowed} is allowed", shown(value))]
    Value { name: &'static str, value: String, allowed: &'static str },
    #[error("{name} is given more than once: {allowed} is allowed, once")]
    Repeated { name: &'static str, allowed: &'static str },
    #[error("{} isn't known here: {} are allowed", quoted(name), allowed.join(", "))]
    Unknown { name: String, allowed: &'static [&'static str] },
    #[error("the query string can't be read")]
    Unreadable,
}

impl From<InvalidQuery> for Envelope {
    fn from(error: InvalidQuery) -> Self {
        Self::failure(StatusCode::UNPROCESSABLE_ENTITY, "Invalid request", error.to_string())
    }
}

impl StartParameters {
    /// Reads the query of `uri`.
    pub(super) fn read(uri: &Uri) -> Result<Self, InvalidQuery> {
        let pairs = pairs(uri)?;
        Ok(Self {
            batch_size: one(&pairs, "batch_size", "an integer from 1 to 1000", up_to_1000)?,
            skip_duplicates: one(&pairs, "skip_duplicates", "true or false", boolean)?,
        })
    }
}

/// The query's parameters, in their order.
pub(super) fn pairs(uri: &Uri) -> Result<Vec<(String, String)>, InvalidQuery> {
    let Query(pairs) = Query::try_from_uri(uri).map_err(|_| InvalidQuery::Unreadable)?;
    Ok(pairs)
}

/// Refuses what isn't among these.
pub(super) fn nothing_but(
    allowed: &'static [&'static str],
    pairs: &[(String, String)],
) -> Result<(), InvalidQuery> {
    match pairs.iter().find(|(name, _)| !allowed.contains(&name.as_str())) {
        Some((name, _)) => Err(InvalidQuery::Unknown { name: name.clone(), allowed }),
        None => Ok(()),
    }
}

/// The value of a parameter that may be given once.
pub(super) fn one<T>(
    pairs: &[(String, String)],
    name: &'static str,
    allowed: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, InvalidQuery> {
    let mut values = pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(InvalidQuery::Repeated { name, allowed });
    }
    match read(value) {
        Some(read) => Ok(Some(read)),
        None => Err(InvalidQuery::Value { name, value: value.clone(), allowed }),
    }
}

/// An integer from 1 to 1000.
pub(super) fn up_to_1000(text: &str) -> Option<u16> {
    // `parse` would take a sign.
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| (1..=1000).contains(number))?;
    plain.then_some(number)
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "y" | "on" | "t" => Some(true),
        "false" | "0" | "no" | "n" | "off" | "f" => Some(false),
        _ => None,
    }
}

fn shown(value: &str) -> String {
    if value.is_empty() { "is empty".to_owned() } else { format!("is {}", quoted(value)) }
}

/// The beginning of a text, its control characters escaped.
fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN).collect();
    let dots = if cut.len() < text.len() { "..." } else { "" };
    format!("{cut:?}{dots}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(query: &str) -> Result<StartParameters, InvalidQuery> {
        let uri = format!("/api/export/sqlite-to-mongodb?{query}").parse().expect("a URI");
        StartParameters::read(&uri)
    }

    #[test]
    fn no_query_whatever_makes_it_panic_or_is_misread() {
        const WORDS: &[&str] = &[
            "batch_size",
            "skip_duplicates",
            "limit",
            "after",
            "outcome",
            "=",
            "=",
            "&",
            "%",
            "%2",
            "%00",
            "%ff",
            "%26",
            "+",
            "0",
            "1",
            "50",
            "1000",
            "1001",
            "-1",
            "65537",
            "true",
            "false",
            "yes",
            "rejected",
            "duplicate",
            "?",
            "/",
            ";",
            "%c3%28",
            "\u{e4}",
            "[]",
            "null",
        ];
        let word = prop_oneof![4 => prop::sample::select(WORDS).prop_map(str::to_owned), 1 => "[!-~]{0,6}"];
        let query = prop::collection::vec(word, 0..10).prop_map(|words| words.concat());
        crate::noise::each("queries", 30, query, |query| {
            let Ok(uri) = format!("/api?{query}").parse::<Uri>() else { return };
            let refused = |error: InvalidQuery| {
                let text = error.to_string();
                assert!(text.len() < 600 && !text.chars().any(char::is_control), "{text:?}");
            };
            match StartParameters::read(&uri) {
                Ok(read) => assert!(read.batch_size.is_none_or(|size| (1..=1000).contains(&size))),
                Err(error) => refused(error),
            }
            match crate::http::past::record_query(&uri) {
                Ok(read) => assert!((1..=1000).contains(&read.limit)),
                Err(error) => refused(error),
            }
        });
    }

    #[test]
    fn what_is_not_given_is_left_to_the_configuration() {
        for query in ["", "&", "&&", "other=1", "Batch_Size=0", "batch_size%20=0"] {
            assert_eq!(read(query), Ok(StartParameters::default()), "{query}");
        }
    }

    #[test]
    fn every_batch_size_in_the_range_is_taken() {
        for size in 1..=1000 {
            assert_eq!(read(&format!("batch_size={size}")).map(|read| read.batch_size), Ok(Some(size)));
        }
        assert_eq!(read("batch%5Fsize=%350").map(|read| read.batch_size), Ok(Some(50)), "percent-encoded");
    }

    #[test]
    fn booleans_are_taken_as_fastapi_takes_them() {
        for yes in ["true", "True", "TRUE", "1", "yes", "on", "y", "t"] {
            assert_eq!(
                read(&format!("skip_duplicates={yes}")).map(|read| read.skip_duplicates),
                Ok(Some(true))
            );
        }
        for no in ["false", "False", "0", "no", "off", "n", "f"] {
            assert_eq!(
                read(&format!("skip_duplicates={no}")).map(|read| read.skip_duplicates),
                Ok(Some(false))
            );
        }
    }

    #[test]
    fn a_refusal_names_the_parameter_the_value_and_what_is_allowed() {
        let text = |query| read(query).expect_err("refused").to_string();
        assert_eq!(text("batch_size=1001"), r#"batch_size is "1001": an integer from 1 to 1000 is allowed"#);
        assert_eq!(text("skip_duplicates="), "skip_duplicates is empty: true or false is allowed");
        assert_eq!(text("batch_size=1%0A"), r#"batch_size is "1\n": an integer from 1 to 1000 is allowed"#);
        let long = format!("batch_size={}", "9".repeat(5000));
        assert!(text(&long).len() < 120, "{}", text(&long));
    }
}
