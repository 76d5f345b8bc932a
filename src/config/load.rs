//! From the sources to a checked configuration: layers are merged, then each key is checked by its rule.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::value::Value;

use super::key::{FREE, Free, KEYS, Key};
use super::place::Place;
use super::rule::Setting;
use super::{
    Config, ConfigError, Problem, Shown, Sources, State, assemble, columns, layer, names, secret_file, show,
};

/// Where a value comes from. The order is the precedence: later wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Built in.
    Default,
    /// A systemd credential, by the path of its file.
    Credential(PathBuf),
    /// A configuration file.
    File(PathBuf),
    /// An environment variable, by its name.
    Environment(String),
    /// `--set`.
    CommandLine,
}

impl Origin {
    /// Whether both are the same kind of source, so that neither goes before the other.
    pub(super) fn is_level_with(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Credential(path) => write!(f, "systemd credential {}", path.display()),
            // A connection string that was taken for a path.
            Self::File(path) if names::plain(&path.to_string_lossy()).is_err() => {
                f.write_str("file [secret]")
            }
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

/// A checked value and where it comes from.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) setting: Setting,
    pub(super) shown: Shown,
}

/// The checked values by `section.key`.
pub(super) type Settings = BTreeMap<String, Found>;

/// What is set in a section without keys of its own, by its names.
pub(super) fn free_of<'a>(
    settings: &'a Settings,
    section: &'a str,
) -> impl Iterator<Item = (&'a str, &'a Found)> {
    settings
        .iter()
        .filter_map(move |(path, found)| Some((path.strip_prefix(section)?.strip_prefix('.')?, found)))
}

pub(super) fn load(sources: &Sources) -> Result<(Config, Vec<Shown>), ConfigError> {
    let mut problems = Vec::new();
    let figment = layer::merge(sources, &mut problems)?;
    let mut settings = Settings::new();
    for key in KEYS {
        match found(&figment, key) {
            Ok(found) => {
                settings.insert(key.path(), found);
            }
            Err(problem) => problems.push(problem),
        }
    }
    let mut free_keys = Vec::new();
    for free in FREE {
        for (name, result) in found_free(&figment, free) {
            match result {
                Ok(found) => {
                    let path = format!("{}.{name}", free.section);
                    free_keys.push(path.clone());
                    settings.insert(path, found);
                }
                Err(problem) => problems.push(problem),
            }
        }
    }
    // What follows looks at several keys at once, which only makes sense if each of them is right.
    if problems.is_empty() {
        problems.extend(secret_file::resolve(sources, &mut settings));
        problems.extend(contradictions(&settings));
        problems.extend(columns::contradictions(&settings));
    }
    if !problems.is_empty() {
        return Err(ConfigError::new(problems));
    }
    let keys = KEYS.iter().map(Key::path).chain(free_keys);
    let shown = keys.map(|key| settings[&key].shown.clone()).collect();
    Ok((assemble::config(&settings), shown))
}

fn found(figment: &Figment, key: &'static Key) -> Result<Found, Problem> {
    let value =
        figment.find_value(&key.path()).expect("the defaults hold every key, and no layer removes one");
    checked(figment, &Place::of(key), &value, || key.variable())
}

/// What is set in a section without keys of its own.
fn found_free(figment: &Figment, free: &'static Free) -> Vec<(String, Result<Found, Problem>)> {
    let Ok(Value::Dict(_, keys)) = figment.find_value(free.section) else { return Vec::new() };
    keys.into_iter()
        .map(|(name, value)| {
            let place = Place { section: free.section, name: &name, rule: free.rule };
            let found = checked(figment, &place, &value, || free.variable(&name));
            (name, found)
        })
        .collect()
}

fn checked(
    figment: &Figment,
    place: &Place<'_>,
    value: &Value,
    variable: impl FnOnce() -> String,
) -> Result<Found, Problem> {
    let origin = layer::origin(figment, value, variable);
    let shown = Shown { key: place.path(), value: show::value(place.rule, value), origin };
    match place.rule.check(value) {
        Ok(setting) => Ok(Found { setting, shown }),
        Err(what) => Err(Problem {
            key: shown.key,
            value: Some(shown.value),
            origin: shown.origin.to_string(),
            what,
            allowed: Some(place.rule.allowed()),
        }),
    }
}

/// Values that are right on their own but not together.
fn contradictions(settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    let (initial, max) = (&settings["probe.initial_interval"], &settings["probe.max_interval"]);
    if let (Setting::Time(first), Setting::Time(longest)) = (&initial.setting, &max.setting)
        && first > longest
    {
        problems.push(clash(initial, max, "is longer than", "an initial_interval up to max_interval"));
    }
    let (database, collection) = (&settings["mongodb.database"], &settings["mongodb.collection"]);
    if let (Setting::Text(db), Setting::Text(coll)) = (&database.setting, &collection.setting)
        && db.len() + 1 + coll.len() > names::MAX_NAMESPACE_BYTES
    {
        let allowed = format!("{} bytes for both and the dot between them", names::MAX_NAMESPACE_BYTES);
        problems.push(clash(collection, database, "is too long together with", &allowed));
    }
    let (source, state) = (&settings["sqlite.path"], &settings["state.directory"]);
    if let (Setting::Text(path), Setting::Text(directory)) = (&source.setting, &state.setting)
        && Path::new(path) == Path::new(directory).join(State::LEDGER)
    {
        let allowed = "the application's database; that one is the daemon's own memory";
        problems.push(clash(source, state, "is a file of", allowed));
    }
    problems.extend(open_to_all(settings));
    let tls = [&settings["http.tls_certificate_file"], &settings["http.tls_key_file"]];
    let is_set = tls.map(|file| matches!(&file.setting, Setting::Text(path) if !path.is_empty()));
    if is_set[0] != is_set[1] {
        let (set, unset) = if is_set[0] { (tls[0], tls[1]) } else { (tls[1], tls[0]) };
        let allowed = "both, which may be the same file, or neither";
        problems.push(clash(set, unset, "needs the other one, and there is", allowed));
    }
    problems
}

/// A server that other hosts can reach, and that asks for nothing.
fn open_to_all(settings: &Settings) -> Option<Problem> {
    let listen = &settings["http.listen"];
    let Setting::Address(address) = &listen.setting else { return None };
    let has_token = matches!(&settings["http.token"].setting, Setting::Text(token) if !token.is_empty());
    let is_wanted = matches!(&settings["http.allow_unauthenticated"].setting, Setting::Flag(true));
    (!address.ip().to_canonical().is_loopback() && !has_token && !is_wanted).then(|| Problem {
        key: listen.shown.key.clone(),
        value: Some(listen.shown.value.clone()),
        origin: listen.shown.origin.to_string(),
        what: "can be reached from other hosts, which needs a token, and there is none".into(),
        allowed: Some(
            "a loopback address such as 127.0.0.1:8000; another one together with http.token, http.token_file or the \
             systemd credential http-token, or with http.allow_unauthenticated = true"
                .into(),
        ),
    })
}

fn clash(this: &Found, other: &Found, relation: &str, allowed: &str) -> Problem {
    Problem {
        key: this.shown.key.clone(),
        value: Some(this.shown.value.clone()),
        origin: this.shown.origin.to_string(),
        what: format!("{relation} {}", other.shown),
        allowed: Some(allowed.to_owned()),
    }
}

/// The words for a name that means nothing.
pub(super) fn unknown(what: &str, near: Option<String>) -> String {
    match near {
        Some(near) => format!("unknown {what}; did you mean {near}?"),
        None => format!("unknown {what}"),
    }
}
