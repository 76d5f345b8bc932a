//! Values as they may be shown.

use std::fmt;

use figment::value::Value;

use super::Origin;
use super::rule::Rule;

/// What stands for a secret.
const HIDDEN: &str = "[secret]";

/// What stands for a name that isn't one.
const NOT_A_NAME: &str = "[not a name]";

/// More of a value than this helps nobody.
const MAX_SHOWN_CHARS: usize = 100;

/// A key with its value, secrets hidden, and where it comes from. Displays as `section.key = value (origin)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `section.key`.
    pub key: String,
    /// The value as in a configuration file, `[secret]` for secrets.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {} ({})", self.key, self.value, self.origin)
    }
}

/// The value of a key, in one line.
pub(super) fn value(rule: Rule, value: &Value) -> String {
    if rule.is_secret() { hidden(value) } else { plain(value) }
}

/// An unset secret is no secret; what holds one is.
fn hidden(value: &Value) -> String {
    match value {
        Value::String(_, text) if text.is_empty() => r#""""#.into(),
        Value::Array(_, items) if items.is_empty() => "[]".into(),
        _ => HIDDEN.into(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(_, text) => quoted(text),
        Value::Char(_, char) => quoted(&char.to_string()),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(_, number) => match (number.to_f64(), number.to_i128()) {
            (Some(decimals), _) => format!("{decimals:?}"),
            (None, Some(whole)) => whole.to_string(),
            (None, None) => "a number".into(),
        },
        Value::Array(_, items) => {
            format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(", "))
        }
        Value::Dict(..) => "a table".into(),
        Value::Empty(..) => "nothing".into(),
    }
}

/// A connection string that got into the wrong key is hidden all the same.
pub(super) fn quoted(text: &str) -> String {
    if text.contains("://") || text.contains('@') {
        return HIDDEN.into();
    }
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// The path of a key that somebody typed; nothing of it if a part of it might be a slipped-in value.
pub(super) fn path(section: &str, key: &str) -> String {
    match (name(section), name(key)) {
        (section, key) if section == NOT_A_NAME || key == NOT_A_NAME => NOT_A_NAME.into(),
        (section, key) => format!("{section}.{key}"),
    }
}

/// The path of a name in a section without keys of its own: in quotes where TOML wants it so. Column names may be
/// anything, so that only what looks like a value in the wrong place is hidden.
pub(super) fn free(section: &str, name: &str) -> String {
    if name.is_empty() || name.len() > 64 || name.contains("://") || name.contains('@') {
        return format!("{section}.{NOT_A_NAME}");
    }
    let is_bare = name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    if is_bare { format!("{section}.{name}") } else { format!("{section}.{name:?}") }
}

/// A name that somebody typed as a section or key, if it looks like one; else it might be a slipped-in value.
pub(super) fn name(typed: &str) -> String {
    let is_name = typed.len() <= 64 && typed.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    if is_name && !typed.is_empty() { typed.to_owned() } else { NOT_A_NAME.into() }
}
