//! Configurations that nobody would write.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::config::key::{KEYS, Key};
use crate::noise::{Damage, damage, each};

const SNIPPETS: &[&str] = &[
    "[",
    "]",
    "[[",
    "]]",
    "=",
    "'",
    "\"",
    "\"\"\"",
    "\n",
    ".",
    ",",
    "{",
    "}",
    "#",
    "\\u0000",
    "\\",
    "\u{0}",
    "\u{feff}",
    "1e999",
    "-1",
    "0x",
    "nan",
    "inf",
    "1979-05-27",
    "true",
    "[http]",
    "[http]\n",
    "token = '",
    "uri_file = ''\n",
    "99999999999999999999",
    "\"10s\"",
    "'5 years'",
    "[\"a\", 1]",
    "'::1'",
    "é",
    "\r\n",
    "http.token = 1\n",
    "\u{7f}",
];

/// The shipped file, without what is for people.
fn shipped() -> String {
    let lines = include_str!("../../../config.toml").lines();
    lines.filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
}

#[test]
fn no_file_whatever_makes_it_panic() {
    let shipped = shipped();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    let sources = Sources::default().with_file(&path);
    let damages = prop::collection::vec(damage(SNIPPETS), 1..6);
    each("configuration files", 10, damages, |damages: Vec<Damage>| {
        let mut bytes = shipped.clone().into_bytes();
        damages.iter().for_each(|damage| damage.to(&mut bytes));
        fs::write(&path, &bytes).unwrap();
        match Config::explain(&sources) {
            Ok((config, shown)) => drop(format!("{config:?} {shown:?}")),
            Err(error) => assert!(!error.problems().is_empty() && !error.to_string().is_empty()),
        }
    });
}

#[test]
fn no_setting_whatever_makes_it_panic_or_shows_a_connection_string() {
    let uri = format!("mongodb://user:{SENTINEL}@host");
    let names = || {
        let known = prop::sample::select(KEYS.iter().map(Key::path).collect::<Vec<_>>());
        prop_oneof![6 => known, 1 => "[a-z._]{0,20}", 1 => "\\PC{0,10}"]
    };
    let value = prop_oneof![
        3 => prop::sample::select(SNIPPETS).prop_map(str::to_owned),
        2 => Just(uri.clone()),
        1 => Just(format!("{uri},{uri} {uri}")),
        1 => Just(format!("[\"{uri}\"]")),
        1 => "\\PC{0,30}",
        1 => "[0-9.]{0,20} ?[a-z]{0,3}",
    ];
    let setting = (names(), value, any::<bool>());
    each("settings", 10, prop::collection::vec(setting, 1..5), |settings| {
        let sources = settings.iter().fold(Sources::default(), |sources, (name, value, is_variable)| {
            if *is_variable {
                let name = name.replace('.', "__").to_ascii_uppercase();
                sources.with_environment([(format!("MONGO_UPLINK_{name}"), value.as_str())])
            } else {
                sources.with_override(format!("{name}={value}"))
            }
        });
        match Config::explain(&sources) {
            Ok((config, shown)) => {
                let text = format!("{config:?} {shown:?}");
                assert!(!text.contains(SENTINEL), "{text}");
            }
            Err(error) => assert_nothing_leaks(&error),
        }
    });
}
