//! What a key's value may be: how it is read from a text, how it is checked, how that is told.

mod check;

use std::net::SocketAddr;
use std::time::Duration;

use figment::providers::{Format, Toml};
use figment::value::{Dict, Value};
use jiff::SignedDuration;
use mongodb::bson::Bson;

pub(super) use check::kind_of;
use check::{
    choice, connection_string, filter, list, list_of, listen, number, plain_text, time, whole,
    without_repeats,
};

use super::{columns, names};

/// What is allowed for a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// The path of a file or directory.
    Path,
    /// The name of a table or column.
    Name,
    /// A name, or nothing.
    OptionalName,
    /// A MongoDB database.
    Database,
    /// A MongoDB collection.
    Collection,
    /// A connection string.
    Uri,
    /// Several connection strings.
    Uris,
    /// The path of a file with a secret, or nothing.
    SecretFile,
    /// Names without repeats, perhaps none.
    Names,
    /// The same, for columns that MongoDB is asked about.
    Fields,
    /// The name that a column has in the document.
    Field,
    /// A text, a number, true or false.
    Constant,
    /// True or false.
    Flag,
    /// A whole number within limits, both included.
    Whole(i64, i64),
    /// A number within limits, both included.
    Number(f64, f64),
    /// A duration within limits, both included.
    Time(Duration, Duration),
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// Different ones of a few words, in order, perhaps none.
    Words(&'static [&'static str]),
    /// An address and port.
    Listen,
    /// What clients of the HTTP server must show, or nothing.
    Token,
    /// Names of hosts without repeats, perhaps none.
    Hosts,
    /// The path of a file, or nothing.
    OptionalPath,
    /// A log filter.
    Filter,
}

/// A value that its rule allows.
#[derive(Clone, PartialEq)]
pub(super) enum Setting {
    Text(String),
    Texts(Vec<String>),
    Flag(bool),
    Whole(i64),
    Number(f64),
    Time(Duration),
    Address(SocketAddr),
    Constant(Bson),
}

impl Rule {
    /// Whether values of this kind must never be shown.
    pub(super) fn is_secret(self) -> bool {
        matches!(self, Self::Uri | Self::Uris | Self::SecretFile | Self::Token)
    }

    /// Takes a text from the environment or the command line for what the key holds. What can't be read as such
    /// stays a text, for [`Rule::check`] to refuse.
    pub(super) fn value_of_text(self, text: &str) -> Value {
        let parsed = match self {
            Self::Flag => text.trim().parse::<bool>().ok().map(Value::from),
            Self::Whole(..) => text.trim().parse::<i64>().ok().map(Value::from),
            Self::Number(..) => text.trim().parse::<f64>().ok().map(Value::from),
            // Commas are part of connection strings, blanks are not.
            Self::Uris => array(text).or_else(|| Some(texts(text.split_whitespace()))),
            Self::Names | Self::Fields | Self::Hosts | Self::Words(_) if text.trim().is_empty() => {
                Some(texts([]))
            }
            Self::Names | Self::Fields | Self::Hosts | Self::Words(_) => {
                array(text).or_else(|| Some(texts(text.split(',').map(str::trim))))
            }
            _ => None,
        };
        parsed.unwrap_or_else(|| Value::from(text))
    }

    /// Checks a value.
    ///
    /// # Errors
    /// What is wrong with it, without quoting it.
    pub(super) fn check(self, value: &Value) -> Result<Setting, String> {
        match self {
            Self::Path | Self::Name => plain_text(value, names::plain),
            Self::OptionalName | Self::OptionalPath => plain_text(value, names::optional),
            Self::SecretFile => plain_text(value, names::printable),
            Self::Database => plain_text(value, names::database),
            Self::Collection => plain_text(value, names::collection),
            Self::Uri => plain_text(value, connection_string),
            Self::Uris => list(value, connection_string),
            Self::Names => list(value, names::column).and_then(without_repeats),
            Self::Fields => list(value, names::field).and_then(without_repeats),
            Self::Field => plain_text(value, names::document_field),
            Self::Constant => columns::constant(value).map(Setting::Constant),
            Self::Flag => value.to_bool().map(Setting::Flag).ok_or_else(|| kind_of(value)),
            Self::Whole(min, max) => whole(value, min, max),
            Self::Number(min, max) => number(value, min, max),
            Self::Time(min, max) => time(value, min, max),
            Self::Choice(choices) => choice(value, choices),
            Self::Words(words) => list_of(value, words).and_then(without_repeats),
            Self::Listen => listen(value),
            Self::Token => plain_text(value, names::token),
            Self::Hosts => list(value, names::host).and_then(without_repeats),
            Self::Filter => filter(value),
        }
    }

    /// What is allowed, as the end of a sentence.
    pub(super) fn allowed(self) -> String {
        match self {
            Self::Path => "a path".into(),
            Self::Name => "a name".into(),
            Self::OptionalName => "a name, or nothing".into(),
            Self::Database => r#"1 to 63 bytes, without blanks and any of /\."$*<>:|?"#.into(),
            Self::Collection => "a name without $, that begins neither with a dot nor with system.".into(),
            Self::Uri => "a text that begins with mongodb:// or mongodb+srv://".into(),
            Self::Uris => "a list of texts that begin with mongodb:// or mongodb+srv://".into(),
            Self::SecretFile => "the path of a file, or nothing".into(),
            Self::Names => "a list of different names, perhaps empty".into(),
            Self::Fields => "a list of different names without dots or a leading $, perhaps empty".into(),
            Self::Field => "a name without dots or a leading $, neither _id nor export_metadata".into(),
            Self::Constant => "a text, a number, true or false".into(),
            Self::Flag => "true or false".into(),
            Self::Whole(min, max) => format!("a whole number from {min} to {max}"),
            Self::Number(min, max) => format!("a number from {min:.1} to {max:.1}"),
            Self::Time(min, max) => {
                format!(r#"a text such as "500ms", "10s" or "5m", from {} to {}"#, span(min), span(max))
            }
            Self::Choice(choices) => choices.join(", "),
            Self::Listen => "an address with a port, such as 127.0.0.1:8000 or [::1]:8000".into(),
            Self::Token => "up to 512 visible characters of ASCII without blanks, or nothing".into(),
            Self::Hosts => "a list of host names or addresses without ports, perhaps empty".into(),
            Self::OptionalPath => "a path, or nothing".into(),
            Self::Words(words) => format!("a list of different ones of {}, perhaps empty", words.join(", ")),
            Self::Filter => {
                "error, warn, info, debug or trace, or target=level directives with commas".into()
            }
        }
    }
}

/// A duration as one would write it.
fn span(duration: Duration) -> String {
    SignedDuration::try_from(duration).map_or_else(|_| format!("{duration:?}"), |span| format!("{span:#}"))
}

fn texts<'a>(items: impl IntoIterator<Item = &'a str>) -> Value {
    Value::from(items.into_iter().map(Value::from).collect::<Vec<_>>())
}

/// A list written as in TOML or JSON.
fn array(text: &str) -> Option<Value> {
    if !text.trim_start().starts_with('[') {
        return None;
    }
    let mut document: Dict = Toml::from_str(&format!("list = {}", text.trim())).ok()?;
    let list = document.remove("list")?;
    document.is_empty().then_some(list)
}
