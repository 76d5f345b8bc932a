//! What is configured about columns, taken together: `[columns]`, `[rename]`, `[types]` and `[constants]`.
//!
//! Only what is wrong whatever the table looks like is told here. The rest is told when the table is looked at.

use std::collections::BTreeMap;

use figment::value::Value;
use mongodb::bson::Bson;

use super::load::{Found, Settings, free_of};
use super::rule::{Setting, kind_of};
use super::{Problem, show};
use crate::record::{Mapping, Type};

const INCLUDE: &str = "columns.include";
const EXCLUDE: &str = "columns.exclude";
const DUPLICATE_KEY: &str = "export.duplicate_key";

/// The mapping of columns to fields.
pub(super) fn mapping(settings: &Settings) -> Mapping {
    let mut mapping = Mapping {
        include: list(settings, INCLUDE).to_vec(),
        exclude: list(settings, EXCLUDE).to_vec(),
        ..Mapping::default()
    };
    for (column, found) in free_of(settings, "rename") {
        if let Setting::Text(name) = &found.setting {
            mapping.rename.insert(column.to_owned(), name.clone());
        }
    }
    for (column, found) in free_of(settings, "types") {
        if let Setting::Text(name) = &found.setting
            && let Some(to) = Type::named(name)
        {
            mapping.types.insert(column.to_owned(), to);
        }
    }
    for (field, found) in free_of(settings, "constants") {
        if let Setting::Constant(value) = &found.setting {
            mapping.constants.insert(field.to_owned(), value.clone());
        }
    }
    mapping
}

/// Values that are right on their own but not together.
pub(super) fn contradictions(settings: &Settings) -> Vec<Problem> {
    let mapping = mapping(settings);
    let mut problems = Vec::new();
    let both = mapping.exclude.iter().filter(|name| mapping.include.contains(name));
    for name in both {
        let what = format!("leaves out column {}, which {INCLUDE} lets through", show::quoted(name));
        problems.push(problem(&settings[EXCLUDE], what, "each column in one of the two"));
    }
    for (section, does) in [("rename", "names"), ("types", "converts")] {
        for (column, found) in free_of(settings, section).filter(|(column, _)| !mapping.lets_through(column))
        {
            let by = left_out_by(&mapping, column);
            let what = format!("{does} column {}, which {by} leaves out", show::quoted(column));
            problems.push(problem(found, what, "columns that are exported"));
        }
    }
    let mut taken: BTreeMap<&str, &Found> = free_of(settings, "constants").collect();
    for (_, found) in free_of(settings, "rename") {
        if let Setting::Text(name) = &found.setting
            && let Some(other) = taken.insert(name, found)
        {
            let what = format!("gives a name that {} has, too", other.shown.key);
            problems.push(problem(found, what, "names that are there once"));
        }
    }
    let key = &settings[DUPLICATE_KEY];
    for column in list(settings, DUPLICATE_KEY) {
        let name = show::quoted(column);
        if !mapping.lets_through(column) {
            let by = left_out_by(&mapping, column);
            let what =
                format!("names column {name}, which {by} leaves out: MongoDB can't be asked for it then");
            problems.push(problem(key, what, "columns that are exported, or an empty list"));
        }
        let refused = [Type::Decimal, Type::Json];
        if let Some(to) = mapping.types.get(column).filter(|to| refused.contains(to)) {
            let what = format!("names column {name}, which types makes {}", to.name());
            problems.push(problem(key, what, "columns of other types: date, bool, int, double, objectid"));
        }
    }
    problems
}

/// The field that a value makes, the same in each document. Whole numbers have the form that they have in rows.
pub(super) fn constant(value: &Value) -> Result<Bson, String> {
    Ok(match value {
        Value::String(_, text) => Bson::String(text.clone()),
        Value::Bool(_, flag) => Bson::Boolean(*flag),
        Value::Num(_, number) => match (number.to_f64(), number.to_i128()) {
            (Some(decimals), _) => Bson::Double(decimals),
            (None, whole) => {
                let whole = whole.and_then(|whole| i64::try_from(whole).ok()).ok_or("is out of range")?;
                i32::try_from(whole).map_or(Bson::Int64(whole), Bson::Int32)
            }
        },
        other => return Err(kind_of(other)),
    })
}

fn left_out_by(mapping: &Mapping, column: &str) -> &'static str {
    if mapping.exclude.iter().any(|name| name == column) { EXCLUDE } else { INCLUDE }
}

fn list<'a>(settings: &'a Settings, key: &str) -> &'a [String] {
    if let Setting::Texts(names) = &settings[key].setting { names } else { &[] }
}

fn problem(found: &Found, what: String, allowed: &str) -> Problem {
    let shown = &found.shown;
    Problem {
        key: shown.key.clone(),
        value: Some(shown.value.clone()),
        origin: shown.origin.to_string(),
        what,
        allowed: Some(allowed.to_owned()),
    }
}
