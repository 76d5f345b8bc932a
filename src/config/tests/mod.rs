//! The promises of the configuration as a whole.

mod changes;
mod columns;
mod defaults;
mod noise;
mod secrets;
mod sources;
mod values;

use std::fs;

use tempfile::TempDir;

use super::*;

/// Stands for a password; may be in no output.
const SENTINEL: &str = "s3nt1nelPassw0rd";

/// A directory with this `config.toml`, and sources that read it.
fn file(text: &str) -> (TempDir, Sources) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    fs::write(&path, text).unwrap();
    (directory, Sources::default().with_file(path))
}

fn load_file(text: &str) -> Result<Config, ConfigError> {
    let (_directory, sources) = file(text);
    Config::load(&sources)
}

fn environment(name: &str, value: &str) -> Sources {
    Sources::default().with_environment([(name, value)])
}

fn keys_of(error: &ConfigError) -> Vec<&str> {
    error.problems().iter().map(|problem| problem.key.as_str()).collect()
}

fn assert_nothing_leaks(error: &ConfigError) {
    for text in [error.to_string(), format!("{error:?}"), format!("{error:#?}")] {
        assert!(!text.contains(SENTINEL), "{text}");
    }
}
