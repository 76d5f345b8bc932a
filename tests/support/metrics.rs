//! Prometheus's text format, read.

use std::collections::BTreeMap;
use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Samples by name and labels, as they are written: `name{label="value"}`.
pub struct Samples(BTreeMap<String, f64>);

impl Samples {
    /// Reads an answer of `/metrics`.
    #[track_caller]
    pub fn read(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let samples = samples.map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line:?}"));
            (series.to_owned(), value.parse().unwrap_or_else(|_| panic!("no number: {line:?}")))
        });
        Self(samples.collect())
    }

    /// The value of a series of this program.
    #[track_caller]
    pub fn get(&self, series: &str) -> f64 {
        let found = self.0.get(&format!("mongo_uplink_{series}"));
        *found.unwrap_or_else(|| panic!("no series {series} among {:?}", self.0.keys()))
    }

    /// The names of the series, without labels.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().filter_map(|series| series.split('{').next())
    }
}

/// Prometheus's own tool: `$PROMTOOL`, in the path, or where `.ci/promtool` puts it.
#[track_caller]
pub fn promtool() -> PathBuf {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/promtool/usr/bin/promtool");
    let path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&path).map(|directory| directory.join("promtool"));
    let named = env::var_os("PROMTOOL").map(PathBuf::from);
    let found = named.into_iter().chain(places).chain([fetched]).find(|place| place.is_file());
    found.expect(
        "promtool isn't there: `bash .ci/promtool` fetches it out of Debian's package prometheus, or name one in $PROMTOOL",
    )
}

/// Runs it in this directory, and panics unless it is content.
#[track_caller]
pub fn is_content(promtool: &Path, directory: &Path, arguments: &[&str], input: &str) {
    let mut child = Command::new(promtool)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it was found");
    child.stdin.take().expect("stdin is piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
}
